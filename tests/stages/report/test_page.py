import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from evil_titles import EVIL

from stages.report.page import TEMPLATES, policy


class Elements(HTMLParser):
    """Tags with their attributes, and the text of each script and style."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, str] = {}
        self.texts: list[str] = []
        self._within = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._within = tag

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style"):
            self.raw[self._within] = self.raw.get(self._within, "") + data
        else:
            self.texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._within = ""


@pytest.fixture(scope="module")
def html(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def elements(html: str) -> Elements:
    return Elements(html)


def test_the_policy_allows_the_script_and_the_style_of_the_page_and_nothing_else(elements: Elements) -> None:
    [found] = [
        attributes["content"] or ""
        for tag, attributes in elements.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    directives = dict(part.strip().split(" ", 1) for part in found.split(";"))
    hashes = {
        tag: "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for tag, text in elements.raw.items()
    }
    assert directives == {
        "default-src": "'none'",
        "style-src": hashes["style"],
        "script-src": hashes["script"],
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    head = [tag for tag, _ in elements.tags[:6]]
    assert head.index("meta") < 4 and "script" not in head and "style" not in head
    assert policy("a", "b") != policy("a", "c")


def test_nothing_is_loaded_and_nothing_is_inline_but_the_script(elements: Elements) -> None:
    assert [tag for tag, _ in elements.tags].count("script") == 1
    for tag, attributes in elements.tags:
        assert tag not in ("img", "iframe", "object", "embed", "form", "base"), tag
        assert not {name for name in attributes if name.startswith("on") or name in ("src", "style", "srcset")}
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))
    assert "http" not in elements.raw["script"] + elements.raw["style"]
    assert "url(" not in elements.raw["style"] and "@import" not in elements.raw["style"]


def test_data_are_text(html: str, elements: Elements) -> None:
    for title in EVIL:
        assert title in elements.texts
        assert html.count(title) == 0 or "<" not in title
    assert "rows without <user>" in elements.texts


def test_templates_escape_everything_but_what_is_our_own() -> None:
    template = (TEMPLATES / "page.html").read_text(encoding="utf-8")
    assert re.findall(r"\|\s*safe", template) == ["| safe"]  # of an attribute that the template itself writes
    assert "innerHTML" not in (TEMPLATES / "script.js").read_text(encoding="utf-8")


def test_every_table_has_a_caption_and_headers_and_every_id_is_unique(elements: Elements) -> None:
    tags = [tag for tag, _ in elements.tags]
    assert tags.count("caption") == tags.count("table") > 10
    assert all(attributes.get("scope") for tag, attributes in elements.tags if tag == "th")
    ids = [attributes["id"] for _, attributes in elements.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in elements.tags:
        for name in ("aria-labelledby", "aria-controls", "for"):
            assert attributes.get(name, ids[0]) in ids
