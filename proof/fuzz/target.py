"""A target of the fuzzer: a function that gives any bytes to a parser, and what the parser may raise.

A target fails by any other exception, by an assertion about what was read, and by taking longer than SLOW_SECONDS. It is one function; its
docstring is its row in the table of targets. Targets that need text or a structure take it from their bytes with `Choices`.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

SLOW_SECONDS: Final = 2.0
"""Of the processor, for one input of a few KB; everything here takes a few milliseconds."""
ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Target:
    """A function that gives bytes to a parser."""

    name: str
    about: str
    run: Callable[[bytes], None]
    refusals: tuple[type[Exception], ...]
    """What the parser raises for input that is not right."""
    seeds: tuple[bytes, ...]
    """Input that is right, or nearly: the fuzzer begins with these."""


TARGETS: Final[dict[str, Target]] = {}


def target(*refusals: type[Exception], seeds: Sequence[bytes] = ()) -> Callable[[Callable[[bytes], None]], Callable[[bytes], None]]:
    """Add the decorated function to the targets; `refusals` are the exceptions by which its parser refuses input."""

    def add(run: Callable[[bytes], None]) -> Callable[[bytes], None]:
        assert run.__doc__ is not None
        TARGETS[run.__name__] = Target(run.__name__, run.__doc__, run, refusals, tuple(seeds))
        return run

    return add


@dataclass(frozen=True)
class Finding:
    """A fault that some input shows: its kind is the same for all inputs that show the same fault."""

    kind: str
    content: bytes


def finding_of(one: Target, content: bytes) -> Finding | None:
    """Give `content` to a target; return what is wrong, None when nothing is."""
    begun = time.process_time()
    try:
        one.run(content)
    except one.refusals:
        pass
    except Exception as error:
        return Finding(f"{_kind(error)} at {_place(error)}", content)
    taken = time.process_time() - begun
    return Finding(f"slow: more than {SLOW_SECONDS:g} s", content) if taken > SLOW_SECONDS else None


def minimized(one: Target, found: Finding) -> Finding:
    """Return a finding of the same kind with less input: pieces are left out, large ones first, as long as the fault stays."""
    content, size = found.content, max(1, len(found.content) // 2)
    while size:
        at = 0
        while at < len(content):
            shorter = content[:at] + content[at + size :]
            again = finding_of(one, shorter)
            if again is not None and again.kind == found.kind:
                content = shorter
            else:
                at += size
        size //= 2
    return Finding(found.kind, content)


def _kind(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:120]}" if isinstance(error, AssertionError) else type(error).__name__


def _place(error: Exception) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if str(ROOT) in frame.filename and ".venv" not in frame.filename]
    last = frames[-1]
    return f"{Path(last.filename).relative_to(ROOT)}:{last.lineno}"


class Choices:
    """Choices made by bytes, one after the other; when there are no more, the first of each."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Return whether bytes are left."""
        return self._at < len(self._data)

    def number(self, most: int) -> int:
        """Return a number from 0 to `most`, at most 255."""
        self._at += 1
        return self._data[self._at - 1] % (most + 1) if self._at <= len(self._data) else 0

    def pick(self, values: Sequence[T]) -> T:
        """Return one of the values."""
        return values[self.number(len(values) - 1)]

    def some(self, values: Sequence[T], most: int) -> list[T]:
        """Return up to `most` of the values, any of them more than once."""
        return [self.pick(values) for _ in range(self.number(most))]

    def text(self, most: int = 255) -> str:
        """Return a text of up to `most` bytes of UTF-8."""
        return self.piece(most).decode("utf-8", "replace")

    def piece(self, most: int = 255) -> bytes:
        """Return up to `most` of the bytes."""
        size = self.number(most)
        self._at += size
        return self._data[self._at - size : self._at]

    def rest(self) -> bytes:
        """Return the bytes that are left."""
        rest = self._data[self._at :]
        self._at = len(self._data)
        return rest


def in_pieces(data: bytes) -> list[bytes]:
    """Return `data` cut at places that depend on it, as a network may cut it."""
    pieces, at, size = [], 0, 1
    while at < len(data):
        pieces.append(data[at : at + size])
        at += size
        size = 1 + (data[min(at, len(data)) - 1] + size) % 13
    return pieces
