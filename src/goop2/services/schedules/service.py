"""When each schedule runs: the clock, what is due, what was missed, and who waits.

    plan ──► due ──► wait for one of AT_ONCE places ──► run as the owner ──► plan again

A schedule has one run at a time: what comes due meanwhile is left out. What came due while the peer was off, or the machine slept, is made
up by one run. It must not know how a script runs, nor a transport.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog

from goop2.sandbox.messages import SCHEDULE
from goop2.scripting.catalog import Catalog, CatalogChange, Script
from goop2.scripting.engine import Engine
from goop2.scripting.invocation import Caller
from goop2.scripting.printable import printable
from goop2.scripting.schedule_times import Cron, Every, Zone, times_passed
from goop2.services.schedules.limits import (
    AT_ONCE,
    CLOCK_BACK_SECONDS,
    KEPT_MAX,
    LATE_SECONDS,
    LOOK_SECONDS,
    MESSAGE_MAX_CHARS,
    SAVE_SECONDS,
)
from goop2.services.schedules.state_file import LastRun, ScheduleState, StateFile
from goop2.services.watchers import watching
from goop2.storage.run_record import Run

NOT_RUN: Final = "not_run"
"""Status of a run that did not begin."""
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.schedules")


class NoSuchScheduleError(Exception):
    """No data function of that name has a schedule."""

    code = "not_found"


class ScheduleBusyError(Exception):
    """The schedule is running already."""

    code = "unavailable"


class ScheduleShown(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as its owner sees it."""

    name: str
    path: str
    description: str
    schedule: str
    next: float | None
    """Seconds since 1970; None when it is paused, or never comes."""
    paused: bool
    running: bool
    last: LastRun | None


class Scripts(Protocol):
    """What the scheduler asks of the engine."""

    @property
    def enabled(self) -> bool:
        """Return whether scripts run at all."""

    async def scheduled(self, owner: Caller, script: Script, event: bytes, recorded: Callable[[Run], None]) -> None:
        """Call the `run` of a data function."""


@dataclass(frozen=True, slots=True)
class _Due:
    """A run that is to begin: `due` in seconds since 1970, and how many earlier ones were missed."""

    name: str
    due: float
    missed: int
    by: str = "schedule"


