"""Print a run on a terminal: one line, and below it its log lines and where it failed.

    23:14:05  score-quiz  visitor-3fa…c1d2e3  script_error  line 17: attempt to index a nil value  12 ms  run 1002

Names, labels and messages are strangers' text. It must not know files or peers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from goop2.cli import output
from goop2.scripting.run_texts import error_shown, script_shown, times_shown
from goop2.storage.run_record import OK, Run

LINES_PER_SECOND: Final = 20
"""Lines a running peer prints in a second; a terminal is slow, and scripts are not."""
_LABEL_CHARS: Final = 24
_CALLER_CHARS: Final = 128
_ID_WHOLE_CHARS: Final = 20
_ID_END_CHARS: Final = 6
_MILLISECONDS: Final = 1000.0


class RunLines:
    """Prints the runs of a running peer as they end: each failure, or every run when `verbose`."""

    def __init__(self, say: Callable[[str], None], *, verbose: bool, clock: Callable[[], float] = time.monotonic) -> None:
        """`say`: prints a line. `clock`: gives seconds and never goes back."""
        self._say = say
        self._verbose = verbose
        self._clock = clock
        self._second = 0.0
        self._said = 0
        self._passed_over = 0

    def show(self, run: Run) -> None:
        """Print a run that has just ended, if it is one to print and not too many were printed in this second."""
        if not (self._verbose or run.is_failure):
            return
        now = self._clock()
        if now - self._second >= 1.0:
            if self._passed_over:
                what = "runs" if self._verbose else "failures"
                self._say(f'{self._passed_over} more {what} are not shown here; "goop2 logs" lists them')
            self._second, self._said, self._passed_over = now, 0, 0
        if self._said >= LINES_PER_SECOND:
            self._passed_over += 1
            return
        self._said += 1
        self._say(line_of(run))


def line_of(run: Run, *, dated: bool = False) -> str:
    """Return a run as one line; `dated`: with its day."""
    started = time.localtime(run.started)
    parts = (
        time.strftime("%Y-%m-%d %H:%M:%S" if dated else "%H:%M:%S", started),
        script_shown(run.kind, run.script),
        caller_shown(run),
        run.status,
        error_shown(run.script, run.line, run.message) if run.status != OK else "",
        milliseconds(run.milliseconds) if not run.refused else "",
        times_shown(run.count) if run.count > 1 else "",
        f"run {run.id}",
    )
    return "  ".join(part for part in parts if part)


def details_of(run: Run) -> Iterator[str]:
    """Yield the lines below the line of a run: where it failed, and its log lines."""
    for frame in run.traceback.splitlines():
        yield f"    at {output.one_line(frame)}"
    for level, text in run.log:
        for number, line in enumerate(text.splitlines() or [""]):
            yield f"    {f'{level}: ' if not number else '  '}{output.one_line(line)}"
    if run.truncated:
        yield "    … the script logged more than is kept"


def caller_shown(run: Run) -> str:
    """Return who called. Only the owner is shown as `owner`, whatever label a caller has."""
    if run.caller_kind == "owner":
        return "owner"
    label = output.one_line(run.caller_label, _LABEL_CHARS)
    short = _short(output.one_line(run.caller, _CALLER_CHARS))
    if not short:
        return "several callers" if run.count > 1 else ""
    return f"{label} ({short})" if label and run.caller_label != run.caller else short


def milliseconds(count: float) -> str:
    """Return a duration in milliseconds as text."""
    if count >= _MILLISECONDS:
        return f"{count / _MILLISECONDS:.1f} s"
    return f"{count:.0f} ms" if count >= 10 else f"{count:.1f} ms"


def _short(text: str) -> str:
    """Return a long id by its first and last characters, which are enough to recognise it."""
    return text if len(text) <= _ID_WHOLE_CHARS else f"{text[: 2 * _ID_END_CHARS]}…{text[-_ID_END_CHARS:]}"
