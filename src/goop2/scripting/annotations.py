"""What a script says about itself: the leading block of `---` lines.

Text in, annotations and warnings out. It must not know where the text comes from; `file` is only
what warnings call it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from goop2.scripting.limits import DESCRIPTION_MAX_CHARS, WARNINGS_MAX
from goop2.scripting.printable import printable

_QUOTED_MAX_CHARS = 40
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")

EDITOR_ANNOTATIONS = frozenset(
    {
        *("alias", "async", "cast", "class", "deprecated", "diagnostic", "enum", "field", "generic"),
        *("meta", "nodiscard", "overload", "param", "return", "see", "type", "vararg"),
    }
)
"""Names the Lua language server reads in the same `---` lines; not ours, but no mistake either."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """What the leading block of a script says (behaviour.md, "Annotations and hot reload")."""

    description: str = ""
    """For lists; empty when the script gives none."""
    rate_limit: int | None = None
    """Calls a minute of one caller to this script; 0 exempts it from every rate; None leaves the peer's own limit."""
    warnings: tuple[str, ...] = ()
    """Sentences that begin with file and line."""


NO_ANNOTATIONS = Annotations()
"""Of a script that says nothing about itself, or cannot be read."""


def parse(source: str, file: str) -> Annotations:
    """The annotations of `source`; what is wrong in them is a warning and otherwise has no effect."""
    reading = _Reading(file)
    for line, text in _leading_block(source.removeprefix("\ufeff")):
        reading.take(line, text)
    return reading.result()


def _leading_block(source: str) -> Iterator[tuple[int, str]]:
    """Number and text of the `---` lines before any code or `--` comment."""
    for number, raw in enumerate(io.StringIO(source, newline=None), start=1):
        line = raw.strip()
        if line.startswith("---"):
            yield number, line.lstrip("-").strip()
        elif line:
            return


@dataclass(slots=True)
class _Reading:
    """The annotations found so far."""

    file: str
    description: str = ""
    rate_limit: int | None = None
    warnings: list[str] = field(default_factory=list)

    def take(self, line: int, text: str) -> None:
        if text.startswith("@"):
            self._annotation(line, *_name_and_value(text))
        elif not self.description:
            self.description = printable(text, DESCRIPTION_MAX_CHARS)

    def result(self) -> Annotations:
        return Annotations(self.description, self.rate_limit, tuple(self.warnings))

    def _annotation(self, line: int, name: str, value: str) -> None:
        reader = _READERS.get(name)
        if reader is not None:
            reader(self, line, value)
        elif name not in EDITOR_ANNOTATIONS:
            known = ", ".join(f"@{known}" for known in _READERS)
            self._warn(line, f"@{printable(name, _QUOTED_MAX_CHARS)} is not an annotation goop2 knows, so it has no effect; known: {known}")

    def _read_rate_limit(self, line: int, value: str) -> None:
        if not _WHOLE_NUMBER.fullmatch(value):
            got = f'"{printable(value, _QUOTED_MAX_CHARS)}"' if value else "nothing"
            self._warn(line, f"@rate_limit wants a whole number of calls a minute (0 for no limit), not {got}; it has no effect")
        elif self.rate_limit is not None:
            self._warn(line, f"@rate_limit is given a second time; the first, {self.rate_limit}, stands")
        else:
            self.rate_limit = int(value)

    def _warn(self, line: int, sentence: str) -> None:
        if len(self.warnings) < WARNINGS_MAX:
            self.warnings.append(f"{self.file}:{line}: {sentence}")


_READERS: dict[str, Callable[[_Reading, int, str], None]] = {"rate_limit": _Reading._read_rate_limit}
"""Annotation → how its value is read."""


def _name_and_value(text: str) -> tuple[str, str]:
    """`@rate_limit 10` → `rate_limit`, `10`."""
    words = text[1:].split(None, 1)
    return words[0] if words else "", words[1] if len(words) > 1 else ""
