"""Print what the command line says, on the right stream: answers on stdout, everything about them on stderr.

Scripts, file names and replies are a stranger's text: on a terminal their control characters are made harmless. A stream whose reader is
gone ends the command quietly (main.py). It must not know peers or commands.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from typing import TextIO

from goop2.scripting.printable import printable

LINE_MAX_CHARS = 2000
"""A sentence on stderr, or a field of a list; the engine's own messages end there too."""

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters except tab and newline, and those that turn the direction of writing."""
RED, YELLOW, BOLD, DIM = "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[2m"
_PLAIN = "\x1b[0m"


def set_up() -> None:
    """Make stdout and stderr accept every character: a terminal shows `?` for what it cannot show, anything else gets UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        # None when the command was started with the stream closed, and a stand-in under some test runners.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether `stream` is an open terminal."""
    return stream is not None and not stream.closed and stream.isatty()


def is_coloured(stream: TextIO) -> bool:
    """Return whether to use colours: on a terminal, unless NO_COLOR is set (https://no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def one_line(text: str, most: int = LINE_MAX_CHARS) -> str:
    """Return `text` as one line fit for a terminal."""
    return printable(" ".join(text.split()), most)


def harmless(text: str) -> str:
    """Return `text` with its lines and tabs, without what could steer a terminal."""
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text)


def fitting(line: str) -> str:
    """Return a line of parts separated by two blanks; one part a line if a terminal would break it elsewhere."""
    if not is_terminal(sys.stdout) or len(line) < shutil.get_terminal_size().columns:
        return line
    return line.replace("  ", "\n  ")


def answer(text: str) -> None:
    """Print a reply on stdout at once, since a program may wait for it; exactly, unless stdout is a terminal."""
    print(harmless(text) if is_terminal(sys.stdout) else text, flush=True)


def answer_json(value: object) -> None:
    """Print a value of ours as the one JSON value on stdout."""
    result(json.dumps(value, ensure_ascii=False))


def result(text: str) -> None:
    """Print JSON text on stdout, in one piece, without characters that steer a terminal."""
    print(escaped(text), flush=True)


def escaped(text: str) -> str:
    """Return JSON text with its control characters as escapes; they can occur only inside JSON strings."""
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def note(sentence: str) -> None:
    """Print a remark about the answer, for people: one line on stderr."""
    _complain("", "", sentence)


def warn(sentence: str) -> None:
    """Print a warning on stderr: something works, but not as it should."""
    _complain("warning: ", YELLOW, sentence)


def fail(sentence: str) -> None:
    """Print on stderr why there is no answer."""
    _complain("error: ", RED, sentence)


def styled(text: str, style: str) -> str:
    """Return `text` for stdout in one of the styles above, or as it is where there are no colours."""
    return f"{style}{text}{_PLAIN}" if text and style and is_coloured(sys.stdout) else text


def dim(text: str) -> str:
    """Return `text` as a remark on stdout."""
    return styled(text, DIM)


def _complain(prefix: str, colour: str, sentence: str) -> None:
    if sys.stderr is None:
        return  # and `print` would take stdout instead
    if colour and is_coloured(sys.stderr):
        prefix = f"{colour}{prefix}{_PLAIN}"
    print(prefix + one_line(sentence), file=sys.stderr, flush=True)
