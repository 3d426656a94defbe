"""The code blocks of the documentation: what each is, where it stands, and what it says should come of it.

A block's first word names its language. What a test needs besides stands in an HTML comment right before the block:

    <!-- call: {"name": "Ann"} => "Hello" -->   a data function: its parameters, and what it then returns
    <!-- chat: Alice => Hello, Alice! -->       a chat command: what stands after its name, and its reply
    <!-- run -->                                commands of a shell, which are run one after the other
    <!-- file: site/lua/hello.lua -->           a file of the site that the page builds; a test of that page uses it. A paragraph
                                                that is only `site/lua/hello.lua`: means the same, and readers see it
    <!-- below: TEXT -->                        a part of such a file
    <!-- part -->                               a part of a script or of a page, which is only compiled
    <!-- not run: what it would need -->        the same, for the reason given
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
LANGUAGES = frozenset(("lua", "js", "html", "json", "sh", "console", "sql", "css", "text", "ini", "yaml", "nginx", "caddy"))
"""`sh`: commands; `console`: commands after `$ `, with what they print; `text`: what no program reads."""
_COMMENT = re.compile(r"<!--\s*(file|below|call|chat|run|not run|part)(?::\s*(.*?))?\s*-->", re.DOTALL)
_FILE = re.compile(r"`((?:site|schemas|tests)/[\w./-]+)`:$")
"""A paragraph that is only the name of the file which follows."""
_EXPECTED = re.compile(r"^(?P<code>.*?)\s*-->\s*(?P<value>.+)$")
_LOCAL = re.compile(r"^\s*local (\w+)")
_RETURN = re.compile(r"^\s*return (.+)$")


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    page: Path
    line: int
    language: str
    text: str
    marks: dict[str, str]

    @property
    def place(self) -> str:
        """Return the page and the line, as an editor opens it."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Yield the code blocks of a page, in order."""
    marks: dict[str, str] = {}
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8")):
        if token.type == "html_block":
            marks |= dict(_COMMENT.findall(token.content))
        elif token.type == "fence":
            language = token.info.split()[0] if token.info else ""
            yield Block(page, (token.map or [0])[0] + 1, language, token.content, marks)
            marks = {}
        elif token.type == "inline" and (named := _FILE.match(token.content)):
            marks = {"file": named[1]}
        elif token.type in ("heading_open", "paragraph_open", "list_item_open"):
            marks = {}


def all_blocks(language: str) -> list[Block]:
    """Return the blocks of one language in all pages."""
    return [block for page in PAGES for block in blocks(page) if block.language == language]


def checked(source: str) -> str:
    """Return Lua that compares what the lines give with what stands behind their `-->`; the lines keep their numbers."""
    lines = []
    for line in source.splitlines():
        expected = _EXPECTED.match(line)
        if expected is None:
            lines.append(line)
            continue
        wanted = json.dumps(json.dumps(json.loads(expected["value"])))
        local, returned = _LOCAL.match(expected["code"]), _RETURN.match(expected["code"])
        if local:
            lines.append(f"{expected['code']} expect_value({local[1]}, {wanted})")
        elif returned:
            lines.append(f"local given__ = {returned[1]} expect_value(given__, {wanted}) return given__")
        else:
            raise ValueError(f"only what a local is given and what is returned can be compared: {line}")
    return "\n".join(lines)


EXPECT = (
    "local function expect_value(given, wanted) local text = goop.json.encode({ value = given == nil and goop.json.null or given }) "
    "expected_values[#expected_values + 1] = { given = text, wanted = wanted } end "
)
"""Collects what the lines of an example gave. It stands on the first line of a script, so that errors name the lines of the example."""
