"""What a client may ask, and what its ids mean to a model; whatever does not fit is refused with the reason."""

from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from stages.artifacts.names import HISTORIES
from stages.recommend.items import Numbers
from stages.serve.options import ServeOptions
from stages.serve.snapshot import Snapshot
from stages.serve.work import Asked, AskedSimilar

_TOLD = 3
"""Errors that an answer tells."""

_LONGEST = 100
"""Characters of a client's text that an answer repeats."""


class RefusedError(Exception):
    """A request that is not answered.

    Args:
        status: of HTTP.
        message: what does not fit.
        hint: what would.
        retry_after: seconds after which the same request may be answered.
    """

    def __init__(self, status: int, message: str, hint: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.hint, self.retry_after = status, message, hint, retry_after


class RecommendRequest(BaseModel):
    """A body of ``POST /recommend``. Its lists are bounded by :func:`request_model`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    history: list[str] | None = None
    user_id: str | None = None
    k: int | None = None
    exclude: list[str] = []
    candidates: list[str] | None = None
    exclude_seen: bool | None = None


def request_model(options: ServeOptions) -> type[RecommendRequest]:
    """The body of ``POST /recommend`` with the bounds of a server."""

    def ids(description: str) -> Any:
        return Field(max_length=options.max_ids, description=description)

    fields: dict[str, Any] = {
        "history": (
            Annotated[list[str] | None, ids("Ids of items, oldest first; empty for the popular items.")],
            None,
        ),
        "user_id": (
            Annotated[str | None, Field(description="Instead of a history: a user whose history the server has.")],
            None,
        ),
        "k": (
            Annotated[int, Field(ge=1, le=options.max_top, description="Length of the list.")],
            options.top,
        ),
        "exclude": (Annotated[list[str], ids("Ids of items not to recommend.")], []),
        "candidates": (Annotated[list[str] | None, ids("Ids of the only items to recommend.")], None),
        "exclude_seen": (
            Annotated[
                bool | None,
                Field(description="Leave out what the history holds; by default the model decides."),
            ],
            None,
        ),
    }
    return create_model("RecommendRequest", __base__=RecommendRequest, **fields)


def parse(body: bytes, model: type[RecommendRequest]) -> RecommendRequest:
    """Read a body.

    Raises:
        RefusedError: for what is no JSON, or does not fit.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        status = 400 if problems[0]["type"] == "json_invalid" else 422
        raise RefusedError(status, problems_in_words(problems), "GET /docs describes the body.") from None


def problems_in_words(problems: Any) -> str:
    """What a validation found, in a line: places and reasons.

    Args:
        problems: as pydantic and FastAPI tell them.
    """
    told = []
    for problem in problems[:_TOLD]:
        place = ".".join(str(part) for part in problem["loc"])
        told.append(f"{place[:_LONGEST]}: {problem['msg']}" if place else str(problem["msg"]))
    more = len(problems) - _TOLD
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def resolve(request: RecommendRequest, snapshot: Snapshot) -> Asked:
    """What a request asks of a model, by item number.

    Raises:
        RefusedError: for a user that is not known, both or neither of history and user, or filters that leave nothing.
    """
    if (request.history is None) == (request.user_id is None):
        raise RefusedError(422, "give either history or user_id", "An empty history gets the popular items.")
    assert request.k is not None
    top = _checked_top(request.k, snapshot)
    history, unknown = _history(request, snapshot)
    exclude, unknown_exclude = _numbers(request.exclude, snapshot)
    candidates, unknown_candidates = None, 0
    if request.candidates is not None:
        candidates, unknown_candidates = _numbers(request.candidates, snapshot)
        candidates = np.unique(candidates)
    exclude, items = np.unique(exclude), len(snapshot.items)
    left = items - len(exclude) if candidates is None else len(np.setdiff1d(candidates, exclude, assume_unique=True))
    if not left:
        raise RefusedError(422, f"candidates and exclude leave none of the {items:,} items to recommend")
    if not len(history) and snapshot.counts is None:
        raise RefusedError(
            422, "the history has no known item, and which items are popular is not known", f"Serve {HISTORIES}, too."
        )
    return Asked(
        snapshot=snapshot,
        history=history,
        top=top,
        exclude_seen=snapshot.recommender.excludes_seen(request.exclude_seen),
        candidates=candidates,
        exclude=exclude,
        user_id=request.user_id,
        unknown=unknown + unknown_exclude + unknown_candidates,
    )


def resolve_similar(item_id: str, k: int, snapshot: Snapshot, by: str) -> AskedSimilar:
    """What a request for similar items asks of a model.

    Raises:
        RefusedError: for an item that is not known, or a model whose items have no vectors.
    """
    if snapshot.no_similar is not None:
        raise RefusedError(409, snapshot.no_similar, "Start the server with --similar-by text.")
    row = int(snapshot.items.rows([item_id])[0]) if encodable(item_id) else -1
    if row < 0:
        raise RefusedError(404, f"there is no item {_shown(item_id)}", "Items are named by their ids in the log.")
    return AskedSimilar(snapshot, item_id, row + 1, _checked_top(k, snapshot), by)


def encodable(text: str) -> bool:
    """Whether a text is one: percent escapes of a path can make what is no Unicode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _history(request: RecommendRequest, snapshot: Snapshot) -> tuple[Numbers, int]:
    if request.history is not None:
        return _numbers(request.history, snapshot)
    assert request.user_id is not None
    if snapshot.histories is None:
        raise RefusedError(404, f"the server has no {HISTORIES}", "Give the history instead of user_id.")
    row = int(snapshot.users.rows([request.user_id])[0])
    if row < 0:
        raise RefusedError(
            404, f"there is no user {_shown(request.user_id)}", "Give the history instead; an empty one for a new user."
        )
    return snapshot.history(row), 0


def _numbers(ids: list[str], snapshot: Snapshot) -> tuple[Numbers, int]:
    """Numbers of the items that are known, in their order, and how many ids are not."""
    rows = snapshot.items.rows(ids)
    known = rows[rows >= 0]
    return (known + 1).astype(np.int32), len(rows) - len(known)


def _checked_top(k: int, snapshot: Snapshot) -> int:
    items = len(snapshot.items)
    if k > items:
        raise RefusedError(422, f"k: must be from 1 to {items:,}, the items of the catalogue, is {k:,}")
    return k


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "...")
