"""The address of the folder on the server."""

from urllib.parse import urlsplit

from stages.artifacts.errors import UsageError


def check_base_url(url: str) -> str:
    """The URL without a slash at its end.

    Raises:
        UsageError: when it is not a plain http or https address.
    """
    try:
        parts = urlsplit(url)
        port_fits = parts.port != 0
    except ValueError:
        port_fits = False
    plain = port_fits and all("!" <= letter <= "~" for letter in url)
    if not plain or parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--base-url {url!r} is not an http or https address", "For example https://host/folder.")
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError(
            f"--base-url on {parts.hostname}: a user name, a query (?) or a fragment (#) cannot be part of it",
            "Give the address of a folder that can be read without them.",
        )
    return url.rstrip("/")
