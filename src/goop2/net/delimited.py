"""Read delimited messages (a size, then that many bytes) from a stream."""

from __future__ import annotations

from goop2.net.stream import Stream
from goop2.protocols.protobuf import DelimitedReader


async def next_message(stream: Stream, reader: DelimitedReader) -> bytes:
    """Return the next message of a stream; the bytes after it stay in the reader.

    Its time is the caller's affair. Raises `RemoteProtocolError` and `StreamBrokenError`.
    """
    while (message := reader.next_message()) is None:
        piece = await stream.read(None)
        if not piece:
            reader.end()
        reader.feed(piece)
    return message
