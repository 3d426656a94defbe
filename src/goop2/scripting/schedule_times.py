"""When a schedule is due: `15m`, or the five fields of cron, as instants in seconds since 1970.

Text and numbers in, numbers out: no clock, and no time zone but the one given. A cron expression is read as Vixie cron reads it, on days
when the clocks change too: an expression with fixed minutes and hours runs once a day it names, right after the change where its time is
left out, and at the first of two where its time comes twice; one whose minute or hour begins with `*` follows the clock on the wall.
"""

from __future__ import annotations

import datetime as dates
import re
from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from goop2.scripting.printable import printable

UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
EVERY_MAX_SECONDS: Final = 366 * 86400
"""The longest interval: beyond a year nobody could tell a schedule from a mistake."""
SEARCHED_DAYS: Final = 8 * 366 + 40
"""How far ahead a cron expression is looked for: 29 February is eight years away around the year 2100."""
COUNTED_MAX: Final = 1000
"""Missed times that are counted one by one; nobody tells more apart."""
EXPRESSION_MAX_CHARS: Final = 200
_MINUTE, _HOUR = 60, 3600
_QUOTED_MAX_CHARS: Final = 40
_EVERY: Final = re.compile(r"([0-9]{1,9})([smhd])")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAYS_IN_MONTH: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

Zone = dates.tzinfo | None
"""A time zone; None for that of this process."""


class ScheduleError(ValueError):
    """The text is no schedule; the message says what was wanted and what came."""

    code = "bad_request"


class Times(Protocol):
    """The instants at which a schedule is due, one after the other without an end."""

    def after(self, instant: float, zone: Zone = None) -> float | None:
        """Return the first instant after `instant`, in seconds since 1970; None when none comes within SEARCHED_DAYS."""


class Every(msgspec.Struct, frozen=True):
    """An interval (`@every`): due so many seconds after the last time, whatever the clock on the wall says."""

    seconds: int

    def after(self, instant: float, zone: Zone = None) -> float | None:
        """Return `instant` and the interval; see `Times`."""
        return instant + self.seconds


class _Field(msgspec.Struct, frozen=True):
    """One field of a cron expression."""

    values: frozenset[int]
    begins_with_star: bool


