"""Keys of other peers outlive a restart, whatever becomes of their file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.net.hosts import until

from goop2.peers import known_keys as module
from goop2.peers.discovery.peers_file import FILE, RememberedPeers
from goop2.peers.known_keys import KnownKeys


async def test_a_key_is_there_at_the_next_start(tmp_path: Path) -> None:
    known = KnownKeys(RememberedPeers(tmp_path))
    running = asyncio.create_task(known.run())
    known.learned("bob", "a key")
    await until(lambda: KnownKeys(RememberedPeers(tmp_path)).load() == {"bob": "a key"})
    known.learned("ann", "another")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await known.save()
    assert KnownKeys(RememberedPeers(tmp_path)).load() == {"bob": "a key", "ann": "another"}


async def test_a_flood_of_keys_costs_one_write_in_a_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAVE_PAUSE_SECONDS", 0.01)
    writes: list[int] = []
    remembered = RememberedPeers(tmp_path)
    monkeypatch.setattr(remembered, "add_keys", lambda keys: writes.append(len(keys)))
    known = KnownKeys(remembered)
    running = asyncio.create_task(known.run())
    for number in range(100):
        known.learned(f"peer{number}", "a key")
    await until(lambda: sum(writes) == 100)
    running.cancel()
    assert len(writes) == 1


async def test_a_file_that_is_broken_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / FILE).write_text("{")
    known = KnownKeys(RememberedPeers(tmp_path))
    assert known.load() == {}
    known.learned("bob", "a key")
    await known.save()
    assert (tmp_path / FILE).read_text() == "{", "the owner mends it"
