"""Decide which runs are stored one by one, and which are summed up: a busy script, or a flood of refused calls, must not fill the history.

Failures never come here. It is on the path of every run, so a run that is only counted costs two comparisons. It must not know disk or
event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from goop2.storage.run_limits import ONE_BY_ONE_PER_SECOND, REFUSED_KEYS_MAX, REFUSED_ONE_BY_ONE
from goop2.storage.run_record import Run

MINUTE_SECONDS: Final = 60
CLOCK_BACK_SECONDS: Final = 60
"""No run takes longer, so one that began so long before another began after the clock was set back."""
OTHERS: Final = ""
"""Stands for the script in the summary of refused calls that have no summary of their own."""


class _Second(msgspec.Struct):
    """The successes of one script in one second, and what of them is only counted."""

    second: int
    kept: int = 0
    counted: int = 0
    slowest: Run | None = None


class _Minute(msgspec.Struct):
    """The refused calls of one script for one reason in one minute."""

    minute: int
    kept: int = 0
    counted: int = 0
    summary_id: int = 0
    last: Run | None = None
    changed: bool = False


class RunSampling:
    """Decides about each run; `summaries` returns summaries of those that were not stored themselves."""

    def __init__(self, new_id: Callable[[], int]) -> None:
        """`new_id`: the id of a summary that has none of a run."""
        self._new_id = new_id
        self._seconds: dict[tuple[str, str], _Second] = {}
        self._minutes: dict[tuple[str, str, str], _Minute] = {}

    def keeps(self, run: Run) -> bool:
        """Return whether this success is stored itself; otherwise it is counted."""
        key = run.kind, run.script
        second = int(run.started)
        found = self._seconds.get(key)
        if found is None:
            found = self._seconds[key] = _Second(second)
        elif second > found.second or second < found.second - CLOCK_BACK_SECONDS:  # a long run may have begun before a short one
            found.second, found.kept = second, 0
        if found.kept < ONE_BY_ONE_PER_SECOND:
            found.kept += 1
            return True
        self._count(found, run)
        return False

    def count(self, run: Run) -> None:
        """Count a success that cannot be stored, because the disk is behind."""
        key = run.kind, run.script
        found = self._seconds.get(key)
        if found is None:
            found = self._seconds[key] = _Second(int(run.started))
        self._count(found, run)

    def keeps_refused(self, run: Run) -> bool:
        """Return whether this refused call is stored itself; otherwise it is counted."""
        key = run.kind, run.script, run.status
        minute = int(run.started) // MINUTE_SECONDS
        found = self._minutes.get(key)
        # Strangers make up names of scripts; beyond so many all further ones share one summary.
        if found is None and len(self._minutes) >= REFUSED_KEYS_MAX:
            key = "", OTHERS, run.status
            found = self._minutes.get(key)
        if found is None:
            # None of those that share a summary is kept itself: what a stranger makes up would fill the history one by one.
            found = self._minutes[key] = _Minute(minute, REFUSED_ONE_BY_ONE if key[1] == OTHERS else 0)
        elif found.minute != minute:
            found.minute, found.kept, found.counted, found.summary_id = minute, REFUSED_ONE_BY_ONE if key[1] == OTHERS else 0, 0, 0
        if found.kept < REFUSED_ONE_BY_ONE:
            found.kept += 1
            return True
        found.counted += 1
        found.last = run
        found.changed = True
        return False

    def summaries(self, now: float) -> Iterator[Run]:
        """Yield a run for each summary that is new or has changed: successes as new ones, refused calls under the id of before."""
        for key, second in list(self._seconds.items()):
            if second.counted and second.slowest is not None:
                yield msgspec.structs.replace(second.slowest, count=second.counted)
                second.counted, second.slowest = 0, None
            elif second.second < int(now) - 1:
                del self._seconds[key]
        for refused, minute in list(self._minutes.items()):
            if minute.changed and minute.last is not None:
                minute.changed = False
                minute.summary_id = minute.summary_id or self._new_id()
                yield _summary(refused[:2], minute, minute.last)
            elif minute.minute < int(now) // MINUTE_SECONDS:
                del self._minutes[refused]

    @staticmethod
    def _count(found: _Second, run: Run) -> None:
        found.counted += 1
        slowest = found.slowest
        if slowest is None or run.milliseconds > slowest.milliseconds:
            found.slowest = run


def _summary(key: tuple[str, str], minute: _Minute, last: Run) -> Run:
    """Return the run that stands for the refused calls of a minute: many callers, so it names none."""
    kind, script = key
    return msgspec.structs.replace(
        last,
        id=minute.summary_id,
        kind=kind or last.kind,
        script=script,
        caller="",
        caller_kind="",
        caller_label="",
        argument=b"",
        argument_bytes=0,
        started=float(minute.minute * MINUTE_SECONDS),
        count=minute.counted,
    )
