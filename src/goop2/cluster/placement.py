"""Which calls may run on another machine: those whose script works long enough, and touches no data.

A version is judged by its last runs. One that was seen to touch the database stays near: elsewhere each operation takes half a
millisecond. Correctness never depends on what is decided here.
"""

from __future__ import annotations

import statistics
from collections import OrderedDict, deque
from collections.abc import Set
from typing import Final, Literal

from goop2.cluster.limits import RUNS_LOOKED_AT, VERSIONS_JUDGED_MAX, WORK_LEAST_MS
from goop2.scripting.api import FUNCTIONS, PRIVATE, ExecutionSite
from goop2.scripting.api.declaration import operations
from goop2.scripting.invocation import Invocation
from goop2.scripting.job import Job
from goop2.storage.run_record import Run

Spill = Literal["off", "auto", "all"]

LOG: Final = "log"
"""The one operation of a worker that is no matter of the database."""

DATA_OPERATIONS: Final[Set[str]] = frozenset(
    function.name for function in operations((*FUNCTIONS, *PRIVATE)) if function.place is ExecutionSite.WORKER and function.name != LOG
)
"""Operations that need the database, which stays with the owner."""


class Placement:
    """What is known of script versions."""

    def __init__(self, spill: Spill) -> None:
        self.spill = spill
        self._work: OrderedDict[bytes, deque[float]] = OrderedDict()
        """Version → milliseconds of its last runs; the version run last stands last."""
        self._near: OrderedDict[bytes, None] = OrderedDict()
        """Versions that were seen to touch data."""

    def learn(self, run: Run) -> None:
        """Take note of how long a run worked and whether it touched data; a refused run says neither."""
        if not run.version or run.refused:
            return
        work = self._work.get(run.version)
        if work is None:
            work = self._work[run.version] = deque(maxlen=RUNS_LOOKED_AT)
            if len(self._work) > VERSIONS_JUDGED_MAX:
                self._work.popitem(last=False)
        else:
            self._work.move_to_end(run.version)
        work.append(run.milliseconds - run.waited_milliseconds)
        if run.calls and any(call.operation in DATA_OPERATIONS for call in run.calls):
            self.touches_data(run.version)

    def touches_data(self, version: bytes) -> None:
        """Keep a version near from now on."""
        self._near[version] = None
        self._near.move_to_end(version)
        if len(self._near) > VERSIONS_JUDGED_MAX:
            self._near.popitem(last=False)

    def may_leave(self, job: Job) -> bool:
        """Return whether a job may run on another machine."""
        work = job.work
        if not isinstance(work, Invocation) or work.script.builtin or self.spill == "off":
            return False
        if self.spill == "all":
            return True
        seen = self._work.get(work.script.version)
        return seen is not None and work.script.version not in self._near and statistics.median(seen) >= WORK_LEAST_MS
