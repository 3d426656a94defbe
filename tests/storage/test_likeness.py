"""Misspelt words: how far two words are apart, and which known word is suggested."""

from __future__ import annotations

import pytest

from goop2.storage.likeness import hint, letters_apart, resembled

KNOWN = ("access", "columns", "name", "key")


@pytest.mark.parametrize(
    ("one", "other", "letters"),
    [
        ("access", "access", 0),
        ("acess", "access", 1),
        ("accesss", "access", 1),
        ("axcess", "access", 1),
        ("cacess", "access", 1),
        ("xyccess", "access", 2),
        ("acecss", "access", 1),
        ("", "ab", 2),
    ],
)
def test_added_dropped_replaced_and_swapped_letters_are_counted(one: str, other: str, letters: int) -> None:
    assert letters_apart(one, other) == letters_apart(other, one) == letters


@pytest.mark.parametrize(
    ("word", "meant"),
    [("acess", "access"), ("COLUMS", "columns"), ("nmae", "name"), ("kye", "key"), ("abc", ""), ("roles", ""), ("columnwidths", "")],
)
def test_a_word_resembles_a_known_one_or_none(word: str, meant: str) -> None:
    assert resembled(word, KNOWN) == meant


def test_a_hint_is_given_for_unknown_words_alone() -> None:
    assert hint("acess", KNOWN) == "; did you mean access?"
    assert hint("access", KNOWN) == ""
    assert hint("something else", KNOWN) == ""
    assert hint(5, KNOWN) == ""
