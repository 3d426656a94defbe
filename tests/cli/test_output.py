"""What steers a terminal, and what does not."""

from __future__ import annotations

import pytest

from goop2.cli.output import harmless, one_line, result

REPLACED = "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("steering", ["\x1b", "\x00", "\x07", "\x08", "\r", "\x7f", "\x9b", "\u202e", "\u2066"], ids=ascii)
def test_what_steers_a_terminal_is_replaced(steering: str) -> None:
    assert harmless(f"a{steering}b") == f"a{REPLACED}b"


def test_lines_tabs_and_every_script_of_the_world_stay() -> None:
    text = "one\n\ttwo Zoë 你好 עברית 👩\u200d🚀\u00a0!"
    assert harmless(text) == text


def test_a_sentence_is_one_line() -> None:
    assert one_line("a\nb\t c\x1b[0m") == f"a b c{REPLACED}[0m"


def test_json_keeps_its_meaning_and_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    result('{"a": "x\u009b2J\x7f é"}')
    assert capsys.readouterr().out == '{"a": "x\\u009b2J\\u007f é"}\n'
