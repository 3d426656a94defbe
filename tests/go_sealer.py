"""A peer that has payload keys as network.md, "What a real Go peer does", says; PyNaCl and JSON over libp2p, none of our protocol code.

It says `encryptionSupported` in gossip without its key, tells its key in an `identity.response` alone, keeps the keys of others over
restarts (`known`), and as soon as it knows ours encrypts everything for us: messages, its `identity.response` too, calls, requests and
answers. What it cannot open is lost. It does not ask for keys by itself: what recovers must recover by us.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

from goop2.folder.identity import Identity
from goop2.net.gossip import open_gossip
from goop2.net.host import Host, open_host
from goop2.net.stream import Stream

SITE, DATA, MQ, LISTEN = (f"/goop/{name}/1.0.0" for name in ("site", "data", "mq", "listen"))
PRESENCE = "goop.presence.v1"
LOOPBACK = "127.0.0.1"
READ_MAX_BYTES = 100_000_000
"""Of base64, as it reads."""


class GoSealer:
    """One start of such a peer. Made by `go_sealer`."""

    def __init__(self, host: Host, key: PrivateKey, known: dict[str, str]) -> None:
        self.host = host
        self.key = key
        self.known = known
        """Peer → its public key; the same for every start."""
        self.heard: list[tuple[str, Any, bool]] = []
        """Topic, payload and whether it came encrypted, of every message that could be opened."""
        self.asked: list[tuple[str, bytes, bool]] = []
        """Protocol, request and whether it came encrypted."""
        self.lost = 0
        """Messages that could not be opened."""
        self.seals = True
        """Wants its messages encrypted, and encrypts; off for a peer that says it does not support that."""
        self.plain: set[str] = set()
        """Peers that said they support no encryption."""
        self.files: dict[str, bytes] = {"/index.html": b"<h1>Go</h1>"}
        self.call: Callable[[bytes], bytes] = lambda _asked: b'{"ok":true,"data":{"from":"Go"}}'
        self.sound = b"RIFF and so on"

    @property
    def id(self) -> str:
        return self.host.peer_id

    def box(self, peer: str) -> Box | None:
        if peer not in self.known or peer in self.plain:
            return None
        return Box(self.key, PublicKey(base64.b64decode(self.known[peer])))

    def sealed(self, peer: str, content: bytes) -> bytes | None:
        box = self.box(peer)
        return None if box is None else base64.b64encode(box.encrypt(content))

    def opened(self, peer: str, text: bytes) -> bytes | None:
        if peer not in self.known:
            return None
        with contextlib.suppress(CryptoError, ValueError):
            return Box(self.key, PublicKey(base64.b64decode(self.known[peer]))).decrypt(base64.b64decode(text))
        return None

    async def send(self, peer: str, topic: str, payload: object) -> dict[str, Any]:
        """The answer to a message, encrypted when it knows the key."""
        text = self.sealed(peer, json.dumps(payload).encode())
        carried = payload if text is None else {"enc": text.decode()}
        message = {"type": "msg", "id": str(uuid.uuid4()), "seq": 1, "topic": topic, "payload": carried}
        answer: dict[str, Any] = json.loads(await self._exchange(peer, MQ, json.dumps(message).encode() + b"\n"))
        return answer

    async def ask(self, peer: str, **asked: object) -> tuple[Any, bool]:
        """The answer to a data operation, and whether it came encrypted."""
        plain = json.dumps(asked).encode()
        text = self.sealed(peer, plain)
        line = await self._exchange(peer, DATA, (plain if text is None else b"ENC:" + text) + b"\n")
        if not line.startswith(b"ENC:"):
            return json.loads(line), False
        content = self.opened(peer, line[4:].strip())
        assert content is not None
        return json.loads(content), True

    async def get(self, peer: str, path: str) -> tuple[bytes, bytes, bool]:
        """Header, body and whether it came encrypted."""
        text = self.sealed(peer, f"GET {path}".encode())
        answer = await self._exchange(peer, SITE, f"GET {path}\n".encode() if text is None else b"ENC:" + text + b"\n")
        header, _, body = answer.partition(b"\n")
        if not header.startswith(b"EOK"):
            return header, body, False
        assert int(header.split()[-1]) == len(body) <= READ_MAX_BYTES
        content = self.opened(peer, body)
        assert content is not None
        return header, content, True

    async def listen(self, peer: str, group: str) -> tuple[bytes, bytes]:
        """Header and sound of a session; frames opened."""
        answer = await self._exchange(peer, LISTEN, f"LISTEN {group}\n".encode())
        header, _, frames = answer.partition(b"\n")
        if not header.startswith(b"EAOK"):
            return header, frames
        sound = b""
        while frames:
            size = int.from_bytes(frames[:4], "big")
            content = self.opened(peer, frames[4 : 4 + size])
            assert content is not None
            sound += content
            frames = frames[4 + size :]
        return header, sound

    def chats(self) -> list[tuple[str, bool]]:
        """Text, and whether it came encrypted."""
        return [(payload["content"], sealed) for topic, payload, sealed in self.heard if topic == "chat"]

    async def _exchange(self, peer: str, protocol: str, request: bytes) -> bytes:
        async with await self.host.open(peer, protocol) as stream:
            await stream.write(request)
            pieces = []
            while piece := await stream.read():
                pieces.append(piece)
            return b"".join(pieces)

    async def _identify(self, peer: str) -> None:
        own = base64.b64encode(bytes(self.key.public_key)).decode()
        said = {"peerID": self.id, "content": "Go", "email": "", "publicKey": own, "encryptionSupported": True}
        with contextlib.suppress(Exception):
            await self.send(peer, "identity.response", said)

    async def _take(self, stream: Stream) -> None:
        message = json.loads(await line(stream))
        payload, sealed = message["payload"], False
        if isinstance(payload, dict) and list(payload) == ["enc"]:
            content = self.opened(stream.peer, payload["enc"].encode())
            if content is None:
                self.lost += 1
                await stream.finish()
                return
            payload, sealed = json.loads(content), True
        await stream.finish(json.dumps({"type": "ack", "id": message["id"], "seq": message["seq"]}).encode() + b"\n")
        self.heard.append((message["topic"], payload, sealed))
        if message["topic"] == "identity":
            await self._identify(stream.peer)
        elif message["topic"] == "identity.response":
            (self.plain.discard if payload.get("encryptionSupported") else self.plain.add)(stream.peer)
            if payload.get("publicKey"):
                self.known[stream.peer] = payload["publicKey"]

    async def _request(self, stream: Stream) -> bytes | None:
        asked = await line(stream)
        sealed = asked.startswith(b"ENC:")
        content = self.opened(stream.peer, asked[4:]) if sealed else asked
        if content is not None:
            self.asked.append((stream.protocol, content, sealed))
        return content

    async def _answer(self, stream: Stream) -> None:
        asked = await self._request(stream)
        if asked is None:
            await stream.finish(b'{"ok":false,"error":"decrypt: message authentication failed"}\n')
            return
        answer = self.call(asked)
        text = self.sealed(stream.peer, answer)
        await stream.finish((answer if text is None else b"ENC:" + text) + b"\n")

    async def _site(self, stream: Stream) -> None:
        asked = await self._request(stream)
        path = (asked or b"").decode().removeprefix("GET ")
        content = self.files.get("/index.html" if path == "/" else path)
        if asked is None or content is None:
            await stream.finish(b"ERR bad request\n" if asked is None else b"ERR not found\n")
            return
        text = self.sealed(stream.peer, content)
        await stream.write(
            b"OK text/html; charset=utf-8 %d\n" % len(content) if text is None else b"EOK text/html; charset=utf-8 %d\n" % len(text)
        )
        await stream.finish(content if text is None else text)

    async def _play(self, stream: Stream) -> None:
        await line(stream)
        text = self.sealed(stream.peer, self.sound)
        if text is None:
            await stream.finish(b"OK wav 705600 30.00\n" + self.sound)
        else:
            await stream.finish(b"EAOK wav 705600 30.00\n" + len(text).to_bytes(4, "big") + text)

    async def serve(self) -> None:
        for protocol, answer in ((MQ, self._take), (DATA, self._answer), (SITE, self._site), (LISTEN, self._play)):
            await self.host.serve(protocol, answer)


@contextlib.asynccontextmanager
async def go_sealer(identity: Identity, key: PrivateKey, known: dict[str, str]) -> AsyncIterator[GoSealer]:
    """Start it; gossip says that it is here, `online` once and then `update`."""
    async with open_host(identity, 0, None, LOOPBACK) as host, open_gossip(host, PRESENCE, lambda _author, _payload: True) as gossip:
        peer = GoSealer(host, key, known)
        await peer.serve()

        async def beat() -> None:
            said = "online"
            while True:
                presence = {"type": said, "peerId": peer.id, "content": "Go", "encryptionSupported": True, "ts": int(time.time() * 1000)}
                with contextlib.suppress(Exception):
                    await gossip.publish(json.dumps(presence).encode())
                said = "update"
                await asyncio.sleep(0.3)

        beating = asyncio.create_task(beat())
        try:
            yield peer
        finally:
            beating.cancel()


async def line(stream: Stream) -> bytes:
    content = b""
    while not content.endswith(b"\n"):
        piece = await stream.read()
        if not piece:
            break
        content += piece
    return content.removesuffix(b"\n")
