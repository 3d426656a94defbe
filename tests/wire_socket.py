"""A WebSocket client written from RFC 6455, as a Go peer opens one at a rendezvous: no code of ours, and no library's."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import ssl
import struct
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
SECONDS = 20
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WireSocket:
    """One connection; frames are sent masked, as clients must."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
        self._reader, self._writer = reader, writer
        self.status = status
        """101, or why there is no socket."""
        self.body = body
        self.pings = 0

    async def __aenter__(self) -> WireSocket:
        return self

    async def __aexit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def send(self, message: bytes, opcode: int = TEXT, *, final: bool = True) -> None:
        mask = os.urandom(4)
        size = len(message)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack("!H", size)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(message))
        self._writer.write(bytes([(0x80 if final else 0) | opcode]) + length + mask + masked)

    async def frame(self) -> tuple[int, bytes]:
        """The next frame; a ping is answered."""
        async with asyncio.timeout(SECONDS):
            first, size = await self._reader.readexactly(2)
            if size >= 126:
                width = 2 if size == 126 else 8
                size = int.from_bytes(await self._reader.readexactly(width), "big")
            content = await self._reader.readexactly(size)
        if first & 0x0F == PING:
            self.pings += 1
            self.send(content, PONG)
        return first & 0x0F, content

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        while True:
            opcode, content = await self.frame()
            if opcode == CLOSE:
                return
            if opcode == TEXT:
                yield json.loads(content)

    async def next(self) -> dict[str, Any]:
        async for message in self.messages():
            return message
        raise AssertionError("closed")

    async def closed_with(self) -> int:
        """Read to the close; its code."""
        while True:
            opcode, content = await self.frame()
            if opcode == CLOSE:
                return int.from_bytes(content[:2], "big")


async def wire_socket(
    port: int, path: str = "/ws?peer_id=x", *, source: str = "", tls: ssl.SSLContext | None = None, name: str = "127.0.0.1", **headers: str
) -> WireSocket:
    """Connect; headers are written with underscores. `source`: the address to come from."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, local_addr=(source, 0) if source else None, ssl=tls, server_hostname=name if tls is not None else None
    )
    key = base64.b64encode(os.urandom(16))
    lines = [f"GET {path} HTTP/1.1", f"Host: {name}:{port}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Key: {key.decode()}", "Sec-WebSocket-Version: 13"]
    lines += [f"{field.replace('_', '-')}: {value}" for field, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    async with asyncio.timeout(SECONDS):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status = int(head.split(" ")[1])
    if status == 101:
        accepted = base64.b64encode(hashlib.sha1(key + _MAGIC).digest()).decode()
        assert f"sec-websocket-accept: {accepted}".lower() in head.lower()
        return WireSocket(reader, writer, status, b"")
    async with asyncio.timeout(SECONDS):
        return WireSocket(reader, writer, status, await reader.read(200))
