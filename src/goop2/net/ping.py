"""libp2p's ping (specs/ping): 32 bytes are sent back, as often as the other side likes."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Final

from goop2.net.connection import Connection
from goop2.net.faults import StreamBrokenError
from goop2.net.stream import Stream

if TYPE_CHECKING:
    from goop2.net.host import Host

PING: Final = "/ipfs/ping/1.0.0"
PING_BYTES: Final = 32
IDLE_SECONDS: Final = 60.0
"""A stream on which nothing was asked for so long is let go of."""
ANSWER_SECONDS: Final = 10.0


async def answer_pings(stream: Stream) -> None:
    """Send back what comes, 32 bytes at a time."""
    buffer = b""
    while piece := await stream.read(IDLE_SECONDS):
        buffer += piece
        whole = len(buffer) - len(buffer) % PING_BYTES
        if whole:
            await stream.write(buffer[:whole])
            buffer = buffer[whole:]


async def ping(host: Host, connection: Connection) -> float:
    """Return how many seconds a ping takes on a connection, there and back. Raises as `Host.open_on` does, and `StreamBrokenError`."""
    async with await host.open_on(connection, PING) as stream:
        # Not the loop's clock: uvloop's counts whole milliseconds.
        said, answer, began = secrets.token_bytes(PING_BYTES), b"", time.perf_counter()
        await stream.write(said)
        while len(answer) < PING_BYTES and (piece := await stream.read(ANSWER_SECONDS)):
            answer += piece
        if answer != said:
            raise StreamBrokenError(f"{connection.peer} gives back another ping than it was sent")
        return time.perf_counter() - began
