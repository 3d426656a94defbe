"""One worker process from the peer's side: a socket that speaks sandbox/messages.py, and a pidfd to end it with.

It knows what is running on the worker and hands every event to the pool; it decides nothing. What arrives was sent by a process that ran a
stranger's code: anything but a known message in its place ends the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import resource
import signal
import time
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Protocol, cast

from goop2.sandbox.framing import WorkerProtocolError, frame, from_worker
from goop2.sandbox.messages import Compile, Compiled, DataAnswer, DataCall, Done, HostCall, HostCallAnswer, Invoke, Lend, Log, Ready, Return
from goop2.scripting.idle_check import Sample, fault_of, sample_of
from goop2.scripting.limits import CPU_LEAST_SECONDS, CPU_SPARE_SECONDS, LOWERED_AFTER_CPU_SECONDS, LOWERED_NICENESS

_PROCESS_CPU_CLOCK = 2
"""CPUCLOCK_SCHED of a whole process, in the kernel's numbering of clocks."""

VERSIONS_REMEMBERED = 128
"""Scripts we believe the worker still holds compiled; it asks again when it does not."""


class Side(Enum):
    """Whose calls a worker serves: one that a stranger may have taken over never sees a call of the owner's."""

    OWNER = auto()
    STRANGERS = auto()


class WorkerEvents(Protocol):
    """The events a worker reports to its pool. Raising `WorkerProtocolError` ends the worker."""

    def worker_ready(self, worker: WorkerProcess) -> None:
        """Take a worker that has confined itself: now it can be given work."""

    def worker_done(self, worker: WorkerProcess, message: Done | Compiled) -> None:
        """Take the outcome of the worker's job; the worker is free again."""

    def worker_log(self, worker: WorkerProcess, message: Log) -> None:
        """Handle a log line of the worker's script."""

    def worker_call(self, worker: WorkerProcess, message: HostCall) -> None:
        """Start what the worker's script asks of the peer; the script waits."""

    def worker_data(self, worker: WorkerProcess, message: DataAnswer) -> None:
        """Hand on what a lent worker answered."""

    def worker_broke_protocol(self, worker: WorkerProcess, reason: str) -> None:
        """Take note that it sent what no message is, or one out of place; it is being ended, `worker_lost` follows."""

    def worker_lost(self, worker: WorkerProcess) -> None:
        """Take note that its process is gone, by whatever cause."""


