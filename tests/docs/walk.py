"""Does what the tutorial says, in the order of the page: writes its files, types its commands, looks at the site in a browser.

What the reader does besides, and what they then see, stands in comments:

    <!-- start -->                the peer is running from here on
    <!-- below: TEXT -->          the next block goes to the end of the page's `main`, which has TEXT
    <!-- replace: TEXT -->        the next block replaces TEXT in the page
    <!-- as: NAME -->             the site is opened as this test visitor
    <!-- sign up: NAME, SEATS --> the form is filled in and sent
    <!-- see: TEXT -->            the page shows TEXT
    <!-- gone: TEXT -->          it does not show TEXT
    <!-- picture: NAME -->        the page as a picture
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

_COMMENT = re.compile(r"<!--\s*([a-z ]+?)(?::\s*(.*?))?\s*-->", re.DOTALL)


class Step(NamedTuple):
    """One thing the reader does or sees: what it is, about what, and the block of code it comes with."""

    kind: str
    about: str
    text: str
    line: int


WITH_A_BLOCK = frozenset(("file", "below", "replace"))


def steps(page: Path) -> Iterator[Step]:
    """Yield the steps of a page."""
    waiting: tuple[str, str] | None = None
    for token in MarkdownIt("commonmark").parse(page.read_text("utf-8")):
        line = (token.map or [0])[0] + 1
        if token.type == "html_block":
            for kind, about in _COMMENT.findall(token.content):
                if kind in WITH_A_BLOCK:
                    waiting = (kind, about)
                elif kind not in ("call", "part"):
                    yield Step(kind, about, "", line)
        elif token.type == "fence" and waiting:
            yield Step(*waiting, token.content, line)
            waiting = None
        elif token.type == "fence" and token.info == "console":
            for command in re.split(r"^\$ ", token.content, flags=re.MULTILINE)[1:]:
                yield Step("type", command.partition("\n")[0], command.partition("\n")[2].strip(), line)
