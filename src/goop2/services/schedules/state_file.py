"""data/schedules.json: when each schedule ran last and runs next, and which are paused. Over restarts; one file, written whole.

It must not know when a schedule is due.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import structlog

from goop2.folder.regular_files import FileRefusedError, read_regular
from goop2.folder.whole_file import replace_whole
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.services.schedules.limits import FILE_MAX_BYTES, KEPT_MAX

FILE: Final = "data/schedules.json"
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.schedules")


class LastRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a schedule ran the last time."""

    at: float
    """When it began, seconds since 1970."""
    status: str
    milliseconds: float
    message: str = ""
    run: int = 0
    """Its number in the history of runs; 0 for none."""
    missed: int = 0
    """Times before it at which it should have run and did not."""


class ScheduleState(msgspec.Struct, omit_defaults=True):
    """What is remembered of one schedule."""

    schedule: str
    """What its file said when `next` was found."""
    next: float | None = None
    """When it is due, seconds since 1970; None for never."""
    planned: float = 0.0
    """What the clock said when `next` was found."""
    paused: bool = False
    last: LastRun | None = None


class _Document(msgspec.Struct):
    schedules: dict[str, ScheduleState] = {}


class StateFile:
    """The file of the peer in `folder`. Its methods block."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.problem = ""
        """Why it cannot be read or written; "" when it can."""

    def read(self) -> dict[str, ScheduleState]:
        """Return script → state. A file that cannot be read counts as none, and is told."""
        try:
            return dict(
                list(decode(read_regular(self._path, self._path.parent.parent, FILE_MAX_BYTES), _Document).schedules.items())[:KEPT_MAX]
            )
        except FileNotFoundError:
            return {}
        except FileRefusedError as error:
            self._tell(f"{FILE} cannot be read ({error.strerror}): schedules begin anew")
        except InvalidJsonError as error:
            self._tell(f"{FILE} is damaged ({error}): schedules begin anew, and it is written again")
        return {}

    def write(self, states: dict[str, ScheduleState]) -> None:
        """Put these in its place. A disk that refuses is told, and nothing else happens."""
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            replace_whole(self._path, msgspec.json.format(msgspec.json.encode(_Document(states)), indent=2) + b"\n")
            self.problem = ""
        except OSError as error:
            self._tell(f"{FILE} cannot be written ({error.strerror or error}): after a restart, schedules may run again or late")

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            _log.warning("schedules file", warning=problem)
        self.problem = problem