class WorkerProcess(asyncio.Protocol):
    """A worker process as the peer sees it, from fork to end."""

    def __init__(self, events: WorkerEvents, pid: int, pidfd: int) -> None:
        self.pid = pid
        self.ready = False
        self.side: Side | None = None
        """Whose calls it serves, fixed by the first."""
        self.calls = 0
        """Invocations it was given."""
        self.outdated = False
        """Made with settings that are not in force any more: it ends after its call."""
        self.born = time.monotonic()
        self.sample: Sample | None = None
        """What it had used when it was last seen idle, after the same number of calls."""
        self.layers: dict[str, str] = {}
        self.gaps: dict[str, str] = {}
        self._events = events
        self._pidfd = pidfd
        self._cpu_lasts_until = 0.0
        self._niceness: int | None = None
        """What it had before it was lowered; None when it is not."""
        self._watched: tuple[int, float] | None = None
        """Which of its calls is watched, and what it had computed when that began."""
        self._reader = from_worker()
        self._transport: asyncio.Transport | None = None
        self._versions: set[bytes] = set()
        self._handlers: dict[type, Callable[..., None]] = {Ready: self._take_ready}
        """Message → what takes it now; nothing else has its place."""

    def knows(self, version: bytes) -> bool:
        """Return whether this script version was sent before; from now on it counts as sent."""
        if version in self._versions:
            return True
        # Cleared whole: the worker forgets by itself, and a source sent once too often costs little.
        if len(self._versions) >= VERSIONS_REMEMBERED:
            self._versions.clear()
        self._versions.add(version)
        return False

    def forget(self, version: bytes) -> None:
        """Remember that the worker does not hold this version after all."""
        self._versions.discard(version)

    def allow_cpu(self, until: float) -> None:
        """Let the process compute until `until` (`time.monotonic()`); the kernel ends it when it computes for much longer.

        A second line behind the deadline and behind the check of idle workers, where the system has prlimit(2). A process of one
        thread uses no more processor time than passes, so the kernel is asked once in CPU_SPARE_SECONDS, not at each call.
        """
        if until + CPU_LEAST_SECONDS <= self._cpu_lasts_until or self._pidfd < 0:
            return
        try:
            used = self._cpu_seconds()
            now = time.monotonic()
            _, most = resource.prlimit(self.pid, resource.RLIMIT_CPU)
            wanted = math.ceil(used + until - now + CPU_SPARE_SECONDS)
            if most != resource.RLIM_INFINITY:
                wanted = min(wanted, most)
            signal.pidfd_send_signal(self._pidfd, 0)  # raises when it has ended: its pid may be another's by now
            resource.prlimit(self.pid, resource.RLIMIT_CPU, (wanted, most))
            self._cpu_lasts_until = now + wanted - used
        except (OSError, AttributeError):  # it has just ended, or this system has no such call: not asked again at each call
            self._cpu_lasts_until = until + CPU_SPARE_SECONDS

    def lower_if_computing(self) -> None:
        """Lower the priority once the call has used much processor time since this was first called during it. Idempotent."""
        if self._niceness is not None or self._pidfd < 0:
            return
        with contextlib.suppress(OSError):  # it has just ended, or this system forbids it
            used = self._cpu_seconds()
            # Each call is judged by what it used itself, not by what the worker used before it.
            if self._watched is None or self._watched[0] != self.calls:
                self._watched = self.calls, used
            if used - self._watched[1] < LOWERED_AFTER_CPU_SECONDS:
                return
            signal.pidfd_send_signal(self._pidfd, 0)  # raises when it has ended: its pid may be another's by now
            before = os.getpriority(os.PRIO_PROCESS, self.pid)
            os.setpriority(os.PRIO_PROCESS, self.pid, LOWERED_NICENESS)
            self._niceness = before

    def _cpu_seconds(self) -> float:
        """Return the processor time of the process, by clock_getcpuclockid(3) of the C library."""
        return time.clock_gettime(~self.pid << 3 | _PROCESS_CPU_CLOCK)

    def raise_again(self) -> bool:
        """Return whether it has its first priority again; most users may lower a process, and not raise it."""
        if self._niceness is None:
            return True
        try:
            os.setpriority(os.PRIO_PROCESS, self.pid, self._niceness)
        except OSError:
            return False
        self._niceness = None
        return True

    def idle_fault(self, own_max_bytes: int) -> str:
        """Return what an idle worker did since the last call that it should not; "" for nothing, or when it has ended."""
        now = sample_of(self.pid)
        if now is None:
            return ""
        before, self.sample = self.sample, now
        return fault_of(before, now, own_max_bytes)

    def send(self, message: Invoke | Compile | HostCallAnswer | Lend | DataCall | Return) -> None:
        """Send one message to the worker without waiting."""
        if self._transport is not None:
            self._transport.write(frame(message))

    def send_all(self, messages: Iterable[Compile]) -> None:
        """Send without waiting, in one piece."""
        if self._transport is not None:
            self._transport.write(b"".join(map(frame, messages)))

    def kill(self) -> None:
        """End the process now, whatever it does. Idempotent; `worker_lost` follows."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        if self._transport is not None:
            self._transport.abort()

    def end_for_breach(self, breach: WorkerProtocolError) -> None:
        """End the process for what it sent, and report that."""
        self._events.worker_broke_protocol(self, str(breach))
        self.kill()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport of the worker's socket (asyncio.Protocol)."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        """Handle the messages in what the worker sent (asyncio.Protocol)."""
        try:
            for message in self._reader.feed(data):
                handler = self._handlers.get(type(message))
                if handler is None:
                    raise WorkerProtocolError("ready twice" if self.ready else "not ready yet")
                handler(self, message)
        except WorkerProtocolError as error:
            self.end_for_breach(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Report that the worker's socket has closed (asyncio.Protocol)."""
        del exc
        self._transport = None
        self.kill()  # a socket can be closed by a process that goes on
        os.close(self._pidfd)
        self._pidfd = -1
        self._events.worker_lost(self)

    def _take_ready(self, _: WorkerProcess, message: Ready) -> None:
        self.ready = True
        self.layers = dict(message.layers)
        self.gaps = dict(message.gaps)
        events = self._events
        # Looked up by type: a chain of isinstance would cost a message more than its decoding.
        self._handlers = {
            Done: events.worker_done,
            Compiled: events.worker_done,
            Log: events.worker_log,
            HostCall: events.worker_call,
            DataAnswer: events.worker_data,
        }
        events.worker_ready(self)
