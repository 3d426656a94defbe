"""A peer that has a picture as network.md, "Smaller protocols", says: bytes over libp2p, none of our protocol code."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from nacl.public import Box
from tests.wire_listener import WireListener

from goop2.net.host import Host
from goop2.net.stream import Stream

AVATAR = "/goop/avatar/1.0.0"
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
"""A real one, of one pixel."""


def name_of(picture: bytes) -> str:
    return hashlib.sha256(picture).hexdigest()[:16]


class GoPicture(WireListener):
    """One peer; `answer` is all it writes to whoever opens the protocol, `asked` counts these."""

    def __init__(self, host: Host, label: str = "Gopher") -> None:
        super().__init__(host)
        self.label = label
        self.answer = b"NONE\n"
        self.asked = 0
        self.finishes = True
        self.identity: dict[str, Any] = {}

    @property
    def id(self) -> str:
        return self.host.peer_id

    async def open(self) -> None:
        await super().open()
        await self.host.serve(AVATAR, self._send)

    def has(self, picture: bytes, box: Box | None = None) -> None:
        if box is None:
            self.answer = b"OK %d\n" % len(picture) + picture
        else:
            text = base64.b64encode(box.encrypt(picture))
            self.answer = b"EOK %d\n" % len(text) + text

    async def says(self, peer: str, avatar_hash: str) -> None:
        """Tells who it is, as an answer to `identity` does."""
        await self.send(peer, "identity.response", {"peerID": self.id, "content": self.label, "avatarHash": avatar_hash, **self.identity})

    async def ask(self, peer: str) -> bytes:
        """All that a peer writes when its picture is asked for."""
        async with await self.host.open(peer, AVATAR) as stream:
            content = b""
            while piece := await stream.read():
                content += piece
            return content

    async def _send(self, stream: Stream) -> None:
        self.asked += 1
        await stream.write(self.answer)
        if self.finishes:
            await stream.finish()
