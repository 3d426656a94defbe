"""Every link of the documentation leads to a file that is there, and to a heading of it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from tests.docs.examples import PAGES, ROOT

from goop2.web.console.markdown import render

FENCE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
OUTSIDE = re.compile(r"[a-z]+:")


@cache
def headings(page: Path) -> frozenset[str]:
    """Return the names to which links into a page may lead."""
    return frozenset(re.findall(r'<h\d id="([^"]*)"', render(page.read_text("utf-8"), frozenset()).html))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_links_to_files_and_headings_that_are_there(page: Path) -> None:
    broken = []
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        file, _, part = link.partition("#")
        target = page.parent / file if file else page
        if OUTSIDE.match(link):
            continue
        if not target.exists() or (part and target.suffix == ".md" and part not in headings(target)):
            broken.append(link)
    assert broken == []
