"""Standard output and standard error of the command, in place of Python's own.

stderr carries the log of a peer, and need not be read. A full or closed pipe, a full disk or a stopped terminal must not block, fail or end
the writer. What cannot be written within the buffer is dropped and counted, and the count is written when somebody reads again. stdout
carries answers: what cannot be written there is an error, which names stdout.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import socket
import stat
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

WAITING_MAX_BYTES: Final = 256 * 1024
"""Of lines that wait for their reader: some thousand. A peer's log must not eat its memory."""
PIECE_BYTES: Final = select.PIPE_BUF
"""A pipe that can be written to takes so much without a wait."""
LOOK_AGAIN_MS: Final = 500
FINISH_SECONDS: Final = 0.5
"""At the end, for a reader that is only slow; a peer must end within a second."""
OUT: Final = 1
ERROR: Final = 2


class StreamError(OSError):
    """stdin cannot be read, or stdout cannot be written. A closed pipe is still a `BrokenPipeError`."""


class _Out(io.FileIO):
    """stdout, whose errors are `StreamError`s."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StreamError(error.errno, error.strerror) from None


class PatientWriter(io.RawIOBase):
    """A writer that accepts everything at once and passes on to a descriptor what that accepts. Usable from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.RLock()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._dropped = 0
        self._passing_on = False
        self._way = _Way(descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        content = bytes(data)
        with self._lock:
            self._keep(content if self._waiting or not self._tell_dropped() else self._passed(content))
        return len(content)

    def close(self) -> None:
        """Close what was opened beside the descriptor, which itself stays open."""
        if not self.closed:
            self._way.close()
        super().close()

    def finish(self, seconds: float) -> None:
        """Wait until the waiting bytes are written, at most `seconds`."""
        ends = time.monotonic() + seconds
        while self._waiting and time.monotonic() < ends:
            time.sleep(0.01)

    def _passed(self, content: bytes) -> bytes:
        """Write as much as is accepted now; return the rest. If nobody will ever accept it, it is dropped and counted."""
        try:
            while content and (taken := self._way.write(content)):
                content = content[taken:]
        except OSError:
            self._dropped += max(1, content.count(b"\n"))
            return b""
        return content

    def _keep(self, content: bytes) -> None:
        if not content:
            return
        # New lines are dropped, not old ones: the first lines of a problem say most about it.
        if self._waiting_bytes + len(content) > WAITING_MAX_BYTES:
            self._dropped += max(1, content.count(b"\n"))
            return
        self._waiting.append(content)
        self._waiting_bytes += len(content)
        # A thread only while somebody is slow; a peer whose log is read needs none.
        if not self._passing_on:
            self._passing_on = True
            threading.Thread(target=self._pass_on, daemon=True, name="stderr").start()

    def _pass_on(self) -> None:
        while True:
            self._way.wait(LOOK_AGAIN_MS)
            with self._lock:
                while self._waiting:
                    content = self._waiting.popleft()
                    self._waiting_bytes -= len(content)
                    if left := self._passed(content):
                        # The rest of a line must go out before the next line.
                        self._waiting.appendleft(left)
                        self._waiting_bytes += len(left)
                        break
                else:
                    if self._tell_dropped():
                        self._passing_on = False
                        return

    def _tell_dropped(self) -> bool:
        """Write how much was dropped; return False if that cannot be written now either."""
        if self._dropped:
            lines = "1 line of this log was" if self._dropped == 1 else f"{self._dropped} lines of this log were"
            try:
                if not self._way.write(f"warning: {lines} dropped: nobody read, or nothing could be written\n".encode()):
                    return False
            except OSError:
                return True
            self._dropped = 0
        return True


class _Way:
    """A way to write to a descriptor without ever waiting. Other programs share its open file, so its own flags are not changed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._own = -1
        self._socket: socket.socket | None = None
        mode = os.fstat(descriptor).st_mode
        self._patient = stat.S_ISREG(mode)  # and other files, which always take what they are given
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=os.dup(descriptor))
        elif stat.S_ISFIFO(mode) or os.isatty(descriptor):
            # The same pipe or terminal once more, with a flag of its own.
            with contextlib.suppress(OSError):
                self._own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)

    def write(self, content: bytes) -> int:
        """Return how many bytes were taken. Raises OSError where nobody will take any."""
        try:
            if self._socket is not None:
                return self._socket.send(content, socket.MSG_DONTWAIT)
            if self._own >= 0:
                return os.write(self._own, content)
            if self._patient:
                return os.write(self._descriptor, content)
            return os.write(self._descriptor, content[:PIECE_BYTES]) if self.wait(0) else 0
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Close the socket or descriptor that was opened for this way."""
        if self._socket is not None:
            self._socket.close()
        if self._own >= 0:
            os.close(self._own)
            self._own = -1

    def wait(self, milliseconds: int) -> bool:
        """Wait until it accepts bytes or never will; return whether it does."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(milliseconds))


def install() -> None:
    """Replace Python's own streams by these, if the command was started with the streams open."""
    out, error = sys.stdout, sys.stderr
    if out is sys.__stdout__ and out is not None:
        buffer = io.BufferedWriter(_Out(OUT, "w", closefd=False))
        sys.stdout = io.TextIOWrapper(buffer, out.encoding, out.errors, line_buffering=out.isatty())
    if error is sys.__stderr__ and error is not None:
        sys.stderr = io.TextIOWrapper(PatientWriter(ERROR), error.encoding, "replace", line_buffering=True)


def finish() -> None:
    """Give what waits for the reader of stderr a moment, before the process ends."""
    writer = getattr(sys.stderr, "buffer", None)
    if isinstance(writer, PatientWriter):
        writer.finish(FINISH_SECONDS)
