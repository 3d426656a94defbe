"""Messages of a stream, one after the other."""

from __future__ import annotations

import pytest
from tests.net.hosts import asked, two_hosts

from goop2.net.delimited import next_message
from goop2.net.stream import Stream
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.protobuf import DelimitedReader, delimited


async def test_each_is_given_once_and_an_end_between_them_is_a_fault() -> None:
    messages: list[bytes] = []

    async def answer(stream: Stream) -> None:
        reader = DelimitedReader("a message", 100)
        messages.extend([await next_message(stream, reader) for _ in range(2)])
        with pytest.raises(RemoteProtocolError, match="a message ended after 1 bytes"):
            await next_message(stream, reader)
        await stream.finish(b"done")

    async with two_hosts() as (caller, callee):
        await callee.serve("/test/echo", answer)
        assert await asked(caller, callee, delimited(b"one") + delimited(b"two") + b"\x05x") == b"done"
    assert messages == [b"one", b"two"]
