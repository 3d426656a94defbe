"""kill -9 and SIGSTOP of one side in each phase of an exchange: the other has its outcome in the stated time, and nothing is left of it.

A killed peer is noticed without any time-out. A stopped one only by them: here they are a few seconds, and the outcome is waited for less
long than they really are.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.hostile.stops_in_phase import FILE, FILE_BYTES, LAST, MESSAGES, PHASES, RESEND
from tests.net.hosts import LOOPBACK, asked, connect, loopback_host
from tests.started import Started

from goop2.app import join, open_peer
from goop2.folder.creation import create
from goop2.folder.identity import load_or_create
from goop2.net import dialling, muxer, upgrade
from goop2.net import host as host_module
from goop2.net import stream as stream_module
from goop2.net.address import parse
from goop2.net.faults import NetworkError
from goop2.peers import client
from goop2.peers.network import PeerNetwork
from goop2.protocols import content
from goop2.scripting.invocation import Caller
from goop2.scripting.limits import WARM_WORKERS
from goop2.services.chat.service import SENT
from goop2.services.peer import Peer

PATIENCE_SECONDS = 30.0
"""For what another process does, on a machine that does other things too; ends a hang."""
OUTCOME_SECONDS = 9.0
"""For what is asked to have failed: less than the time-outs that are not made shorter (DIAL_SECONDS is the shortest)."""
SHORT_SECONDS = 2.0
HELLO = "function call() return 'hello' end"
LARGE = "function call() return string.rep('x', 1000000) end"


class Mother:
    """stops_in_phase.py under way, as one test sees it."""

    def __init__(self, process: subprocess.Popen[bytes], said: asyncio.StreamReader) -> None:
        self._process = process
        self._said = said
        self._pid = 0

    async def start(self, side: str, phase: str, folder: Path, address: str = "") -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{side}\t{phase}\t{folder}\t{address}\n".encode())
        self._process.stdin.flush()
        self._pid = int((await self.until("pid")).split()[1])

    async def until(self, word: str) -> str:
        """The next line that begins so; what comes before it is passed over."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                line = (await self._said.readline()).decode()
                assert line, "the mother is gone"
                assert word == "ended" or line != "ended\n", "the peer has ended"
                if line.startswith(word):
                    return line

    def send(self, what: signal.Signals) -> None:
        os.kill(self._pid, what)

    async def kill(self) -> None:
        """The child, whatever it does."""
        if self._pid:
            with suppress(ProcessLookupError):
                self.send(signal.SIGKILL)
            self._pid = 0
            await self.until("ended")


@dataclass
class Survivor:
    """The side that is not harmed: a whole peer."""

    peer: Peer
    network: PeerNetwork
    began: asyncio.Event = field(default_factory=asyncio.Event)
    """What the other side asked for is being carried out."""
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    """And may be answered."""
    before: dict[str, int] = field(default_factory=dict)

    def notice(self) -> None:
        """When a call begins, and when the last message is kept; both are answered when they may."""
        call, receive = self.peer.engine.call, self.peer.chat.receive

        async def call_noticed(*arguments: Any) -> Any:
            self.began.set()
            await self.may_go_on.wait()
            return await call(*arguments)

        async def receive_noticed(sender: str, wire_id: str, content: str, timestamp: int | None, origin: str = "") -> bool:
            new = await receive(sender, wire_id, content, timestamp, origin)
            if content == LAST:
                self.began.set()
                await self.may_go_on.wait()
            return new

        vars(self.peer.engine)["call"] = call_noticed
        vars(self.peer.chat)["receive"] = receive_noticed

    async def remember(self) -> None:
        """How much there is now, when what is under way has ended."""
        await asyncio.sleep(0.2)  # workers end and others come up
        self.before = await self.level()

    async def level(self) -> dict[str, int]:
        """All that may be left of an exchange."""
        host = self.network.host

        return {
            "connections": len(host.connections()),
            "places": len(host.admission._connections),
            "streams": len(host.admission._streams) + len(host.admission._lingering),
            "own streams": host._outgoing.total(),
            "bytes": host.admission.memory.held,
            "tasks": len(asyncio.all_tasks()),
            "descriptors": psutil.Process().num_fds(),
        }

    async def is_as_before(self) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while left := {what: size for what, size in (await self.level()).items() if size > self.before[what]}:
            assert time.monotonic() < end, (left, self.before)
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def mothers_process() -> Iterator[subprocess.Popen[bytes]]:
    with Started[bytes]([sys.executable, "-m", "tests.hostile.stops_in_phase"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE_SECONDS) == 0


@pytest.fixture
async def mother(mothers_process: subprocess.Popen[bytes]) -> AsyncIterator[Mother]:
    assert mothers_process.stdout is not None
    said = asyncio.StreamReader()
    pipe = os.fdopen(os.dup(mothers_process.stdout.fileno()), "rb", 0)
    reading, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(said), pipe)
    one = Mother(mothers_process, said)
    yield one
    await one.kill()
    reading.close()


