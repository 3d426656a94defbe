"""A peer that takes part in listening sessions by the wire format alone: newlines and JSON over libp2p, none of our protocol code."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

from goop2.net.host import Host
from goop2.net.stream import Stream

MQ = "/goop/mq/1.0.0"
LISTEN = "/goop/listen/1.0.0"


class WireListener:
    """Sends and collects messages; `got` holds (sender, topic, payload)."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.got: list[tuple[str, str, Any]] = []
        self._new = asyncio.Condition()

    async def open(self) -> None:
        await self.host.serve(MQ, self._take)

    async def _take(self, stream: Stream) -> None:
        message = json.loads(await line(stream))
        await stream.finish(json.dumps({"type": "ack", "id": message["id"], "seq": message["seq"]}).encode() + b"\n")
        async with self._new:
            self.got.append((stream.peer, message["topic"], message["payload"]))
            self._new.notify_all()
        self.taken(stream.peer, message["topic"], message["payload"])

    def taken(self, sender: str, topic: str, payload: Any) -> None:
        """Called with each message that was acknowledged."""

    async def send(self, peer: str, topic: str, payload: object) -> None:
        message = {"type": "msg", "id": str(uuid.uuid4()), "seq": 1, "topic": topic, "payload": payload}
        async with await self.host.open(peer, MQ) as stream:
            await stream.write(json.dumps(message).encode() + b"\n")
            assert json.loads(await line(stream))["type"] == "ack"

    async def said(self, group: str, count: int) -> list[dict[str, Any]]:
        """The first `count` things the host said of its session."""
        async with asyncio.timeout(20), self._new:
            await self._new.wait_for(lambda: len(self._listened(group)) >= count)
        return self._listened(group)

    def _listened(self, group: str) -> list[dict[str, Any]]:
        return [payload["listen"] for _, topic, payload in self.got if topic == f"group:{group}:msg"]

    async def hear(self, peer: str, request: bytes) -> tuple[bytes, bytes]:
        """The header and all that follows."""
        async with await self.host.open(peer, LISTEN) as stream:
            await stream.finish(request)
            content = b""
            while piece := await stream.read():
                content += piece
        header, _, sound = content.partition(b"\n")
        return header, sound


async def line(stream: Stream) -> bytes:
    content = b""
    while not content.endswith(b"\n"):
        content += await stream.read()
    return content
