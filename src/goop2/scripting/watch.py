"""Notice that something changed in some folders, and lose no change.

One round: watchers are set up, *then* the caller looks at everything, then we wait for the first change, take the watchers down and begin
again. So every look is taken under standing watchers: it sees what changed before it, and what changes after it starts the next round. A
folder that is replaced, appears, or is reached another way gets its watcher in the next round.

On Linux the kernel's notifications come into the event loop (inotify.py), so that nothing wakes up without a change; elsewhere watchfiles
waits in a thread. What neither can report is polled: a pulse compares which folders exist (another disk was mounted), and now and then a
round ends without any change (the event queue overflowed; a network file system sends none), less often the longer a look takes. Both are
rare on a file system of this machine itself, of which the kernel reports everything. If watchers cannot be had at all, since the system's
number of them is limited, every pulse is a look.

It must not know what the folders hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import structlog

from goop2.config.ticks import seconds_to_tick
from goop2.folder import threads
from goop2.scripting import inotify
from goop2.scripting.limits import (
    NOTIFIED_PULSE_SECONDS,
    NOTIFIED_RESCANS,
    RELOAD_DEBOUNCE_MS,
    RELOAD_PULSE_SECONDS,
    RELOAD_QUIET_MS,
    RESCAN_COST,
    RESCAN_SECONDS,
    SLOW_PULSE_SECONDS,
)

if TYPE_CHECKING:
    from watchfiles.main import FileChange

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.scripting")

_UNTOLD_NAME: Final = "Unable to decode path"
"""Of watchfiles 1.x (src/lib.rs): the change was seen, its name cannot be given to Python."""

T = TypeVar("T")
_Identities = dict[Path, tuple[int, int] | None]


async def watch_folders(
    places: Callable[[], Iterable[Path]],
    look: Callable[[], Awaitable[None]],
    stop: asyncio.Event,
    is_all: Callable[[], bool] = lambda: False,
) -> None:
    """Call `look` whenever something may have changed in `places()`, until `stop` is set.

    It is called once at the start too, and never twice at a time. Its errors end the watch. `is_all`: whether nothing but what is in
    `places()` could have given the last look another result; then looks without a change are seldom.
    """
    stopping = asyncio.create_task(stop.wait())
    warned = False
    try:
        while not stop.is_set():
            problem = await _round(places, look, stopping, is_all)
            if problem is not None:
                if not warned:
                    _log.warning("changes of files are polled", reason=str(problem), every_seconds=RELOAD_PULSE_SECONDS)
                await asyncio.wait({stopping}, timeout=RELOAD_PULSE_SECONDS)
            warned = problem is not None
    finally:
        stopping.cancel()


async def _round(
    places: Callable[[], Iterable[Path]], look: Callable[[], Awaitable[None]], stopping: asyncio.Task[bool], is_all: Callable[[], bool]
) -> Exception | None:
    """Run from setting up watchers to the first change; return the reason if they could not be had."""
    watched = await _unless_stopped(threads.WATCH.run(lambda: _set_up(places())), stopping)
    if watched is None:
        return None
    identities = watched.identities
    over = asyncio.Event()
    looked = asyncio.get_running_loop().create_future()
    change = asyncio.create_task(_first_change(watched, over, looked))
    pulse = (NOTIFIED_PULSE_SECONDS if watched.notified else SLOW_PULSE_SECONDS) if inotify.is_available() else RELOAD_PULSE_SECONDS
    try:
        await asyncio.sleep(0)  # `change` has now run as far as its first wait: the watchers stand
        begun = time.monotonic()
        await _unless_stopped(look(), stopping)
        seconds = time.monotonic() - begun
        # A folder may have been replaced while we looked: then the kernel watches one that is not there any more.
        alike = await _looked(places, stopping) == identities
        if not looked.done():
            looked.set_result(max(RESCAN_SECONDS * (NOTIFIED_RESCANS if watched.notified and is_all() else 1), seconds * RESCAN_COST))
        while alike and not (stopping.done() or change.done()):
            await asyncio.wait({stopping, change}, timeout=seconds_to_tick(pulse), return_when=asyncio.FIRST_COMPLETED)
            alike = stopping.done() or change.done() or await _looked(places, stopping) == identities
    finally:
        over.set()
        looked.cancel()
        problem = await change
    return problem


class _Watched(NamedTuple):
    """The folders that one round watches, and their identities."""

    identities: _Identities
    notifications: inotify.Notifications | None = None
    problem: Exception | None = None
    notified: bool = False
    """Whether the kernel tells of every change in them."""


def _set_up(places: Iterable[Path]) -> _Watched:
    """Look which folders are there and have the kernel watch them; in a thread, since a disk may hang."""
    folders = list(places)
    try:
        notifications = inotify.Notifications(folders) if inotify.is_available() else None  # before the look: nothing is missed
    except OSError as error:
        return _Watched(_identities(folders), problem=error)
    return _Watched(_identities(folders), notifications, notified=notifications is not None and inotify.reports_all_changes(folders))


async def _first_change(watched: _Watched, over: asyncio.Event, looked: asyncio.Future[float]) -> Exception | None:
    """Wait for the first change, for a while without one, or until `over` is set; return what went wrong, None if nothing did.

    `looked` is how long the while is, known after a look: so long that looks without a change cost next to nothing.
    """
    try:
        there = [path for path, identity in watched.identities.items() if identity]
        if watched.problem is not None:
            return watched.problem
        if watched.notifications is not None:
            await _first_notification(watched.notifications, over, looked)
        elif there:
            async with contextlib.aclosing(_changes(there, over)) as changes:
                await anext(changes, None)
        else:
            await over.wait()
    except (OSError, RuntimeError, UnicodeError, ExceptionGroup) as error:
        cause = _cause(error)
        # A file whose name is not UTF-8 has changed: watchfiles cannot say which, and we do not ask.
        return None if _UNTOLD_NAME in str(cause) else cause
    return None


def _cause(error: Exception) -> Exception:
    """Return what went wrong: it comes in a group from the thread that waits."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return OSError("a folder's name is not UTF-8") if isinstance(error, UnicodeError) else error