class Cron(msgspec.Struct, frozen=True):
    """The five fields of a cron expression."""

    minute: _Field
    hour: _Field
    day: _Field
    month: _Field
    weekday: _Field

    def after(self, instant: float, zone: Zone = None) -> float | None:
        """Return the first instant after `instant`; see `Times`."""
        # As Vixie cron does it, see above.
        if self.minute.begins_with_star or self.hour.begins_with_star:
            return self._on_the_clock(instant, zone)
        return self._once_a_day(instant, zone)

    def names(self, day: dates.date) -> bool:
        """Return whether the expression names this day. Of day and weekday either is enough where both are given, as in cron."""
        if day.month not in self.month.values:
            return False
        by_day, by_weekday = day.day in self.day.values, day.isoweekday() % 7 in self.weekday.values
        either = not (self.day.begins_with_star or self.weekday.begins_with_star)
        return by_day or by_weekday if either else by_day and by_weekday

    def _once_a_day(self, instant: float, zone: Zone) -> float | None:
        day = _local(instant, zone).date() - dates.timedelta(days=1)  # a day that began before may end later, where clocks change
        for _ in range(SEARCHED_DAYS):
            if self.names(day):
                due = [at for at in self._of_day(day, zone) if at > instant]
                if due:
                    return min(due)
            day += dates.timedelta(days=1)
        return None

    def _of_day(self, day: dates.date, zone: Zone) -> Iterator[float]:
        for hour in sorted(self.hour.values):
            for minute in sorted(self.minute.values):
                yield _instant(dates.datetime(day.year, day.month, day.day, hour, minute), zone)

    def _on_the_clock(self, instant: float, zone: Zone) -> float | None:
        # Today's zones differ by whole minutes, so each minute on the wall begins with one of these.
        at = (int(instant // _MINUTE) + 1) * _MINUTE
        ends = at + SEARCHED_DAYS * UNIT_SECONDS["d"]
        while at < ends:
            here = _local(at, zone)
            if not self.names(here.date()):
                midnight = dates.datetime.combine(here.date() + dates.timedelta(days=1), dates.time())
                wanted = int(_instant(midnight, zone))
            elif here.hour not in self.hour.values:
                wanted = at + _HOUR - _MINUTE * here.minute
            elif here.minute not in self.minute.values:
                wanted = at + _MINUTE
            else:
                return float(at)
            at = _no_further_than_a_change(at, wanted, zone)
        return None


def parse_every(text: str) -> Every:
    """Return the schedule of `15m`. Raises `ScheduleError`."""
    match = _EVERY.fullmatch(text)
    seconds = int(match[1]) * UNIT_SECONDS[match[2]] if match else 0
    if not 0 < seconds <= EVERY_MAX_SECONDS:
        raise ScheduleError(f"@every wants a whole number and s, m, h or d, at least 1s and at most 366d, such as 15m, not {_quoted(text)}")
    return Every(seconds)


def parse_cron(text: str) -> Cron:
    """Return the schedule of `0 8 * * *`. Raises `ScheduleError`."""
    fields = text.split() if len(text) <= EXPRESSION_MAX_CHARS else []
    if len(fields) != len(_FIELDS):
        raise ScheduleError(
            f"@cron wants five fields, minute, hour, day, month and weekday, such as 0 8 * * *, not {_quoted(text)}",
        )
    cron = Cron(*(_field(name, field) for name, field in zip(_FIELDS, fields, strict=True)))
    # Such as the 31st of February. With a weekday either is enough, so there is always one.
    if cron.weekday.begins_with_star and not any(
        day <= _DAYS_IN_MONTH[month - 1] for month in cron.month.values for day in cron.day.values
    ):
        raise ScheduleError(f"@cron {_quoted(text)} names a day that never comes")
    return cron


def times_passed(times: Times, first: float, now: float, zone: Zone = None) -> int:
    """Return how many due times lie from `first`, which is one, until `now`; COUNTED_MAX for more."""
    if isinstance(times, Every):
        return min(1 + int((now - first) // times.seconds), COUNTED_MAX)
    count, at = 0, first
    while at <= now and count < COUNTED_MAX:
        count += 1
        following = times.after(at, zone)
        if following is None:
            break
        at = following
    return count


def _quoted(text: str) -> str:
    return f'"{printable(text, _QUOTED_MAX_CHARS)}"' if text else "nothing"


_FIELDS: Final[dict[str, tuple[int, int, tuple[str, ...]]]] = {
    "minute": (0, 59, ()),
    "hour": (0, 23, ()),
    "day": (1, 31, ()),
    "month": (1, 12, _MONTHS),
    "weekday": (0, 7, _WEEKDAYS),
}
"""Field → its first and last number, and the names that stand for them; both 0 and 7 are Sunday."""


def _field(name: str, text: str) -> _Field:
    values = frozenset(value for part in text.split(",") for value in _values(name, part))
    if name == "weekday":
        values = frozenset(value % 7 for value in values)
    return _Field(values, text.startswith("*"))


def _values(name: str, part: str) -> range:
    first, last, _ = _FIELDS[name]
    bounds, slash, step_text = part.partition("/")
    step = int(step_text) if re.fullmatch("[0-9]{1,2}", step_text) else 0
    if slash and not step:
        raise ScheduleError(f"@cron: the {name} has {_quoted(part)}; a step is a whole number from 1 on, such as */5")
    if bounds != "*":
        begin, dash, end = bounds.partition("-")
        first = _number(name, begin, part)
        last = _number(name, end, part) if dash else last if slash else first
    if first > last:
        raise ScheduleError(f"@cron: the {name} has {_quoted(part)}, which ends before it begins")
    return range(first, last + 1, step or 1)


def _number(name: str, text: str, part: str) -> int:
    first, last, names = _FIELDS[name]
    if text.lower() in names:
        return names.index(text.lower()) + first
    number = int(text) if re.fullmatch("[0-9]{1,2}", text) else -1
    if not first <= number <= last:
        raise ScheduleError(f"@cron: the {name} has {_quoted(part)}; allowed is {first} to {last}, * and lists, ranges and steps of these")
    return number


def _local(instant: float, zone: Zone) -> dates.datetime:
    """Return what a clock on the wall shows."""
    return dates.datetime.fromtimestamp(instant, zone)


def _instant(wall: dates.datetime, zone: Zone) -> float:
    """Return when clocks show `wall`: the first time where they do so twice, and the moment of the change where they never do."""
    at = wall.replace(tzinfo=zone).timestamp()
    if _shows(at, zone) == wall:
        return at
    # The wall time is skipped by a change: `fold` gives an instant on either side of it, and between them the change is searched for.
    before, after = int(wall.replace(tzinfo=zone, fold=1).timestamp()), int(at)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(middle, zone) == _offset(before, zone) else (before, middle)
    return float(after)


def _shows(instant: float, zone: Zone) -> dates.datetime:
    return _local(instant, zone).replace(tzinfo=None, fold=0)


def _offset(instant: float, zone: Zone) -> dates.timedelta | None:
    return _local(instant, zone).astimezone().utcoffset() if zone is None else _local(instant, zone).utcoffset()


def _no_further_than_a_change(at: int, wanted: int, zone: Zone) -> int:
    """Return `wanted`, or the next minute where clocks change before: what is wanted may come earlier then, or twice."""
    if wanted <= at + _MINUTE:
        return at + _MINUTE
    return wanted if _offset(at, zone) == _offset(wanted, zone) else at + _MINUTE
