"""Strangers' text made fit to be shown."""

from __future__ import annotations

from goop2.scripting.printable import printable


def test_ordinary_text_of_any_language_stays_as_it_is() -> None:
    assert printable("Ça va? 日本語", 40) == "Ça va? 日本語"


def test_an_escape_sequence_cannot_reach_a_terminal() -> None:
    assert printable("\x1b[2Jgone\nnext", 40) == "�[2Jgone�next"


def test_a_name_that_is_not_unicode_can_be_shown() -> None:
    assert printable("a\udcffb", 40) == "a�b"


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert printable("abcdef", 4) == "abc…"
    assert printable("abcd", 4) == "abcd"
