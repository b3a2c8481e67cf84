"""Names of files that are no UTF-8, which Arrow and safetensors do not open."""

import os
from pathlib import PurePath

from stages.artifacts.errors import DataError


def require_utf8(path: PurePath | str, what: str) -> None:
    """Refuse a path that is not UTF-8, as archives of other systems unpack them.

    Args:
        path: as Python has it, with surrogates for the bytes that are no UTF-8.
        what: the option that names it.

    Raises:
        DataError: naming the option, and the path with these bytes as escapes.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise DataError(
            f"{what} {shown}: the name is not UTF-8",
            "Rename it, or, where it is UTF-8 and only looks otherwise, set such a locale: LC_ALL=C.UTF-8.",
        ) from None
