"""Names in the code: one class name for one thing, and exceptions that end in Error. `make house` counts the same."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from tools.house import ROOT, Tree

A_WORD = re.compile(r"^\| (?!word |---)([^|]+) \| ([^|]+) \|$", re.MULTILINE)
"""A row of the glossary: word, meaning."""


@cache
def source() -> Tree:
    """Return the modules of the package."""
    return Tree(ROOT / "src")


def test_a_class_name_is_used_for_one_thing() -> None:
    places = {name: [place for place, _ in defined] for name, defined in source().classes().items()}
    assert {name: several for name, several in places.items() if len(several) > 1} == {}


def test_the_name_of_an_exception_ends_in_error() -> None:
    assert [(name, place) for name, place in source().exceptions() if not name.endswith("Error")] == []


def test_the_glossary_gives_each_word_once_and_in_one_sentence() -> None:
    rows = A_WORD.findall(Path(ROOT / "docs/glossary.md").read_text())
    words = [word for word, _ in rows]
    assert len(words) > 50
    assert len(words) == len(set(words))
    assert [word for word, meaning in rows if not re.fullmatch(r"[A-Z][^.]*(?:`[^`]+`[^.]*)*\.", meaning)] == []
