"""The page itself: one HTML file that opens offline, loads nothing and runs nothing but its own script."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stages import __version__
from stages.report.parts import Section
from stages.report.users import User

TEMPLATES = Path(__file__).with_name("templates")


def render(
    title: str, figures: Sequence[tuple[str, str]], sections: Sequence[Section], users: Sequence[User], **said: Any
) -> str:
    """The page as HTML; every text in it is escaped.

    Args:
        title: of the page.
        figures: name and value of what stands at its top.
        sections: in their order.
        users: shown one by one; without any there is no such section.
        said: further values of the template.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style, script = (Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in ("style.css", "script.js"))
    values: Mapping[str, Any] = {
        "title": title,
        "figures": figures,
        "sections": sections,
        "users": users,
        "style": style,
        "script": script,
        "policy": policy(style, script),
        "version": __version__,
        **said,
    }
    return environment.get_template("page.html").render(values)


def policy(style: str, script: str) -> str:
    """The content security policy: nothing from anywhere, but this style and this script, known by their hashes.

    Args:
        style, script: the text between the tags.
    """
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
