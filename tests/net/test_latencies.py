"""How long a ping takes is measured for each connection when somebody asks, and not more often."""

from __future__ import annotations

import asyncio

import pytest
from tests.net.hosts import connect, loopback_host, two_hosts

from goop2.net import latencies as module
from goop2.net.host import Host
from goop2.net.latencies import Latencies, open_latencies
from goop2.net.ping import PING
from goop2.net.stream import Stream


def latency(host: Host) -> float | None:
    (peer,) = host.peers()
    return peer.latency_seconds


async def measured(latencies: Latencies) -> None:
    task = latencies.measure()
    assert task is not None
    await task


async def test_nothing_is_measured_for_nobody_and_then_every_connection_is() -> None:
    async with two_hosts() as (caller, callee), open_latencies(caller) as latencies:
        assert latency(caller) is None
        changes = []
        unwatch = latencies.watch(lambda: changes.append(latency(caller)))
        await measured(latencies)
        await asyncio.sleep(0)
        found = latency(caller)
        assert found is not None
        assert 0 < found < 5
        assert changes == [found]
        assert latency(callee) is None, "each side measures for itself"
        unwatch()


async def test_a_young_measurement_is_not_repeated_and_one_under_way_is_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two_hosts() as (caller, _callee), open_latencies(caller) as latencies:
        assert latencies.measure() is latencies.measure()
        await measured(latencies)
        await asyncio.sleep(0)
        assert latencies.measure() is None
        monkeypatch.setattr(module, "LATENCY_FRESH_SECONDS", 0.0)
        latencies._next_at = 0.0
        await measured(latencies)


async def test_a_peer_that_answers_no_ping_keeps_no_latency_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.2)
    async with loopback_host() as caller, loopback_host() as silent, loopback_host() as honest, open_latencies(caller) as latencies:

        async def hold(_stream: Stream) -> None:
            await asyncio.sleep(60)  # until it is cancelled

        await silent.serve(PING, hold)
        for callee in (silent, honest):
            await connect(caller, callee)
        (connection,) = caller.connections(silent.peer_id)
        connection.latency_seconds = 0.001
        await measured(latencies)
        found = {each.peer: each.latency_seconds for each in caller.peers()}
        assert found[silent.peer_id] is None
        assert found[honest.peer_id] is not None


async def test_the_end_ends_a_measurement() -> None:
    async with two_hosts() as (caller, callee):

        async def hold(_stream: Stream) -> None:
            await asyncio.sleep(60)  # until it is cancelled

        await callee.serve(PING, hold)
        async with open_latencies(caller) as latencies:
            task = latencies.measure()
        assert task is not None
        assert task.cancelled()
