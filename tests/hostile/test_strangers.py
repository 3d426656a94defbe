"""Strangers on the network that mean harm (stranger.py), against a peer as its owner runs it: others are answered, and nothing grows."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest
from tests.e2e.peers import Running, running
from tests.hostile.stranger import ATTACKS
from tests.net.hosts import loopback_host

from goop2.net.address import parse
from goop2.net.host import Host
from goop2.net.limits import MEGABYTE_BYTES
from goop2.peers.client import PeerClient
from goop2.protocols import data

ATTACK_SECONDS = 4.0
ANSWER_SECONDS = 20.0
"""For an honest caller meanwhile, on a machine that does other things too."""
GROWTH_MAX_BYTES = 80 * MEGABYTE_BYTES
"""What all strangers together may have unread (limits.py), and what Python keeps of it for later."""
HONEST_ANSWERS = 5


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("peer") / "peer", "Alice") as up:
        (up.folder / "site/film.bin").write_bytes(os.urandom(30 * MEGABYTE_BYTES))
        yield up


@pytest.mark.parametrize("attack", ATTACKS)
async def test_others_are_answered_while_a_stranger(attack: str, peer: Running) -> None:
    assert peer.process.poll() is None, "the peer has ended"
    resident = psutil.Process(peer.process.pid).memory_info
    async with loopback_host() as honest:
        other = parse(peer.address)
        await honest.connect(other.peer, [other])
        await honest_call(honest, other.peer)
        before = most = int(resident().rss)
        command = [sys.executable, "-m", "tests.hostile.stranger", attack, peer.address]
        stranger = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            assert stranger.stdout is not None
            assert await asyncio.wait_for(stranger.stdout.readline(), ANSWER_SECONDS) == b"begun\n"
            end, answers = time.monotonic() + ATTACK_SECONDS, 0
            while time.monotonic() < end or answers < HONEST_ANSWERS:
                await honest_call(honest, other.peer)
                answers += 1
                most = max(most, int(resident().rss))
                await asyncio.sleep(0.1)
            assert stranger.returncode is None, "it has ended, and shows nothing"
        finally:
            stranger.kill()
            await stranger.communicate()
        assert most - before < GROWTH_MAX_BYTES
        await honest_call(honest, other.peer)


async def honest_call(honest: Host, peer: str) -> None:
    async with asyncio.timeout(ANSWER_SECONDS):
        assert isinstance(await PeerClient(honest).ask(peer, data.DataRequest("lua-list")), data.SuccessAnswer)
