"""A running peer takes over settings that are saved: label, limits and switches, for calls that begin afterwards."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from goop2.app import open_peer
from goop2.config import Settings
from goop2.config.settings import declared, with_live
from goop2.scripting.engine import Failure, Success
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.services.live_settings import LiveSettings
from goop2.services.peer import Peer

FUNCTIONS = {
    "me": "function call() return goop.self.label end",
    "keeps": "function call() goop.kv.set('a', 1) return goop.kv.get('a') end",
    "hungry": "function call() local t = {} for i = 1, 2e5 do t[i] = ('x'):rep(100) .. i end return #t end",
    "slow": "function call() while true do end end",
    "waits": "function call() local ends = os.time() + 2 while os.time() < ends do end return goop.self.label end",
}
ANN = Caller("ann", "Ann")


@pytest_asyncio.fixture
async def peer(tmp_path: Path) -> AsyncIterator[Peer]:
    place = tmp_path / "site/lua/functions"
    place.mkdir(parents=True)
    for name, source in FUNCTIONS.items():
        (place / f"{name}.lua").write_text(source)
    lua = {"enabled": True, "max_workers": 4, "timeout_seconds": 5}
    (tmp_path / "goop.json").write_text(json.dumps({"lua": lua, "profile": {"label": "Fred"}}))
    async with open_peer(tmp_path, {}) as one:
        yield one


def changed(settings: Settings, section: str, **values: object) -> Settings:
    return dataclasses.replace(settings, **{section: dataclasses.replace(getattr(settings, section), **values)})


async def take(peer: Peer, section: str, **values: object) -> None:
    await peer.live_settings.take(changed(peer.settings, section, **values))


async def called(peer: Peer, name: str, caller: Caller | None = None) -> Any:
    answer = await peer.engine.call(caller or peer.owner, name)
    return json.loads(answer.json) if isinstance(answer, Success) else answer


async def test_the_label_is_another_for_scripts_and_callers(peer: Peer) -> None:
    assert await called(peer, "me") == "Fred"
    await take(peer, "profile", label="Freda")
    assert peer.owner.label == "Freda"
    assert await called(peer, "me") == "Freda"


async def test_a_call_under_way_ends_as_it_began_and_no_worker_of_before_is_left(peer: Peer) -> None:
    await called(peer, "me")
    before = set(peer.pool.worker_pids)
    under_way = asyncio.create_task(called(peer, "waits"))
    await asyncio.sleep(0.2)  # until the script runs
    await take(peer, "profile", label="Freda")
    assert await called(peer, "me") == "Freda"
    assert await under_way == "Fred"
    for _ in range(100):
        if not before & set(peer.pool.worker_pids):
            break
        await asyncio.sleep(0.05)
    assert not before & set(peer.pool.worker_pids)
    assert await called(peer, "me") == "Freda"


async def test_switches_of_scripts(peer: Peer) -> None:
    assert await called(peer, "keeps") is None
    await take(peer, "lua", kv_enabled=True)
    assert await called(peer, "keeps") == 1
    await take(peer, "lua", enabled=False)
    off = await called(peer, "me")
    assert isinstance(off, Failure)
    assert off.code is ErrorCode.UNAVAILABLE
    await take(peer, "lua", enabled=True)
    assert await called(peer, "me") == "Fred"


async def test_limits_of_calls(peer: Peer) -> None:
    small = await called(peer, "hungry")
    assert isinstance(small, Failure)
    assert small.code is ErrorCode.MEMORY
    await take(peer, "lua", max_memory_mb=100)
    assert await called(peer, "hungry") == 200_000
    await take(peer, "lua", timeout_seconds=1.0)
    begun = asyncio.get_running_loop().time()
    late = await called(peer, "slow")
    assert isinstance(late, Failure)
    assert late.code is ErrorCode.TIMEOUT
    assert asyncio.get_running_loop().time() - begun < 3


async def test_rates_count_the_calls_of_before(peer: Peer) -> None:
    await take(peer, "lua", rate_limit_per_peer=2)
    assert [isinstance(await called(peer, "me", ANN), Failure) for _ in range(3)] == [False, False, True]
    await take(peer, "lua", rate_limit_per_peer=3)
    assert [isinstance(await called(peer, "me", ANN), Failure) for _ in range(2)] == [False, True]


async def test_what_a_start_alone_reads_stays(peer: Peer) -> None:
    before = peer.settings
    wanted = changed(changed(before, "lua", script_dir="site/other", max_workers=9), "storage", max_mb=7)
    await peer.live_settings.take(wanted)
    assert peer.settings == before


def test_every_setting_is_taken_over_or_waits_as_it_is_declared() -> None:
    defaults = Settings()
    for each in declared():
        value = getattr(getattr(defaults, each.section), each.key)
        other = not value if isinstance(value, bool) else value + 1 if isinstance(value, int | float) else "other"
        wanted = changed(defaults, each.section, **{each.key: other})
        taken = getattr(getattr(with_live(defaults, wanted), each.section), each.key)
        assert (taken == other) is each.live, each.path


def test_a_history_is_neither_begun_nor_given_up_without_a_start() -> None:
    defaults = Settings()
    assert with_live(defaults, changed(defaults, "runs", keep_count=0)) == defaults
    assert with_live(changed(defaults, "runs", keep_count=0), defaults).runs.keep_count == 0


async def test_settings_that_cannot_be_applied_leave_the_old_ones() -> None:
    async def fails(_settings: Settings) -> None:
        raise OSError("no memory")

    live = LiveSettings(Settings(), fails)
    with pytest.raises(OSError, match="no memory"):
        await live.take(changed(Settings(), "profile", label="Freda"))
    assert live.current == Settings()
