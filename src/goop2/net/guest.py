"""trio as a guest of the running asyncio loop: py-libp2p speaks trio only, everything else here asyncio.

Both loops share one thread: trio runs its tasks inside callbacks of the host loop (pump.py), so nothing needs a lock, and either side may
touch the other's tasks where they stand. What crosses, and how:

    asyncio → trio   `await guest.call(function, *arguments)`; cancelling the caller cancels the trio task and waits for its end
    trio → asyncio   `await guest.host(function, *arguments)`; the same the other way round
    an exception     raised where it was called from, unchanged
    trio fails       the body of `async with open_guest()` is cancelled and `GuestFailedError` raised out of it
    asyncio ends     leaving the `async with` cancels every trio task and waits for the last

It must know nothing of libp2p.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar, cast

import outcome
import trio

from goop2.net.pump import Pump

P = ParamSpec("P")
T = TypeVar("T")
_Soon = Callable[[Callable[[], object]], None]


class GuestFailedError(Exception):
    """The trio side ended by an error of its own, its cause; nothing of the network works any more."""

    owner_code: ClassVar = "unavailable"


class GuestStoppedError(Exception):
    """A call met the end of the trio side and was not finished; opening the network again helps."""


@contextlib.asynccontextmanager
async def open_guest() -> AsyncIterator[Guest]:
    """trio on the running loop until the block is left; a thread has one at a time. Raises `GuestFailedError` out of the block."""
    guest = Guest(asyncio.get_running_loop())
    owner = asyncio.current_task()
    assert owner is not None
    try:
        await guest._start(lambda: owner.cancel(_FAILED))
    except asyncio.CancelledError as cancelled:
        if guest.failure is None or cancelled.args != (_FAILED,):
            raise
        owner.uncancel()
        raise GuestFailedError(f"the network did not start: {guest.failure!r}") from guest.failure
    try:
        yield guest
    except asyncio.CancelledError as cancelled:
        if guest.failure is None or cancelled.args != (_FAILED,):
            raise
        owner.uncancel()
    finally:
        await guest._stop()
    if guest.failure is not None:
        raise GuestFailedError(f"the network ended: {guest.failure!r}") from guest.failure


_FAILED = "the trio side failed"


class Guest:
    """A trio run on an asyncio loop; made by `open_guest`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.failure: BaseException | None = None
        """Why trio ended by itself; None while it runs and after a proper end."""
        self._loop = loop
        self._ready: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._stopping = False
        self._pump = Pump(loop)
        self._calls: set[_Call[Any]] = set()
        """Those somebody waits for, so that none waits for ever when trio ends before it begins."""

    async def call(self, function: Callable[P, Awaitable[T]], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Run an async trio function and give its result. Raises what it raises, and `GuestStoppedError`."""
        call = _Call(lambda: function(*arguments, **keywords), self._loop)
        self._calls.add(call)
        try:
            self._enter(lambda: self._begin(call))
            return await call.result()
        except asyncio.CancelledError:
            # Not this task but the trio task may have been cancelled: then nothing is left to wait for.
            if not call.settled:
                await self._cancel(call)
            raise
        finally:
            self._calls.discard(call)

    def start_soon(self, function: Callable[..., Awaitable[object]], *arguments: Any) -> None:
        """Run an async trio function beside everything else; its failure is the guest's."""

        def begin() -> None:
            # A nursery that is ending takes no more tasks.
            with contextlib.suppress(RuntimeError):
                self._nursery.start_soon(function, *arguments)

        self._enter(begin)

    def touch(self, function: Callable[[], object]) -> None:
        """Run a plain function on what is trio's, here and now, from either side; nothing when trio has ended."""
        if not self._ended.done():
            self._pump.enter(function)

    async def host(self, function: Callable[P, Coroutine[Any, Any, T]], *arguments: P.args, **keywords: P.kwargs) -> T:
        """From trio: run an async function of the host loop and give its result. Raises what it raises."""
        task = self._loop.create_task(function(*arguments, **keywords))
        waiting = trio.lowlevel.current_task()
        raise_cancelled: list[Callable[[], Any]] = []

        def ended(_task: asyncio.Task[T]) -> None:
            if not self._ended.done():
                self._pump.enter(lambda: trio.lowlevel.reschedule(waiting, _outcome(task, raise_cancelled)))

        def abort(raise_cancel: Callable[[], Any]) -> trio.lowlevel.Abort:
            raise_cancelled.append(raise_cancel)
            task.cancel()
            return trio.lowlevel.Abort.FAILED

        task.add_done_callback(ended)
        result: T = await trio.lowlevel.wait_task_rescheduled(abort)
        return result

    async def _start(self, failed: Callable[[], object]) -> None:
        self._failed = failed
        trio.lowlevel.start_guest_run(
            self._main,
            run_sync_soon_threadsafe=cast(_Soon, self._loop.call_soon_threadsafe),
            run_sync_soon_not_threadsafe=self._pump.schedule,
            done_callback=self._done,
            # asyncio and uvloop own the wake-up descriptor; trio must not take it, signals are theirs.
            host_uses_signal_set_wakeup_fd=True,
        )
        try:
            await asyncio.shield(self._ready)
        except asyncio.CancelledError:
            await self._stop()
            raise

    async def _main(self) -> None:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._ready.set_result(None)
            # A nursery without a task would end.
            await trio.sleep_forever()

    def _done(self, result: outcome.Outcome[None]) -> None:
        if isinstance(result, outcome.Error) and not self._stopping:
            self.failure = _innermost(result.error)
            self._failed()
        if not self._ready.done():
            self._ready.set_exception(GuestStoppedError("the network ended while it started"))
        for call in tuple(self._calls):
            call.settle(_stopped())
        self._ended.set_result(None)

    def _begin(self, call: _Call[Any]) -> None:
        try:
            self._nursery.start_soon(call.run)
        except RuntimeError:  # the nursery is ending and takes no more tasks
            call.settle(_stopped())

    def _enter(self, function: Callable[[], object]) -> None:
        """Do something to trio's tasks; it has its turn soon."""
        if self._ended.done() or self._stopping:
            raise GuestStoppedError("the network is stopped")
        self._pump.enter(function)

    async def _cancel(self, call: _Call[Any]) -> None:
        with contextlib.suppress(GuestStoppedError):
            self._enter(call.scope.cancel)
        await _until_done(call.end())

    async def _stop(self) -> None:
        await _until_done(self._ready)
        if not self._ended.done():
            self._stopping = True
            self._pump.enter(self._nursery.cancel_scope.cancel)
        await _until_done(self._ended)


class _Call(Generic[T]):
    """A trio task somebody in asyncio waits for."""

    def __init__(self, function: Callable[[], Awaitable[T]], loop: asyncio.AbstractEventLoop) -> None:
        self.scope = trio.CancelScope()
        self._function = function
        self._loop = loop
        self._outcome: outcome.Outcome[T] | None = None
        self._waiting: asyncio.Future[None] | None = None

    async def run(self) -> None:
        result: outcome.Outcome[T] = _stopped()
        try:
            with self.scope:
                result = outcome.Value(await self._function())
        except Exception as error:
            result = outcome.Error(error)
        finally:
            self.settle(result)

    @property
    def settled(self) -> bool:
        return self._outcome is not None

    def settle(self, result: outcome.Outcome[T]) -> None:
        """Give the waiting side its result, once."""
        if self._outcome is None:
            self._outcome = result
            if self._waiting is not None and not self._waiting.done():
                self._waiting.set_result(None)

    async def result(self) -> T:
        """Return what the task gives or raises."""
        if self._outcome is None:
            await self.end()
        assert self._outcome is not None
        return self._outcome.unwrap()

    def end(self) -> asyncio.Future[None]:
        """Done when the task is; whoever waits and is cancelled asks for another."""
        self._waiting = self._loop.create_future()
        if self._outcome is not None:
            self._waiting.set_result(None)
        return self._waiting


def _stopped() -> outcome.Error:
    return outcome.Error(GuestStoppedError("the network stopped before the call was finished"))


def _outcome(task: asyncio.Task[T], raise_cancelled: list[Callable[[], Any]]) -> outcome.Outcome[T]:
    """Return what the trio side gets of a host task that ended."""
    if not task.cancelled():
        return outcome.capture(task.result)
    if raise_cancelled:
        return outcome.capture(raise_cancelled[0])
    return outcome.Error(GuestStoppedError("the host loop cancelled what the network waited for"))


def _innermost(error: BaseException) -> BaseException:
    """Return the one failure in trio's groups of groups, or the group when there are several."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


async def _until_done(future: asyncio.Future[Any]) -> None:
    """Wait for it, however often the waiting task is cancelled; the cancellation is raised afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
