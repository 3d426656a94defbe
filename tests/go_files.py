"""A peer that shares files in groups as network.md, "Smaller protocols", says: it knows no pieces, and sends whole files alone."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from nacl.public import Box
from tests.go_peer import GoPeer
from tests.wire_sealer import line

from goop2.net.host import Host
from goop2.net.stream import Stream

DOCS = "/goop/docs/1.0.0"


def hash_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class GoFiles(GoPeer):
    """One peer; `files` are those of all groups that it hosts, `asked` what was asked of it."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.files: dict[str, bytes] = {}
        self.asked: list[dict[str, Any]] = []
        self.breaks_after: list[int] = []
        """Of the next files so many bytes are sent, then the stream ends in order."""
        self.listed: list[dict[str, Any]] | None = None
        """What it says it has instead of the truth."""
        self.box: Box | None = None
        """With it everything to and from the other peer is sealed."""

    async def open(self) -> None:
        await super().open()
        await self.host.serve(DOCS, self._answer)

    def hosts(self, group: str, name: str = "Go files", role: str = "viewer") -> None:
        super().hosts(group, name, role)
        self.groups[group]["type"] = "files"

    async def _answer(self, stream: Stream) -> None:
        text = await line(stream)
        sealed = text.startswith(b"ENC:")
        if sealed:
            assert self.box is not None
            text = self.box.decrypt(base64.b64decode(text[4:]))
        asked = json.loads(text)
        self.asked.append(asked)
        group = self.groups.get(asked["group_id"])
        if group is None or stream.peer not in group["members"]:
            await stream.finish(self._line({"ok": False, "error": "not a member"}, sealed=False))
        elif asked["op"] == "list":
            told = [{"name": name, "size": len(held), "mod_time": 1764000000, "hash": hash_of(held)} for name, held in self.files.items()]
            await stream.finish(self._line({"ok": True, "files": (told if self.listed is None else self.listed) or None}, sealed))
        else:
            await self._send(stream, self.files[asked["file"]], sealed)

    async def _send(self, stream: Stream, content: bytes, sealed: bool) -> None:
        if sealed:
            assert self.box is not None
            content = base64.b64encode(self.box.encrypt(content))
        await stream.write(b"%b application/octet-stream %d\n" % (b"EOK" if sealed else b"OK", len(content)))
        await stream.finish(content[: self.breaks_after.pop(0) if self.breaks_after else None])

    def _line(self, answer: object, sealed: bool) -> bytes:
        text = json.dumps(answer).encode()
        if not sealed:
            return text + b"\n"
        assert self.box is not None
        return b"ENC:" + base64.b64encode(self.box.encrypt(text)) + b"\n"

    async def ask(self, peer: str, **request: object) -> tuple[bytes, bytes]:
        """The first line of the answer, and what follows; sealed both ways when there is a box."""
        text = json.dumps(request).encode()
        if self.box is not None:
            text = b"ENC:" + base64.b64encode(self.box.encrypt(text))
        async with await self.host.open(peer, DOCS) as stream:
            await stream.write(text + b"\n")
            content = b""
            while piece := await stream.read():
                content += piece
        first, _, rest = content.partition(b"\n")
        if self.box is not None and first.startswith(b"ENC:"):
            first = self.box.decrypt(base64.b64decode(first[4:]))
        if self.box is not None and first.startswith(b"EOK "):
            rest = self.box.decrypt(base64.b64decode(rest, validate=True))
        return first, rest
