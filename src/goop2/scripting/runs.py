"""The runs of a peer: one record a run, in a ring of the last ones, and in the history, which survives restarts.

`Runs.add` is on the path of every invocation, ten thousand a second: a record is a msgspec struct (made five times faster than a frozen
dataclass), and what nobody reads is not made. It must not know how a run came about.
"""

from __future__ import annotations

import itertools
import logging
import sys
from collections import deque
from collections.abc import Callable, Iterator

import structlog

from goop2.scripting.limits import LOG_LINES_MAX, LOG_MAX_BYTES, RUNS_MAX, RUNS_MAX_BYTES
from goop2.scripting.subscribers import Subscribers
from goop2.storage.run_history import RunHistory
from goop2.storage.run_record import OK, Level, Run

_RUN_BYTES = 500
"""A run without message, host calls and log, strings of its own included, measured and rounded up."""
_CALL_BYTES = 150
"""One host call of a run, without its detail."""
_LINE_BYTES = 70
"""One log line beyond its text: a pair and its place in the log."""

_STRUCTLOG_LEVELS: dict[str, int] = {"info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


class RunLog:
    """The log lines of one run while it runs: bounded, and the cut is marked."""

    def __init__(self) -> None:
        self._lines: list[tuple[Level, str]] = []
        self._room = LOG_MAX_BYTES
        self.truncated = False

    @property
    def lines(self) -> tuple[tuple[Level, str], ...]:
        """Return the kept log lines, in order."""
        return tuple(self._lines)

    def append(self, level: Level, text: str) -> None:
        """Add a line; the one that does not fit is cut, and nothing is added after it."""
        if self.truncated or len(self._lines) == LOG_LINES_MAX:
            self.truncated = True
            return
        encoded = text.encode(errors="replace")
        self.truncated = len(encoded) > self._room
        if self.truncated:
            encoded = encoded[: self._room]
            text = encoded.decode(errors="ignore")
        self._room -= len(encoded)
        self._lines.append((level, text))


class Runs:
    """The last runs, bounded by number and by bytes; the oldest go first."""

    def __init__(self, kept: int = RUNS_MAX, max_bytes: int = RUNS_MAX_BYTES, history: RunHistory | None = None) -> None:
        """`history`: where runs go that are to be found later; without it only the last ones are kept."""
        self.history = history
        self._kept = kept
        self._max_bytes = max_bytes
        self._ring: deque[Run] = deque()
        self._sizes: deque[int] = deque()
        self._bytes = 0
        self.new_id = itertools.count(1).__next__ if history is None else history.new_id
        """The id of the next run."""
        self._subscribers: Subscribers[Run] = Subscribers()
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.scripting").bind()
        """Bound here: finding the settings at every call would cost more than all the rest of `add`."""
        self._logs_all = self._log.is_enabled_for(logging.DEBUG)

    def __len__(self) -> int:
        return len(self._ring)

    @property
    def keeps_arguments(self) -> bool:
        """Return whether arguments and answers are kept."""
        return self.history is None or self.history.keeps_arguments

    @property
    def kept_bytes(self) -> int:
        """Return about what the ring holds in memory, in bytes."""
        return self._bytes

    def add(self, run: Run) -> None:
        """Record a run that ended, log it, and notify subscribers."""
        self._store(run, _size(run))
        if self.history is not None:
            self.history.add(run)
        if run.log:
            self._log_lines(run)
        if run.status != OK:
            self._log_failure(run)
        elif self._logs_all:
            self._log.debug("run", kind=run.kind, script=run.script, caller=run.caller, milliseconds=round(run.milliseconds, 3))
        if self._subscribers:
            self._subscribers.notify(run)

    def refuse(self, run: Run) -> None:
        """Record a call that was turned away before it ran, which is not among the last runs, and notify subscribers."""
        if self.history is not None:
            self.history.add(run)
        if self._subscribers:
            self._subscribers.notify(run)

    def recent(
        self, n: int, script: str | None = None, status: str | None = None, caller: str | None = None, kind: str | None = None
    ) -> list[Run]:
        """Return the last `n` runs, newest first, of this script, status, caller and kind; None means any."""
        wanted = {"script": script, "status": status, "caller": caller, "kind": kind}
        asked = {name: value for name, value in wanted.items() if value is not None}
        return list(itertools.islice(self._matching(asked), max(n, 0)))

    def subscribe(self, callback: Callable[[Run], None]) -> Callable[[], None]:
        """Call `callback` with every run that ends; return the function that unsubscribes."""
        return self._subscribers.add(callback)

    def _matching(self, asked: dict[str, str]) -> Iterator[Run]:
        for run in reversed(self._ring):
            if all(getattr(run, name) == value for name, value in asked.items()):
                yield run

    def _store(self, run: Run, size: int) -> None:
        """Put a run into the ring; the newest stays, however large."""
        ring = self._ring
        ring.append(run)
        self._sizes.append(size)
        self._bytes += size
        while len(ring) > self._kept or (self._bytes > self._max_bytes and len(ring) > 1):
            ring.popleft()
            self._bytes -= self._sizes.popleft()

    def _log_lines(self, run: Run) -> None:
        for level, text in run.log:
            self._log.log(_STRUCTLOG_LEVELS[level], "script log", kind=run.kind, script=run.script, caller=run.caller, text=text)
        if run.truncated:
            self._log.warning("script log cut", kind=run.kind, script=run.script, caller=run.caller, kept_lines=len(run.log))

    def _log_failure(self, run: Run) -> None:
        self._log.warning(
            "run failed", kind=run.kind, script=run.script, caller=run.caller, status=run.status, message=run.message, line=run.line
        )


def _size(run: Run) -> int:
    """Return about what `run` holds, in bytes."""
    size = _RUN_BYTES + len(run.message) + len(run.argument) + len(run.answer) + len(run.traceback)
    if run.calls:
        size += sum(_CALL_BYTES + sys.getsizeof(call.operation) + sys.getsizeof(call.detail) for call in run.calls)
    if run.log:
        size += sum(_LINE_BYTES + sys.getsizeof(text) for _, text in run.log)
    return size
