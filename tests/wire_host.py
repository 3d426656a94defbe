"""A host of a listening session by the wire format alone: what the network's description says it writes, none of our protocol code."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.wire_listener import LISTEN, WireListener, line

from goop2.net.host import Host
from goop2.net.stream import Stream

SESSION = "listen-0123456789abcdef"


class WireHost(WireListener):
    """Lets in whoever joins and tells them what it plays. `header` and `sound` are what it answers to LISTEN; None: it never answers."""

    def __init__(self, host: Host, name: str = "Over there") -> None:
        super().__init__(host)
        self.name = name
        self.members: list[str] = []
        self.full = False
        self.is_go = False
        """Tells whoever joins nothing of what plays, but says the track with each `sync`, as a Go peer does."""
        self.silent = False
        self.track: dict[str, Any] | None = None
        self.playing = False
        self.position = 0.0
        self.header: bytes | None = b"OK wav 705600 30.00\n"
        self.sound = b"RIFF and so on"
        self.held = asyncio.Event()
        """Unset: streams stay open after the sound."""
        self.held.set()
        self.asked: list[bytes] = []

    async def open(self) -> None:
        await super().open()
        await self.host.serve(LISTEN, self._play)
        await self.host.serve("/goop/data/1.0.0", self._refuse)

    async def _take(self, stream: Stream) -> None:
        await super()._take(stream)
        sender, topic, payload = self.got[-1]
        if topic == f"group:{SESSION}:join" and not self.silent:
            assert (payload["type"], payload["group"]) == ("join", SESSION)
            await self._let_in(sender)
        elif topic == f"group:{SESSION}:leave":
            self.members.remove(sender)

    async def _let_in(self, peer: str) -> None:
        if self.full:
            refused = {"code": "full", "message": "no room"}
            error = {"type": "error", "group": SESSION, "payload": refused, **refused}
            await self.send(peer, f"group:{SESSION}:error", error)
            return
        loaded, playing = self.track, self.playing
        self.members.append(peer)
        listed = [{"peer_id": each, "joined_at": int(time.time() * 1000)} for each in (self.host.peer_id, *self.members)]
        welcome = {"group_name": self.name, "app_type": "listen", "max_members": 0, "volatile": True, "members": listed}
        await self.send(peer, f"group:{SESSION}:welcome", welcome)
        if loaded is not None and not self.is_go:
            await self._control(peer, "load", track=loaded)
            await self._control(peer, "play" if playing else "pause", position=self.position)

    async def load(self, name: str, duration: float) -> None:
        self.track = {"name": name, "duration": duration, "bitrate": 705_600, "format": "wav", "is_stream": False}
        self.playing, self.position = False, 0.0
        await self.control("load", track=self.track)

    async def sync(self) -> None:
        """What a Go peer says every 5 s while it plays."""
        await self.control("sync", track=self.track, position=self.position)

    async def control(self, action: str, **more: Any) -> None:
        """Said to all members."""
        for peer in self.members:
            await self._control(peer, action, **more)

    async def _control(self, peer: str, action: str, **more: Any) -> None:
        said = {"action": action, **more, "queue": ["a.wav"], "queue_types": ["file"], "queue_index": 0, "queue_total": 1}
        await self.send(peer, f"group:{SESSION}:msg", {"app_type": "listen", "listen": said})

    async def close(self) -> None:
        for peer in self.members:
            await self.send(peer, f"group:{SESSION}:close", {"type": "close", "group": SESSION, "from": self.host.peer_id})

    async def _refuse(self, stream: Stream) -> None:
        """It has none of our operations."""
        await line(stream)
        await stream.finish(b'{"ok":false,"error":"unknown operation"}\n')

    async def _play(self, stream: Stream) -> None:
        self.asked.append(await line(stream))
        if self.header is None:
            await asyncio.Event().wait()
            return
        await stream.write(self.header + self.sound)
        await self.held.wait()
        await stream.finish()
