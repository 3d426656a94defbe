"""A peer that seals what it sends, by the network's description and PyNaCl alone: none of our protocol or sealing code."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from nacl.public import Box, PrivateKey, PublicKey

from goop2.net.host import Host
from goop2.net.stream import Stream

SITE, DATA, MQ, LISTEN = (f"/goop/{name}/1.0.0" for name in ("site", "data", "mq", "listen"))


class WireSealer:
    """Asks and answers; `lines` holds every line and payload that came, as it came."""

    def __init__(self, host: Host, key: PrivateKey, other: PublicKey) -> None:
        self.host = host
        self.key = key
        self.box = Box(key, other)
        self.lines: list[bytes] = []
        self.messages: list[dict[str, Any]] = []
        self.introduces_itself = True
        """Answers who asks it who it is, with its key."""
        self.careless = False
        """Answers sealed calls plain."""
        self.ack: Callable[[dict[str, Any]], bytes] = acknowledged
        self.identity: dict[str, object] = {
            "peerID": host.peer_id,
            "content": "Wire",
            "publicKey": base64.b64encode(bytes(key.public_key)).decode(),
            "encryptionSupported": True,
        }

    def seal(self, content: bytes) -> bytes:
        return base64.b64encode(self.box.encrypt(content))

    def open(self, text: bytes) -> bytes:
        return self.box.decrypt(base64.b64decode(text, validate=True))

    async def serve(self) -> None:
        await self.host.serve(MQ, self._take)
        await self.host.serve(DATA, self._answer)
        await self.host.serve(SITE, self._site)

    async def exchange(self, peer: str, protocol: str, request: bytes) -> bytes:
        async with await self.host.open(peer, protocol) as stream:
            await stream.write(request)
            content = b""
            while piece := await stream.read():
                content += piece
            return content

    async def message(self, peer: str, topic: str, payload: object, id_: str = "1") -> dict[str, Any]:
        sent = {"type": "msg", "id": id_, "seq": 7, "topic": topic, "payload": payload}
        answer: dict[str, Any] = json.loads(await self.exchange(peer, MQ, json.dumps(sent).encode() + b"\n"))
        return answer

    async def introduce(self, peer: str) -> None:
        assert (await self.message(peer, "identity.response", self.identity, "who"))["type"] == "ack"

    async def _take(self, stream: Stream) -> None:
        message = json.loads(await line(stream))
        self.messages.append(message)
        await stream.finish(self.ack(message))
        if message["topic"] == "identity" and self.introduces_itself:
            await self.introduce(stream.peer)

    async def _answer(self, stream: Stream) -> None:
        asked = await line(stream)
        self.lines.append(asked)
        if asked.startswith(b"ENC:") and not self.careless:
            await stream.finish(b"ENC:" + self.seal(b'{"ok":true,"data":"sealed"}') + b"\n")
        else:
            await stream.finish(b'{"ok":true,"data":"plain"}\n')

    async def _site(self, stream: Stream) -> None:
        asked = await line(stream)
        self.lines.append(asked)
        if asked.startswith(b"ENC:"):
            text = self.seal(b"<h1>sealed</h1>")
            await stream.finish(b"EOK text/html; charset=utf-8 %d\n" % len(text) + text)
        else:
            await stream.finish(b"OK text/html; charset=utf-8 14\n<h1>plain</h1>")


def acknowledged(message: dict[str, Any]) -> bytes:
    return json.dumps({"type": "ack", "id": message["id"], "seq": message["seq"]}).encode() + b"\n"


def refused(message: dict[str, Any]) -> bytes:
    return json.dumps({"type": "refused", "id": message["id"], "seq": message["seq"]}).encode() + b"\n"


async def line(stream: Stream) -> bytes:
    content = b""
    while not content.endswith(b"\n"):
        piece = await stream.read()
        if not piece:
            break
        content += piece
    return content.removesuffix(b"\n")
