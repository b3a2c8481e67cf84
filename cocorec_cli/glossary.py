"""The words of the field and of this toolkit, read from the table in ``README.md`` beside this file."""

import re
from pathlib import Path

GLOSSARY = "glossary"
"""Topic of ``cocorec help`` that lists all of them."""

_ROW = re.compile(r"^\| \*\*(?P<term>[^*]+)\*\* \| (?P<text>.+) \|$", re.MULTILINE)


def glossary() -> list[tuple[str, str]]:
    """Each term and what it means, in the order of the data."""
    text = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    return [(found["term"], re.sub(r"[`*]", "", found["text"])) for found in _ROW.finditer(text)]


def entry_of(word: str) -> tuple[str, str] | None:
    """The term that a word names, in singular or plural; ``None`` where there is none."""
    wanted = _plain(word)
    for term, text in glossary():
        if wanted in {_plain(part) for part in (term, *term.split(","))}:
            return term, text
    return None


def _plain(word: str) -> str:
    return word.strip().lower().replace("-", " ").removesuffix("s")