@pytest.fixture(params=PHASES)
def phase(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def what(request: pytest.FixtureRequest, phase: str, monkeypatch: pytest.MonkeyPatch) -> signal.Signals:
    """What the other side is sent. A stopped peer is noticed by time-outs, which are made short."""
    if request.param == signal.SIGSTOP:
        shorten(monkeypatch, phase)
    return signal.Signals(request.param)


@pytest.fixture
async def survivor(what: signal.Signals, phase: str, tmp_path: Path) -> AsyncIterator[Survivor]:
    folder = tmp_path / "survivor"
    create(folder, "Survivor")
    (folder / "site/lua/functions").mkdir(parents=True, exist_ok=True)
    (folder / "site/lua/functions/hello.lua").write_text(HELLO)
    (folder / "site/lua/functions/large.lua").write_text(LARGE)
    (folder / "site" / FILE).write_bytes(bytes(FILE_BYTES))
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(open_peer(folder, {}))
        network = await stack.enter_async_context(join(peer, 0, listen_on=LOOPBACK, near_by=False))
        one = Survivor(peer, network)
        await peer.engine.call(Caller("somebody", "Somebody"), "hello", b"{}")  # the other worker comes with the first call
        end = time.monotonic() + PATIENCE_SECONDS
        while len(peer.pool.worker_pids) < WARM_WORKERS:
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        async with loopback_host() as visitor:
            await connect(visitor, network.host)
            assert await asked(visitor, network.host, b"", content.PROTOCOL)
        if phase in ("unanswered", "message"):
            one.notice()
        else:
            one.may_go_on.set()
        yield one
        one.may_go_on.set()


def shorten(monkeypatch: pytest.MonkeyPatch, phase: str) -> None:
    """The time-outs by which a stopped peer is noticed in this phase; that of silence when it is stopped (`harm`)."""
    monkeypatch.setattr(dialling, "DIAL_SECONDS", SHORT_SECONDS)
    if phase in ("dialling", "negotiating"):
        monkeypatch.setattr(upgrade, "HANDSHAKE_SECONDS", SHORT_SECONDS)
        return
    for module, name, seconds in (
        (client, "ANSWER_SECONDS", SHORT_SECONDS),
        (client, "EXCHANGE_SECONDS", SHORT_SECONDS),
        (stream_module, "WRITE_SECONDS", SHORT_SECONDS / 2),
        (stream_module, "LINGER_SECONDS", SHORT_SECONDS / 2),
        (host_module, "TIDY_SECONDS", SHORT_SECONDS / 16),
        (host_module, "PING_SECONDS", SHORT_SECONDS / 8),
    ):
        monkeypatch.setattr(module, name, seconds)


def harm(mother: Mother, what: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other side, now."""
    mother.send(what)
    if what == signal.SIGSTOP:
        monkeypatch.setattr(muxer, "SILENCE_SECONDS", SHORT_SECONDS / 2)


async def ask(survivor: Survivor, phase: str, peer: str) -> str:
    """What comes of asking the other side; "" for an answer, which there must not be."""
    network = survivor.network
    if phase == "message":
        return (await survivor.peer.chat.send(peer, LAST)).state.removeprefix(SENT)
    try:
        if phase in ("unanswered", "data"):
            await network.client.call(peer, "hello")
        elif phase == "file":
            async with network.client.file(peer, f"/{FILE}") as answer:
                async for _piece in answer.pieces:
                    pass
        else:
            await network.host.connect(peer)
    except NetworkError as fault:
        return str(fault)
    return ""


async def test_who_asks_has_an_outcome_in_time_and_nothing_is_left(
    phase: str, what: signal.Signals, mother: Mother, survivor: Survivor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "other"
    create(folder, "Other")
    await mother.start("callee", phase, folder)
    other = parse((await mother.until("address")).split()[1])
    survivor.network.host.knows([other])
    if phase == "message":
        for each in MESSAGES:
            assert (await survivor.peer.chat.send(other.peer, each)).state == SENT
        await survivor.network.host.disconnect(other.peer)
    await survivor.remember()
    asking = asyncio.create_task(ask(survivor, phase, other.peer))
    await mother.until("reached")
    harm(mother, what, monkeypatch)
    async with asyncio.timeout(OUTCOME_SECONDS):
        assert await asking
    await survivor.is_as_before()
    await mother.kill()
    if phase == "message":
        async with open_peer(folder, {}) as again:
            kept = await again.chat.messages(survivor.peer.identity.peer_id)
        assert [each.content for each in kept] == [*MESSAGES, LAST]


async def test_who_is_asked_is_rid_of_it_in_time_and_nothing_is_left(
    phase: str, what: signal.Signals, mother: Mother, survivor: Survivor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "other"
    create(folder, "Other")
    address = survivor.network.host.addresses[0]
    await survivor.remember()
    await mother.start("caller", phase, folder, address)
    await mother.until("reached")
    if phase in ("unanswered", "message"):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await survivor.began.wait()
    harm(mother, what, monkeypatch)
    survivor.may_go_on.set()
    await survivor.is_as_before()
    await mother.kill()
    if phase == "message":
        await mother.start("caller", RESEND, folder, address)
        await mother.until("acknowledged")
        await mother.kill()
        kept = await survivor.peer.chat.messages(load_or_create(folder).peer_id)
        assert [each.content for each in kept] == [*MESSAGES, LAST]
