"""Lists that several processes make: the first one hands out the histories, all of them rank a share of each chunk.

Where one process works alone, nothing is handed anywhere.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch

from stages.artifacts.json_text import json_text
from stages.model.team import Team
from stages.recommend.items import Lists, Numbers
from stages.recommend.options import RecommendOptions
from stages.recommend.recommender import Mask, Recommender

_DONE, _MORE = 0, 1


def agreed(team: Team, artifacts: Mapping[str, str], *, work: bool = False) -> bool:
    """Whether there is work, as the first process says.

    Args:
        team: the processes.
        artifacts: fingerprints of what is read, by name.
        work: what the first one says.

    Raises:
        ProcessError: when the processes do not read the same files.
    """
    team.require_same(
        json_text(artifacts), "the processes read different files; is the work directory the same for all?"
    )
    return team.tell(_MORE if work else _DONE) == _MORE


class Lead:
    """The first process, which asks the others to help with lists, and says at the end that it is :meth:`done`.

    Args:
        options: of the stage.
        recommender: its model knows the other processes.
        allowed: (N + 1,) which items may be recommended; ``None`` for all.
    """

    def __init__(self, options: RecommendOptions, recommender: Recommender, allowed: Mask | None) -> None:
        self._options, self._recommender, self._allowed = options, recommender, allowed
        self._team = recommender.model.team
        # Filters that leave no item are refused, so no number stands for no filter.
        self._team.hand_out(torch.from_numpy(np.flatnonzero(np.zeros(0) if allowed is None else allowed)))

    def lists(
        self,
        items: Numbers,
        offsets: npt.NDArray[np.int64],
        progress: Callable[[int], None] = lambda done: None,
    ) -> Lists:
        """The lists of some users, see :meth:`stages.recommend.recommender.Recommender.lists`."""
        self._team.tell(_MORE)
        for numbers in (items, offsets):
            self._team.hand_out(torch.from_numpy(numbers))
        return _lists(self._options, self._recommender, items, offsets, self._allowed, progress)

    def done(self) -> None:
        """Let the others go."""
        self._team.tell(_DONE)


def follow(options: RecommendOptions, recommender: Recommender) -> None:
    """Rank shares of what the first process hands out, until that is done.

    Args:
        options: of the stage, the same as there.
        recommender: its model knows the other processes.
    """

    def told() -> npt.NDArray[np.int64]:
        return team.hand_out(None).cpu().numpy()

    team = recommender.model.team
    allowed = np.isin(np.arange(len(recommender.items) + 1), chosen) if len(chosen := told()) else None
    while team.tell(_DONE) == _MORE:
        items, offsets = told().astype(np.int32), told()
        _lists(options, recommender, items, offsets, allowed)


def _lists(
    options: RecommendOptions,
    recommender: Recommender,
    items: Numbers,
    offsets: npt.NDArray[np.int64],
    allowed: Mask | None,
    progress: Callable[[int], None] = lambda done: None,
) -> Lists:
    return recommender.lists(
        items, offsets, top=options.top, exclude_seen=options.exclude_seen, allowed=allowed, progress=progress
    )