class Scheduler:
    """The schedules of one peer: those its scripts declare, when each is due, and what came of the last run."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        scripts: Engine | Scripts,
        owner: Callable[[], Caller],
        file: StateFile,
        clock: Callable[[], float] = time.time,
        zone: Zone = None,
    ) -> None:
        """`zone`: the time zone of cron expressions; None for that of this process."""
        self._catalog = catalog
        self._scripts = scripts
        self._owner = owner
        self._file = file
        self._clock = clock
        self._zone = zone
        self._states = file.read()
        self._running: dict[str, asyncio.Task[Run | None]] = {}
        self._waiting: deque[_Due] = deque()
        self._changed = asyncio.Event()
        self._unsaved = False
        self._saved = -SAVE_SECONDS
        """When the file was written last, by `time.monotonic()`."""
        self._known: dict[str, Script] | None = None
        """The scripts that have a schedule; None when one has changed."""
        catalog.subscribe(self._forget)

    # ── what the owner asks ─────────────────────────────────────────────────────────────────

    def listing(self) -> list[ScheduleShown]:
        """Return every schedule, by name."""
        now = self._clock()
        return [self._shown(script, self._plan(script, now)) for script in self._scheduled().values()]

    async def run_now(self, name: str) -> Run | None:
        """Run a schedule now, paused or not; return its run, None when it did not begin.

        Raises `NoSuchScheduleError`, and `ScheduleBusyError` when it is running.
        """
        script = self._script(name)
        if name in self._running:
            raise ScheduleBusyError(f"{name} is running already; it has one run at a time")
        # This run stands for the one that waits: a schedule has one run at a time.
        self._waiting = deque(each for each in self._waiting if each.name != name)
        now = self._clock()
        self._plan(script, now)
        # Shielded: a page that is closed does not end the run it has begun.
        return await asyncio.shield(self._start(script, _Due(name, now, 0, "owner")))

    def pause(self, name: str) -> None:
        """Have a schedule not run by itself until `resume`. Raises `NoSuchScheduleError`."""
        self._plan(self._script(name), self._clock()).paused = True
        self._waiting = deque(each for each in self._waiting if each.name != name)
        self._note_change()

    def resume(self, name: str) -> None:
        """Have a paused schedule run again, from its next time on. Raises `NoSuchScheduleError`."""
        script = self._script(name)
        state = self._plan(script, self._clock())
        if state.paused:
            state.paused = False
            self._find_next(script, state, self._clock())
        self._note_change()

    # ── the clock ───────────────────────────────────────────────────────────────────────────

    async def watch(self, stop: asyncio.Event) -> None:
        """Run what is due until `stop` is set; what runs then is ended, and the state is saved."""
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                # Before looking, so that a change made while we look is not missed.
                self._changed.clear()
                wait = self.look()
                changed = asyncio.ensure_future(self._changed.wait())
                if self._unsaved and (rest := self._saved + SAVE_SECONDS - time.monotonic()) <= 0:
                    await self.save()
                elif self._unsaved:
                    wait = min(wait, rest)
                await asyncio.wait((stopping, changed), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
        finally:
            stopping.cancel()
            running = list(self._running.values())
            for each in running:
                each.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await self.save()

    def look(self) -> float:
        """Begin what is due; return after how many seconds to look again."""
        now = self._clock()
        # Times go by meanwhile and count as missed once scripts may run again.
        if not self._scripts.enabled:
            return LOOK_SECONDS
        queued = {each.name for each in self._waiting}
        soonest = now + LOOK_SECONDS
        for script in self._scheduled().values():
            state = self._plan(script, now)
            if state.paused or state.next is None or script.name in self._running or script.name in queued:
                continue
            if state.next <= now:
                self._waiting.append(self._due(script, state, now))
            else:
                soonest = min(soonest, state.next)
        self._start_waiting()
        return max(soonest - now, 0.0)

    async def save(self) -> None:
        """Write what has changed into the file."""
        if not self._unsaved:
            return
        self._unsaved, self._saved = False, time.monotonic()
        # A script that is away for a while, as when its file is being replaced, stays paused; only where there are too many the oldest go.
        gone = [name for name in self._states if name not in self._scheduled()]
        for name in gone[: max(0, len(self._states) - KEPT_MAX)]:
            del self._states[name]
        # A copy: the loop goes on changing the states while the thread writes.
        states = {name: msgspec.structs.replace(state) for name, state in self._states.items()}
        await asyncio.to_thread(self._file.write, states)

    # ── one schedule ────────────────────────────────────────────────────────────────────────

    def _forget(self, _change: CatalogChange) -> None:
        self._known = None
        self._changed.set()

    def _scheduled(self) -> dict[str, Script]:
        if self._known is None:
            self._known = {script.name: script for script in self._catalog.listeners(SCHEDULE)}
        return self._known

    def _script(self, name: str) -> Script:
        known = self._scheduled()
        if name not in known:
            names = ", ".join(known) or "none"
            raise NoSuchScheduleError(f"there is no schedule {printable(name, 64)!r}; there are: {printable(names, 200)}")
        return known[name]

    def _plan(self, script: Script, now: float) -> ScheduleState:
        """Return the state of a schedule, with its next time found where it is new, was changed, or the clock went back."""
        schedule = script.annotations.schedule
        assert schedule is not None
        state = self._states.get(script.name)
        if state is None or state.schedule != schedule.text:
            kept = (state.paused, state.last) if state else (False, None)
            state = self._states[script.name] = ScheduleState(schedule.text, paused=kept[0], last=kept[1])
            self._find_next(script, state, now)
        elif isinstance(schedule.times, Every):
            # A next time further away than the interval: the clock of the machine was put back.
            if state.next is None or state.next - now > schedule.times.seconds:
                self._find_next(script, state, now)
        elif state.planned > now + CLOCK_BACK_SECONDS:
            self._find_next(script, state, now)
        return state

    def _find_next(self, script: Script, state: ScheduleState, now: float) -> None:
        """Find the first time after `now`; intervals keep their pace."""
        times = _times(script)
        following = times.after(now, self._zone)
        if isinstance(times, Every) and state.next is not None and now - state.next >= 0:
            following = state.next + (1 + (now - state.next) // times.seconds) * times.seconds
        state.next, state.planned = following, now
        self._unsaved = True

    def _due(self, script: Script, state: ScheduleState, now: float) -> _Due:
        assert state.next is not None
        missed = 0
        if now - state.next > LATE_SECONDS:
            missed = times_passed(_times(script), state.next, now, self._zone)
            _log.warning("schedule missed", script=script.name, due=state.next, times=missed)
        return _Due(script.name, state.next, missed)

    def _start_waiting(self) -> None:
        while self._waiting and len(self._running) < AT_ONCE:
            due = self._waiting.popleft()
            script = self._scheduled().get(due.name)
            if script is not None and due.name not in self._running and not self._states[due.name].paused:
                self._start(script, due)

    def _start(self, script: Script, due: _Due) -> asyncio.Task[Run | None]:
        task = asyncio.create_task(self._run(script, due))
        self._running[script.name] = task
        task.add_done_callback(partial(self._ended, script, due))
        return task

    async def _run(self, script: Script, due: _Due) -> Run | None:
        runs: list[Run] = []
        event = msgspec.json.encode({"due": int(due.due), "missed": due.missed, "by": due.by})
        begun = self._clock()
        await self._scripts.scheduled(self._owner(), script, event, runs.append)
        run = runs[0] if runs else None
        message = "" if run is None else printable(run.message, MESSAGE_MAX_CHARS)
        last = (NOT_RUN, 0.0, "", 0) if run is None else (str(run.status), run.milliseconds, message, run.id)
        self._states[script.name].last = LastRun(
            at=begun, status=last[0], milliseconds=last[1], message=last[2], run=last[3], missed=due.missed
        )
        return run

    def _ended(self, script: Script, due: _Due, task: asyncio.Task[Run | None]) -> None:
        del self._running[script.name]
        if task.cancelled():  # the peer stops: it is made up at the next start
            return
        if task.exception() is not None:
            _log.error("a schedule could not be run", script=script.name, exc_info=task.exception())
        state = self._states.get(script.name)
        if state is not None and due.by != "owner":
            self._find_next(script, state, self._clock())
        self._unsaved = True
        self._start_waiting()
        if not self._waiting:
            self._changed.set()

    def _note_change(self) -> None:
        self._unsaved = True
        self._changed.set()

    def _shown(self, script: Script, state: ScheduleState) -> ScheduleShown:
        return ScheduleShown(
            name=script.name,
            path=script.path,
            description=script.annotations.description,
            schedule=state.schedule,
            next=None if state.paused else state.next,
            paused=state.paused,
            running=script.name in self._running,
            last=state.last,
        )


def _times(script: Script) -> Every | Cron:
    assert script.annotations.schedule is not None
    return script.annotations.schedule.times


@contextlib.asynccontextmanager
async def open_schedules(
    catalog: Catalog, engine: Engine, owner: Callable[[], Caller], folder: Path, *, running: bool
) -> AsyncIterator[Scheduler]:
    """Give the schedules of the peer in `folder` until the block is left; `running`: they run by themselves meanwhile."""
    scheduler = Scheduler(catalog=catalog, scripts=engine, owner=owner, file=StateFile(folder))
    if not running:
        yield scheduler
        await scheduler.save()
        return
    async with watching(scheduler.watch):
        yield scheduler
