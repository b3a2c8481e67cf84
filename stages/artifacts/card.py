"""``model/README.md``: the lineage that a model card carries, as a comment in its front matter.

A card that people have changed is theirs: without the comment it is a file of another tool.
"""

from pathlib import Path

from stages.artifacts.atomic import not_permitted
from stages.artifacts.digest import check_digest
from stages.artifacts.errors import DataError

_COMMENT = "# cocorec "
_FENCE = "---"


def card_text(metadata: str, front_matter: str, body: str) -> str:
    """The text of a card.

    Args:
        metadata: one line of JSON, the lineage with a place for the digest.
        front_matter: YAML.
        body: Markdown.
    """
    return f"{_FENCE}\n{_COMMENT}{metadata}\n{front_matter.strip()}\n{_FENCE}\n\n{body}"


def card_metadata(path: Path) -> str | None:
    """The JSON that :func:`card_text` was given; ``None`` where a card has none.

    Raises:
        DataError: when the card is not what was written, or cannot be read.
    """
    try:
        check_digest(path)
        with Path(path).open(encoding="utf-8") as file:
            fence, comment = file.readline().rstrip("\r\n"), file.readline()
    except PermissionError as error:
        raise not_permitted(path) from error
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}", "Delete it, and run `cocorec export` again.") from error
    return comment.removeprefix(_COMMENT) if fence == _FENCE and comment.startswith(_COMMENT) else None
