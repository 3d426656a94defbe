"""How a run is put into words."""

from __future__ import annotations

import pytest

from goop2.scripting.run_texts import MESSAGE_MAX_CHARS, error_shown, script_shown, times_shown


@pytest.mark.parametrize(
    ("kind", "script", "shown"),
    [
        ("command", "hello", "!hello"),
        ("function", "score", "score"),
        ("function", "", "(several names)"),
        ("function", "a\nb\x1b", "a b\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_script_is_shown_as_it_is_called(kind: str, script: str, shown: str) -> None:
    assert script_shown(kind, script) == shown


@pytest.mark.parametrize(
    ("line", "message", "shown"),
    [
        (17, "score:17: no such field", "line 17: no such field"),
        (None, "score: result is a function", "result is a function"),
        (None, "script timed out", "script timed out"),
        (2, "other:2: no", "line 2: other:2: no"),
        (None, "a\n\x1b[31m b", "a \N{REPLACEMENT CHARACTER}[31m b"),
    ],
)
def test_an_error_begins_with_its_line(line: int | None, message: str, shown: str) -> None:
    assert error_shown("score", line, message) == shown


def test_a_long_error_is_cut() -> None:
    assert len(error_shown("score", None, "x" * 5000)) <= MESSAGE_MAX_CHARS + 1


@pytest.mark.parametrize(("count", "shown"), [(1, "once"), (2, "2 times"), (1234, "1,234 times")])
def test_how_often(count: int, shown: str) -> None:
    assert times_shown(count) == shown
