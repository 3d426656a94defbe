"""The annotations of a script: the leading block of `---` lines.

Text in, annotations and warnings out. It must not know where the text comes from; `file` is only its name in warnings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from goop2.scripting.limits import DESCRIPTION_MAX_CHARS, WARNINGS_MAX
from goop2.scripting.printable import printable
from goop2.scripting.schedule_times import Cron, Every, ScheduleError, parse_cron, parse_every

_QUOTED_MAX_CHARS = 40
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
_LINE = re.compile(r"\s*---+([^\r\n]*)")
"""The next `---` line when nothing but blank lines stands before it."""
_LINE_END = re.compile(r"\r\n|\r|\n")

EDITOR_ANNOTATIONS = frozenset(
    {
        *("alias", "async", "cast", "class", "deprecated", "diagnostic", "enum", "field", "generic"),
        *("meta", "nodiscard", "overload", "param", "return", "see", "type", "vararg"),
    }
)
"""Names the Lua language server reads in the same `---` lines; not ours, but no mistake either."""


class Schedule(msgspec.Struct, frozen=True, gc=False):
    """When a data function runs by itself."""

    text: str
    """As its file says it: `every 15m`, `cron 0 8 * * *`."""
    times: Every | Cron


class Annotations(msgspec.Struct, frozen=True, gc=False):
    """The leading block of a script (behaviour.md, "Annotations and hot reload")."""

    description: str = ""
    """For lists; empty when the script gives none."""
    rate_limit: int | None = None
    """Calls a minute of one caller to this script; 0 exempts it from every rate; None leaves the peer's own limit."""
    schedule: Schedule | None = None
    """When its `run` is called; None for never."""
    warnings: tuple[str, ...] = ()
    """Sentences that begin with file and line."""


NO_ANNOTATIONS = Annotations()
"""Of a script that says nothing about itself, or cannot be read."""


def parse(source: str, file: str, no_schedule: Callable[[], str] = lambda: "") -> Annotations:
    """Return the annotations of `source`; a wrong one becomes a warning and has no other effect.

    `no_schedule` says why the file is not run by a schedule, "" when it is; it is asked only when there is one.
    """
    source = source.removeprefix("\ufeff")
    if not _LINE.match(source):
        return NO_ANNOTATIONS
    reading = _AnnotationParser(file, source, no_schedule)
    for place, text in _leading_block(source):
        reading.take(place, text)
    return reading.result()


def _leading_block(source: str) -> Iterator[tuple[int, str]]:
    """Return place and text of the `---` lines before any code or `--` comment."""
    match = _LINE.match(source)
    while match:
        yield match.start(1), match[1].strip()
        match = _LINE.match(source, match.end())


class _AnnotationParser:
    """Collects the annotations of one script."""

    def __init__(self, file: str, source: str, no_schedule: Callable[[], str]) -> None:
        self._file = file
        self._source = source
        self._no_schedule = no_schedule
        self.description = ""
        self.rate_limit: int | None = None
        self.schedule: Schedule | None = None
        self.warnings: list[str] = []

    def take(self, place: int, text: str) -> None:
        if text.startswith("@"):
            self._annotation(place, *_name_and_value(text))
        elif not self.description:
            self.description = printable(text, DESCRIPTION_MAX_CHARS)

    def result(self) -> Annotations:
        return Annotations(self.description, self.rate_limit, self.schedule, tuple(self.warnings))

    def _annotation(self, place: int, name: str, value: str) -> None:
        reader = _READERS.get(name)
        if reader is not None:
            reader(self, place, value)
        elif name not in EDITOR_ANNOTATIONS:
            known = ", ".join(f"@{known}" for known in _READERS)
            self._warn(
                place, f"@{printable(name, _QUOTED_MAX_CHARS)} is not an annotation goop2 knows, so it has no effect; known: {known}"
            )

    def _read_rate_limit(self, place: int, value: str) -> None:
        if not _WHOLE_NUMBER.fullmatch(value):
            got = f'"{printable(value, _QUOTED_MAX_CHARS)}"' if value else "nothing"
            self._warn(place, f"@rate_limit wants a whole number of calls a minute (0 for no limit), not {got}; it has no effect")
        elif self.rate_limit is not None:
            self._warn(place, f"@rate_limit is given a second time; the first, {self.rate_limit}, stands")
        else:
            self.rate_limit = int(value)

    def _read_every(self, place: int, value: str) -> None:
        self._read_schedule(place, "every", value, parse_every)

    def _read_cron(self, place: int, value: str) -> None:
        self._read_schedule(place, "cron", " ".join(value.split()), parse_cron)

    def _read_schedule(self, place: int, name: str, value: str, read: Callable[[str], Every | Cron]) -> None:
        try:
            times = read(value)
        except ScheduleError as error:
            self._warn(place, f"{error}; it has no effect")
            return
        if why := self._no_schedule():
            self._warn(place, f"@{name} has no effect: {why}")
        elif self.schedule is not None:
            self._warn(place, f"@{name} is a second schedule; the first, @{self.schedule.text}, stands")
        else:
            self.schedule = Schedule(f"{name} {value}", times)

    def _warn(self, place: int, sentence: str) -> None:
        if len(self.warnings) < WARNINGS_MAX:
            line = 1 + len(_LINE_END.findall(self._source, 0, place))  # few scripts have one, so lines are not counted before
            self.warnings.append(f"{self._file}:{line}: {sentence}")


_READERS: dict[str, Callable[[_AnnotationParser, int, str], None]] = {
    "rate_limit": _AnnotationParser._read_rate_limit,
    "every": _AnnotationParser._read_every,
    "cron": _AnnotationParser._read_cron,
}
"""Annotation → how its value is read."""
ANNOTATIONS = frozenset(_READERS)
"""Every annotation that has an effect."""


def _name_and_value(text: str) -> tuple[str, str]:
    """Return `rate_limit` and `10` of `@rate_limit 10`."""
    words = text[1:].split(None, 1)
    return words[0] if words else "", words[1] if len(words) > 1 else ""
