"""The peer's handle on the fork server: start it, ask it for workers, learn of their end, start it again.

The fork server itself is goop2.sandbox.fork_server, another process. It must not know scripts or invocations, only sockets and processes.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from goop2.sandbox.messages import Exited, FromForkServer, Setup, Spawned

ENVIRONMENT: Final = {
    # A VM is a thousand small allocations made and freed again: with malloc's usual cache of 7 a size they cost a third
    # more. 500 serve nearly all of them (300 left a twelfth of a short data function to the slow way); thousands would keep tens of
    # megabytes after one large script.
    # Without a fixed threshold the first large block that is freed makes malloc keep all larger ones in its heap; the stacks
    # of deep recursions then leave holes that nothing fits into, until the process is at its bound for good.
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=500:glibc.malloc.mmap_threshold=131072",
}
"""The whole environment of the fork server and its workers."""

COMMAND: Final = (sys.executable, "-I", "-m", "goop2.sandbox.fork_server")
"""What starts the fork server; its descriptor follows."""

MESSAGE_MAX_BYTES = 4096

log = structlog.get_logger(__name__)
_decoder = msgspec.msgpack.Decoder[FromForkServer](FromForkServer)


class ForkServerLostError(Exception):
    """The fork server ended; its workers end with it."""


class WorkerStartError(Exception):
    """This process has no descriptor or no memory to start one with; a running fork server still works."""


class ForkServerHandle:
    """One fork server process. `on_exit(pid, status)` is called for every worker that was reaped."""

    def __init__(self, setup: Setup, on_exit: Callable[[int, int], None]) -> None:
        self._setup = setup
        self._on_exit = on_exit
        self._pending: deque[asyncio.Future[tuple[int, int]]] = deque()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> None:
        """Start the process; it can be asked for workers at once and answers when it is ready. Raises `WorkerStartError`."""
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._control = ours
            with theirs:
                self._process = self._new_process(theirs)
            ours.send(msgspec.msgpack.encode(self._setup))
            ours.setblocking(False)
            asyncio.get_running_loop().add_reader(ours, self._receive)
        except OSError as error:
            self.stop()
            raise WorkerStartError(str(error)) from error

    def _new_process(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*COMMAND, str(theirs.fileno())],  # and nothing of the peer: its arguments are in every worker's memory
            env=dict(os.environ) if "environment" in self._setup.skip_layers else ENVIRONMENT,
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal is the peer's to handle
        )

    @property
    def pid(self) -> int | None:
        """Return the process id of the fork server while it runs."""
        return self._process.pid if self._process else None

    @property
    def is_asked(self) -> bool:
        """Return whether a worker of it is on its way."""
        return bool(self._pending)

    async def spawn(self) -> tuple[socket.socket, int, int]:
        """Fork a worker; return our end of its socket, its pid, a pidfd the caller closes.

        Raises `ForkServerLostError`, `WorkerStartError`.
        """
        if self._control is None:
            raise ForkServerLostError("the fork server is not running")
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise WorkerStartError(str(error)) from error
        answered: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
        try:
            with theirs:
                socket.send_fds(self._control, [b"+"], [theirs.fileno()])
            # The fork server answers in the order it was asked: no number is needed to tell answers apart.
            self._pending.append(answered)
            pid, pidfd = await answered
        except ConnectionError as error:
            ours.close()
            raise ForkServerLostError(str(error)) from error
        except OSError as error:  # too many descriptors on their way, or no memory for one more
            ours.close()
            raise WorkerStartError(str(error)) from error
        except BaseException:
            ours.close()
            if answered.done() and not answered.cancelled() and answered.exception() is None:
                os.close(answered.result()[1])  # answered and cancelled in one turn of the loop
            raise
        # asyncio wants it so; the worker's end blocks, since a worker has nothing else to do.
        ours.setblocking(False)
        return ours, pid, pidfd

    def stop(self) -> None:
        """End the fork server and, by that, every worker. Idempotent."""
        control, process = self._control, self._process
        self._control = self._process = None
        if control is not None:
            asyncio.get_running_loop().remove_reader(control)
            control.close()
        if process is not None:
            process.kill()
            process.wait()
        while self._pending:
            waiting = self._pending.popleft()
            if not waiting.done():
                waiting.set_exception(ForkServerLostError("the fork server stopped"))

    def _receive(self) -> None:
        assert self._control is not None
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_MAX_BYTES, 1)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            log.error("fork server ended", pid=self.pid)
            self.stop()
            return
        message = _decoder.decode(data)
        if isinstance(message, Spawned):
            self._deliver(message.pid, descriptors)
        elif isinstance(message, Exited):
            self._on_exit(message.pid, message.status)

    def _deliver(self, pid: int, descriptors: list[int]) -> None:
        waiting = self._pending.popleft()
        if waiting.done():
            for pidfd in descriptors:
                os.close(pidfd)  # nobody waits any more: the worker ends with its socket
        elif descriptors:
            waiting.set_result((pid, descriptors[0]))
        else:  # there was no number left for it; without it the worker could not be ended
            waiting.set_exception(WorkerStartError(os.strerror(errno.EMFILE)))