async def _first_notification(notifications: inotify.Notifications, over: asyncio.Event, looked: asyncio.Future[float]) -> None:
    notifications.listen()
    ending = asyncio.create_task(over.wait())
    try:
        changed = asyncio.create_task(notifications.changed.wait())
        try:
            first: set[asyncio.Future[Any]] = {ending, changed, looked}
            await asyncio.wait(first, timeout=RESCAN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            # The look is over, so it is known what a look costs: wait so long that looks without a change cost next to nothing.
            if not (changed.done() or ending.done()):
                pause = looked.result() if looked.done() and not looked.cancelled() else RESCAN_SECONDS
                await asyncio.wait({ending, changed}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
        if notifications.changed.is_set():
            await _quiet(notifications, ending)
    finally:
        ending.cancel()
        notifications.close()


async def _quiet(notifications: inotify.Notifications, ending: asyncio.Task[bool]) -> None:
    """Wait until no file has changed for a moment, since an editor may still be saving; not for ever."""
    loop = asyncio.get_running_loop()
    # A program that writes without end must not keep the change from being seen.
    latest = loop.time() + RELOAD_DEBOUNCE_MS / 1000
    while notifications.changed.is_set() and loop.time() < latest and not ending.done():
        notifications.changed.clear()
        await asyncio.wait({ending}, timeout=RELOAD_QUIET_MS / 1000)


def _changes(folders: list[Path], over: asyncio.Event) -> AsyncGenerator[set[FileChange], None]:
    import watchfiles  # where there is no inotify it is installed, and on Linux by nobody but tests

    return watchfiles.awatch(
        *folders,
        watch_filter=None,
        debounce=RELOAD_DEBOUNCE_MS,
        step=RELOAD_QUIET_MS,
        stop_event=over,
        rust_timeout=int(RESCAN_SECONDS * 1000),
        yield_on_timeout=True,
        recursive=False,
    )


async def _looked(places: Callable[[], Iterable[Path]], stopping: asyncio.Task[bool]) -> _Identities | None:
    """Return which folder is at each place now, looked up in a thread: a disk may hang. None if the end came first."""
    return await _unless_stopped(threads.WATCH.run(lambda: _identities(places())), stopping)


async def _unless_stopped(work: Awaitable[T], stopping: asyncio.Task[bool]) -> T | None:
    """Return the result of `work`; None if the end comes first, and then nobody waits for it any more."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _identities(places: Iterable[Path]) -> _Identities:
    """Return which folder is at each place now; None where none is."""
    return {place: _identity(place) for place in places}


def _identity(place: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(place)  # noqa: PTH116 - asked several times a second
    except OSError:
        return None
    return status.st_dev, status.st_ino
