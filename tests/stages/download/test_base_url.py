import pytest

from stages.artifacts.errors import UsageError
from stages.download.base_url import check_base_url


@pytest.mark.parametrize(
    "url", ["https://host/folder", "http://host", "http://127.0.0.1:80/a/b", "https://[::1]:8/%20"]
)
def test_slashes_at_the_end_go(url: str) -> None:
    for end in ("", "/", "//"):
        assert check_base_url(url + end) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host/data",
        "ftp://host/data",
        "file:///etc",
        "https://",
        "https:///folder",
        "http://host:port/",
        "http://host:0/",
        "http://host:65536/",
        "http://[::1/",
        "http://host/a b",
        "http://host/a\n",
        "http://höst/",
    ],
)
def test_what_is_no_plain_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_base_url(url)
    assert caught.value.message == f"--base-url {url!r} is not an http or https address"
    assert caught.value.hint == "For example https://host/folder."


@pytest.mark.parametrize(
    "url", ["http://name:secret@host/", "http://@host/", "http://host/?secret=1", "http://host/#secret"]
)
def test_parts_that_could_be_secrets_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="--base-url on host: a user name, a query") as caught:
        check_base_url(url)
    assert "secret" not in str(caught.value)
