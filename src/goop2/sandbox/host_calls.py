"""The host function of a worker, through which a script asks for anything beyond its own VM.

Every answer is (shape, value...), as calls.lua explains, and nothing is ever raised: a Python exception that crossed would be a Python
object in a script's hands. Operations of the peer are passed on over the socket, those of the database are in data_calls.py. It must not
know what an operation means.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, Literal

from goop2.sandbox.answers import RAISE, Answer, ok
from goop2.sandbox.call_details import detail_of
from goop2.sandbox.data_calls import DataCalls, Entry
from goop2.sandbox.messages import HostCall, HostCallAnswer, Invoke, Log, OperationRule, Scalar
from goop2.storage import clock
from goop2.storage.run_record import HostCallRecord

LOG_LINES_MAX = 200
LOG_MAX_BYTES = 64 * 1024
"""Beyond these a run's lines stay here; the one that crosses is still sent, so that the peer can mark the cut."""
CALLS_RECORDED_MAX = 200
"""Host calls of one run that are kept with their times; later ones only count against the limits."""

DETAILS_MAX_CHARS = 32 * 1024
"""Details of the host calls of one run that are kept; a loop would fill the history with one statement."""
LOG: Final = b"log"
"""The one operation done here: it needs no database."""
CLOCK_OPERATIONS: Final = frozenset(("test.clock", "test.advance"))
_LEVELS: Final[dict[bytes, Literal["info", "warn", "error"]]] = {b"print": "info", b"info": "info", b"warn": "warn", b"error": "error"}

Send = Callable[[Log | HostCall], None]
Receive = Callable[[], HostCallAnswer]


class HostCalls:
    """Callable from Lua as host(operation, ...). One per worker; `begin` before each run."""

    def __init__(self, send: Send, receive: Receive, rules: Sequence[OperationRule], data: DataCalls | None = None) -> None:
        self._data = data
        self._send = send
        self._receive = receive
        self._peer_operations = frozenset(rule.name.encode() for rule in rules if rule.in_peer)
        self._entries: dict[bytes, Entry] = data.entries if data else {}
        self._forget()

    def begin(self, invoke: Invoke) -> None:
        """Begin a run, with nothing left of the last one."""
        self._forget()
        if self._data is not None:
            self._data.begin(invoke, self._started)

    def _forget(self) -> None:
        self._started = time.monotonic()
        self._room_lines = LOG_LINES_MAX
        self._room_bytes = LOG_MAX_BYTES
        self._room_details = DETAILS_MAX_CHARS
        self._calls: list[HostCallRecord] = []

    def end(self) -> None:
        """End the run: undo the transaction it left open."""
        if self._data is not None:
            self._data.end()

    @property
    def calls(self) -> tuple[HostCallRecord, ...]:
        """Return the host calls of this run, with their times."""
        return tuple(self._calls)

    def __call__(self, operation: bytes, *arguments: Scalar) -> Answer:
        """Do `operation` here or through the peer. Never raises."""
        try:
            if operation == LOG:
                return self._log(*arguments)
            entry = self._entries.get(operation)
            if entry is not None:
                return self._stored(operation, entry, arguments)
            if operation in self._peer_operations:
                return self._passed_on(operation.decode(), arguments)
            return RAISE, b"goop.%s is not available" % operation.split(b".")[0]
        except Exception as error:  # the wall: nothing but values may cross
            # Only the type: a message could hold a path of the peer.
            return RAISE, f"{type(error).__name__} in the host".encode()

    def stored(self, operation: bytes, arguments: tuple[Scalar, ...]) -> Answer:
        """Do an operation on the database, and none of the peer, for a run on another machine. Never raises."""
        try:
            entry = self._entries.get(operation)
            if entry is None:
                return RAISE, b"goop.%s is not available" % operation.split(b".")[0]
            return self._stored(operation, entry, arguments)
        except Exception as error:  # as above
            return RAISE, f"{type(error).__name__} in the host".encode()

    def _stored(self, operation: bytes, entry: Entry, arguments: tuple[Scalar, ...]) -> Answer:
        assert self._data is not None
        data, begun = self._data, time.monotonic()
        answer = data(operation, entry, arguments)
        self._record(operation.decode(), begun, arguments, answer[1:], data.rows, data.scanned)
        return answer

    def _passed_on(self, operation: str, arguments: tuple[Scalar, ...]) -> Answer:
        # The peer may take seconds, and the transaction holds the one write lock meanwhile.
        if self._data is not None and self._data.transaction:
            return RAISE, b"goop.%s is not available inside goop.db.transaction" % operation.encode()
        begun = time.monotonic()
        self._send(HostCall(operation, arguments))
        answer = self._receive()
        self._record(operation, begun, arguments, answer.values)
        if operation in CLOCK_OPERATIONS and answer.values and isinstance(answer.values[0], float):
            clock.use(answer.values[0])  # the test's own statements have the time it has set
        return answer.shape, *answer.values

    def _record(
        self,
        operation: str,
        begun: float,
        arguments: tuple[Scalar, ...],
        values: tuple[Scalar, ...],
        rows: int | None = None,
        scanned: int | None = 0,
    ) -> None:
        if len(self._calls) >= CALLS_RECORDED_MAX:
            return
        milliseconds = 1000.0
        started, duration = (begun - self._started) * milliseconds, (time.monotonic() - begun) * milliseconds
        detail = detail_of(operation, arguments, values) if self._room_details > 0 else ""
        self._room_details -= len(detail)
        self._calls.append(HostCallRecord(operation, started, duration, detail, rows, scanned))

    def _log(self, level: Scalar, text: Scalar) -> Answer:
        if not isinstance(level, bytes) or not isinstance(text, bytes):
            raise TypeError("log takes two strings")
        # The line that goes beyond is sent too: only so the peer knows that there was more.
        if self._room_lines >= 0 and self._room_bytes >= 0:
            self._room_lines -= 1
            self._room_bytes -= len(text)
            self._send(Log(_LEVELS[level], text.decode("utf-8", "replace")))
        return ok()
