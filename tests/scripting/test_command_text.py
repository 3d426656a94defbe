"""What is a command (behaviour.md, Changes), decided in one place for chat, console, command line and network."""

from __future__ import annotations

import pytest

from goop2.scripting.command_text import command_of, is_command
from goop2.scripting.engine import _split

COMMANDS = {
    # message: name and arguments
    "!hello Alice": ("hello", "Alice"),
    " !hello Alice": ("hello", "Alice"),
    "! hello Alice": ("hello", "Alice"),
    "\t\n !  Hello  Alice ": ("hello", "Alice"),
    "！hello Alice": ("hello", "Alice"),
    " ！ hello": ("hello", ""),
    "！\u3000hello\u3000you": ("hello", "you"),
    "!": ("", ""),
    " ！ ": ("", ""),
    "!!hello": ("!hello", ""),
}


@pytest.mark.parametrize("message", COMMANDS)
def test_blanks_and_the_full_width_mark_are_taken_as_meant(message: str) -> None:
    assert is_command(message)
    assert _split(message) == COMMANDS[message]


@pytest.mark.parametrize("message", ["", " ", "hello", "hello !you", "?!hello", "¡hello", "\ufeff"])
def test_anything_else_is_no_command(message: str) -> None:
    assert command_of(message) is None
