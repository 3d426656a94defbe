"""What keeps a guest's trio turning: the host loop watches trio's own epoll, where trio would send a thread to wait for it.

A thread costs each packet two changes of thread and each call into trio a third. trio hands its guest's tick to the host loop to be called;
we take the state behind that tick and turn it ourselves. That state is private to trio: where it looks otherwise than expected (another
system, another trio) trio goes on as it always does, with its thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from typing import Any, Final

import outcome
import sniffio
from trio import TrioInternalError

TICKS_AT_ONCE: Final = 16
"""One tick takes each trio task to its next checkpoint, and one packet is a few checkpoints. Then the host loop has its turn."""

_PARTS: Final = ("runner", "done_callback", "unrolled_run_gen", "unrolled_run_next_send")


_NO_EVENTS: Final[list[object]] = []


class Pump:
    """Turns one trio run; give `schedule` to trio where it asks how to call something soon."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._state: Any = None
        self._watched = -1
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._news: outcome.Outcome[Any] | None = None
        """Of trio's sockets, for its next turn."""
        self._queued = self._inside = False

    @property
    def turning(self) -> bool:
        """Return whether it is this pump that turns trio, and not trio's thread."""
        return self._state is not None

    def schedule(self, tick: Callable[[], object]) -> None:
        """Called by trio with its tick, at its start; later too when it turns by itself."""
        state: Any = getattr(tick, "__self__", None)
        known = all(hasattr(state, part) for part in _PARTS) and hasattr(state.runner.io_manager, "_epoll")
        if known:
            # Without a descriptor trio goes on with its thread; an error here would leave it half started, for good.
            with contextlib.suppress(OSError):
                self._watched = os.dup(state.runner.io_manager._epoll.fileno())
        if self._watched >= 0:
            self._state = state
            self._news = state.unrolled_run_next_send
            self._loop.add_reader(self._watched, self._woken)
            self._queued = True
            self._loop.call_soon(self._tick)
        else:
            self._loop.call_soon(tick)

    def enter(self, function: Callable[[], object]) -> None:
        """Do something to trio's tasks from the host loop; they have their turn soon, and one packet carries all of it."""
        if self._watched < 0 or self._inside:
            function()
            return
        # Then trio does not wake itself through a socket.
        self._state.runner.guest_tick_scheduled = True
        function()
        self._after(0.0)

    def _woken(self) -> None:
        """Give trio the events that its epoll holds."""
        self._news = outcome.capture(self._state.runner.io_manager.get_events, 0)
        self._tick()

    def _tick(self) -> None:
        self._queued = False
        if self._watched < 0:
            return
        timeout: float | None = 0.0
        for _ in range(TICKS_AT_ONCE):
            timeout = self._turn()
            if timeout != 0:
                break
        self._after(timeout)

    def _after(self, timeout: float | None) -> None:
        """A turn that would be followed by so much rest."""
        if timeout is None:
            return
        if timeout > 0:
            self._rest(timeout)
        elif not self._queued:
            self._queued = True
            self._loop.call_soon(self._tick)

    def _turn(self) -> float | None:
        """One tick; how long trio would wait after it, None when it is over."""
        state = self._state
        # Without news none is looked for: the host loop does, and comes with it.
        news, self._news = self._news, None
        before, sniffio.thread_local.name = sniffio.thread_local.name, "trio"
        self._inside = True
        state.runner.guest_tick_scheduled = True
        try:
            wait: float = news.send(state.unrolled_run_gen) if news else state.unrolled_run_gen.send(_NO_EVENTS)
        except StopIteration:
            self._end(state.runner.main_task_outcome)
            return None
        except TrioInternalError as error:
            self._end(outcome.Error(error))
            return None
        finally:
            sniffio.thread_local.name = before
            self._inside = False
        return wait

    def _rest(self, timeout: float) -> None:
        """Nothing to do until there are events, somebody pokes, or so many seconds have passed."""
        self._state.runner.guest_tick_scheduled = self._queued
        due = time.monotonic() + timeout
        if self._timer is None or due < self._due:
            self._stop_timer()
            self._due = due
            self._timer = self._loop.call_later(timeout, self._timed)

    def _timed(self) -> None:
        self._timer = None
        self._tick()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, result: outcome.Outcome[Any]) -> None:
        self._stop_timer()
        self._loop.remove_reader(self._watched)
        os.close(self._watched)
        self._watched = -1
        self._state.done_callback(result)
