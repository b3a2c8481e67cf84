"""How an extra is installed, for errors about a library that is missing."""


def how_to_install(extra: str) -> str:
    """The command that brings an extra: in a checkout, and where cocorec was installed by its name."""
    return f"pip install '.[{extra}]' in a checkout, else pip install 'cocorec[{extra}]'"
