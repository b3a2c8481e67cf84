"""Baselines that only count: popularity, and first-order transitions from item to item."""

import torch
from torch import Tensor, nn

from stages.artifacts.sequences import Sequences
from stages.model.config import ModelConfig


class Counts(nn.Module):
    """What followed what in training, as sparse rows, and how often each item occurred.

    Strong where histories are short, and hard to beat with ids alone; see Ludewig and Jannach, Evaluation of
    session-based recommendation algorithms, 2018.

    Args:
        config: sizes; of kind ``popularity`` or ``transitions``.
        occurrences: (N + 1,) float32, how often each item was taken; 0 for item 0.
        starts: (N + 2,) int64; the followers of item i are at ``starts[i]`` to ``starts[i + 1]``.
        followers: (F,) int64 item numbers.
        times: (F,) float32, how often that item followed.
    """

    occurrences: Tensor
    starts: Tensor
    followers: Tensor
    times: Tensor

    def __init__(
        self, config: ModelConfig, occurrences: Tensor, starts: Tensor, followers: Tensor, times: Tensor
    ) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("occurrences", occurrences)
        self.register_buffer("starts", starts)
        self.register_buffer("followers", followers)
        self.register_buffer("times", times)

    @classmethod
    def of_training(cls, config: ModelConfig, sequences: Sequences) -> "Counts":
        """Count in the training part of all histories."""
        items = torch.from_numpy(sequences.items.astype("int64"))
        offsets, train_end = torch.from_numpy(sequences.offsets), torch.from_numpy(sequences.train_end)
        lengths = offsets.diff()
        user = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
        place = torch.arange(len(items)) - offsets[user]
        n = config.items
        occurrences = torch.bincount(items[place < train_end[user]], minlength=n + 1).float()
        pairs = torch.zeros(0, dtype=torch.int64)
        if config.kind == "transitions":
            first = (place < train_end[user] - 1).nonzero().squeeze(1)
            pairs = items[first] * (n + 1) + items[first + 1]
        pairs, times = torch.unique(pairs, sorted=True, return_counts=True)
        starts = torch.searchsorted(pairs, torch.arange(n + 2) * (n + 1))
        return cls(config, occurrences, starts, pairs % (n + 1), times.float())

    def scores(self, last: Tensor) -> Tensor:
        """Scores (q, N + 1) after the items ``last`` (q,): how often each item followed, popularity breaking ties."""
        share = self.occurrences / (1 + self.occurrences.max())
        scores = share.expand(len(last), -1).contiguous()
        count = self.starts[last + 1] - self.starts[last]
        row = torch.repeat_interleave(torch.arange(len(last), device=last.device), count)
        place = torch.arange(len(row), device=last.device) - (count.cumsum(0) - count - self.starts[last])[row]
        scores.view(-1).index_add_(0, row * scores.shape[1] + self.followers[place], self.times[place])
        return scores
