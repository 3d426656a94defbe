"""The types of columns are the same wherever they are told: to pages, to authors, and to whoever reads about tables."""

from __future__ import annotations

import re
from pathlib import Path

from goop2.storage.values import AUTOMATIC, TYPES

ROOT = Path(__file__).parents[2]


def test_pages_are_told_the_types_there_are() -> None:
    declared = re.search(r"interface Column \{[^}]*?\btype: ([^;]+);", (ROOT / "src/goop2/web/sdk/goop.d.ts").read_text())
    assert declared is not None
    assert declared[1].split(" | ") == [f'"{name}"' for name in TYPES]


def test_authors_are_told_the_types_there_are() -> None:
    told = re.search(r"^Types: `([^`]+)`\. `auto` fills in (.+?)\. ", (ROOT / "docs/data.md").read_text(), re.MULTILINE)
    assert told is not None
    assert told[1].split() == list(TYPES)
    assert re.findall(r"`(\w+)`", told[2]) == list(AUTOMATIC)
