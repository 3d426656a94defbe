"""Peers that are not ours, driven from here: made of go-libp2p, js-libp2p and py-libp2p alone, built or fetched where their tools are.

A machine without them skips their tests by name. Each program is told what to do by a JSON line on stdin, and tells by one on stdout:

    {"n": 1, "do": "connect", "address": …}                                 →  {"n": 1, "data"?: base64} or {"n": 1, "error": "…"}
    {"n": 2, "do": "ask", "peer", "protocol", "data", "most"}               writes data, reads until the end or `most` bytes
    {"n": 3, "do": "answer", "protocol", "data", "lines"}                   from now on reads so many lines, writes data and closes
    {"n": 4, "do": "subscribe" | "publish", "topic", "data"?}               GossipSub
    {"n": 5, "do": "mdns", "tag"}                                           go-libp2p's own service
    {"event": protocol or topic, "sender": peer id, "data": base64}         what came; messages (mq) are acknowledged always

What peers say to each other is in no program: the tests write and compare the bytes.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import itertools
import json
import shutil
import signal
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.interop import go_program
from tests.interop.python_environment import NoEnvironmentError, cache, python

from goop2.net.address import parse

HERE: Final = Path(__file__).parent
FETCH_SECONDS: Final = 900
"""The first time fetches and compiles; later ones take a second."""
ANSWER_SECONDS: Final = 60
MOST_BYTES: Final = 4 * 1024 * 1024
Build = Callable[[Path], list[str]]
"""Makes such a program, into a folder; the command that runs it."""
LOOPBACK: Final = "/ip4/127.0.0.1/tcp/0"


class OtherRefusedError(Exception):
    """The other program could not do what it was told; its own words."""


def go_peer(_folder: Path) -> list[str]:
    """The command of the peer in tests/interop/golang."""
    try:
        return [str(go_program.build())]
    except go_program.NoToolchainError as error:
        pytest.skip(f"go-libp2p interop: {error}")


def js_peer(_folder: Path, program: str = "peer.js") -> list[str]:
    """The command of a peer in tests/interop/js; its packages, Node 22 among them, are fetched once into the user's cache."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("js-libp2p interop: no node and npm here")
    lock = hashlib.sha256((HERE / "js/package-lock.json").read_bytes()).hexdigest()[:16]
    place = cache() / f"js-{lock}"
    if not (place / "node_modules/.bin/node").exists():
        _fetch(npm, place)
    # Beside it and then in its place, whole: another test may be starting it.
    with tempfile.NamedTemporaryFile("wb", dir=place, delete=False) as copy:
        copy.write((HERE / "js" / program).read_bytes())
    Path(copy.name).replace(place / program)
    return [str(place / "node_modules/.bin/node"), str(place / program)]


def py_peer(_folder: Path) -> list[str]:
    """The command of the peer in tests/interop/python, in an environment of its own."""
    try:
        return [str(python()), str(HERE / "python/peer.py")]
    except NoEnvironmentError as error:
        pytest.skip(f"py-libp2p interop: {error}")


def _fetch(npm: str, place: Path) -> None:
    """The packages, in their place when they are whole: several tests may fetch them at once."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as beside:
        folder = Path(beside) / "js"
        shutil.copytree(HERE / "js", folder, ignore=shutil.ignore_patterns("node_modules"))
        fetched = _run(folder, npm, "ci", "--no-audit", "--no-fund", "--fetch-retries=1")
        if fetched.returncode or not (folder / "node_modules/.bin/node").exists():
            pytest.skip(f"js-libp2p interop: its packages cannot be fetched here: {fetched.stderr.strip()[-300:]}")
        with contextlib.suppress(OSError):  # another was first
            folder.rename(place)


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, timeout=FETCH_SECONDS, capture_output=True, text=True, check=False)


class Other:
    """Such a peer while it runs."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self.address = address
        self.id = parse(address).peer
        self._process = process
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._came: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
        self._news = asyncio.Condition()

    async def connect(self, address: str) -> None:
        """Raises `OtherRefusedError`."""
        await self._do("connect", address=address)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It does nothing until the block is left; what is sent to it waits."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    async def ask(self, peer: str, protocol: str, data: bytes = b"", most: int = MOST_BYTES) -> bytes:
        """What the peer writes. Raises `OtherRefusedError`."""
        return await self._do("ask", peer=peer, protocol=protocol, data=_text(data), most=most)

    async def answer(self, protocol: str, data: bytes, lines: int = 1) -> None:
        """Answer this from now on."""
        await self._do("answer", protocol=protocol, data=_text(data), lines=lines)

    async def subscribe(self, topic: str) -> None:
        """Take part in a topic."""
        await self._do("subscribe", topic=topic)

    async def publish(self, topic: str, data: bytes) -> None:
        """Say something in a topic. Raises `OtherRefusedError`."""
        await self._do("publish", topic=topic, data=_text(data))

    async def mdns(self, tag: str) -> None:
        """Look for others, and be found."""
        await self._do("mdns", tag=tag)

    async def came(self, event: str, part: bytes = b"") -> tuple[str, bytes]:
        """The first (sender, data) with `part` in it that came as `event`; each is given once."""
        async with asyncio.timeout(ANSWER_SECONDS), self._news:
            while True:
                for found in self._came[event]:
                    if part in found[1]:
                        self._came[event].remove(found)
                        return found
                await self._news.wait()

    def all_that_came(self, event: str) -> list[tuple[str, bytes]]:
        """What was not taken by `came`."""
        return list(self._came[event])

    async def message(self, topic: str) -> tuple[str, dict[str, Any]]:
        """Sender and message of the next one with this topic."""
        sender, line = await self.came("/goop/mq/1.0.0", f'"topic":"{topic}"'.encode())
        assert line.endswith(b"\n")
        return sender, json.loads(line)

    async def listen(self, lines: asyncio.StreamReader) -> None:
        """Takes what the program tells, until it ends."""
        while line := await lines.readline():
            told = json.loads(line)
            if "event" in told:
                async with self._news:
                    self._came[told["event"]].append((told.get("sender", ""), base64.b64decode(told["data"])))
                    self._news.notify_all()
            elif not (answer := self._answers.pop(told["n"])).done():  # else nobody waits for it any more
                if "error" in told:
                    answer.set_exception(OtherRefusedError(told["error"]))
                else:
                    answer.set_result(base64.b64decode(told.get("data") or ""))

    async def _do(self, what: str, **more: object) -> bytes:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"n": number, "do": what, **more}).encode() + b"\n")
        await self._process.stdin.drain()
        return await asyncio.wait_for(answer, ANSWER_SECONDS)


@contextlib.asynccontextmanager
async def running(command: list[str], *, security: str = "noise", listen_on: str = LOOPBACK) -> AsyncIterator[Other]:
    """The peer of this command until the block is left; it ends with its stdin."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, security, listen_on, stdin=pipe, stdout=pipe, limit=4 * MOST_BYTES)
    assert process.stdin is not None
    assert process.stdout is not None
    listening: asyncio.Task[None] | None = None
    try:
        up = json.loads(await asyncio.wait_for(process.stdout.readline(), ANSWER_SECONDS))
        other = Other(process, up["address"])
        listening = asyncio.create_task(other.listen(process.stdout))
        yield other
    finally:
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), ANSWER_SECONDS)
        if process.returncode is None:
            process.kill()
            await process.wait()
        if listening is not None:
            await listening


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
