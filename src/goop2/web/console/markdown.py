"""Markdown of our own documentation → HTML under the console's policy: no styles of its own, no HTML of the text, links within the pages.

markdown-it-py is loaded with the first page, since a peer that nobody reads documentation of needs none of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Set
from posixpath import join, normpath
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from markdown_it.token import Token

_ELSEWHERE: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_PUNCTUATION: Final = re.compile(r"[^\w\- ]")
_COMMENT: Final = re.compile(r"^(```.*?^```$)|^<!--.*?-->\n", re.MULTILINE | re.DOTALL)
"""A comment for our tests, which readers do not see; one in a block of code (group 1) is a part of it."""
_ALIGNED: Final = re.compile(r"text-align:(left|right|center)")


class Rendered(msgspec.Struct, frozen=True):
    """A page of HTML, without a frame around it."""

    title: str
    html: str


def render(text: str, files: Set[str], folder: str = "") -> Rendered:
    """Return the page that `text` describes.

    :param files: what there is of the documentation; a link or a picture of anything else is only text.
    :param folder: the page's, which its links begin from; "" for the folder of all.
    """
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(_COMMENT.sub(lambda found: found[1] or "", text))
    anchors: Counter[str] = Counter()
    title = ""
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            words = _plain(tokens[place + 1])
            token.attrSet("id", _anchor(words, anchors))
            title = title or words
        elif token.type in ("table_open", "fence", "code_block"):
            # What is wider than the page scrolls by itself, also for who has no mouse.
            token.attrSet("tabindex", "0")
        elif token.type in ("th_open", "td_open") and (aligned := _ALIGNED.search(str(token.attrs.pop("style", "")))):
            token.attrSet("class", aligned[1])
        elif token.children:
            token.children = _within(token.children, files, folder)
    html = markdown.renderer.render(tokens, markdown.options, {})
    return Rendered(
        title, html.replace("<pre><code", '<pre tabindex="0"><code').replace(' tabindex="0" class="language', ' class="language')
    )


def _plain(inline: Token) -> str:
    return "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline"))


def _anchor(words: str, seen: Counter[str]) -> str:
    """Return the name GitHub gives to a heading, so that links to it work in both places."""
    name = _PUNCTUATION.sub("", words.strip().lower()).replace(" ", "-")
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}-{seen[name] - 1}"


def _within(children: list[Token], files: Set[str], folder: str) -> list[Token]:
    """Return the tokens of a paragraph with its links to our own pages as they are here."""
    kept: list[Token] = []
    dropped = 0
    for child in children:
        if child.type == "link_open":
            href = _href(str(child.attrs.get("href", "")), files, folder)
            dropped += href is None
            if href is None:
                continue
            child.attrSet("href", href)
            if _ELSEWHERE.match(href):
                child.attrSet("rel", "noopener noreferrer")
        elif child.type == "link_close" and dropped:
            dropped -= 1
            continue
        elif child.type == "image":
            if (source := _picture(str(child.attrs.get("src", "")), files, folder)) is None:
                continue
            child.attrSet("src", source)
            child.attrSet("loading", "lazy")
        kept.append(child)
    return kept


def _href(href: str, files: Set[str], folder: str) -> str | None:
    """Return where a link leads here; None when that is not part of the documentation."""
    if _ELSEWHERE.match(href) or href.startswith("#"):
        return href
    file, mark, part = href.partition("#")
    file = normpath(join(folder, file))
    return f"/docs/{file.removesuffix('.md')}{mark}{part}" if file in files else None


def _picture(source: str, files: Set[str], folder: str) -> str | None:
    file = normpath(join(folder, source))
    return f"/docs/{file}" if file in files else None
