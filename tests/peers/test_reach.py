"""Whether others can dial this peer is said after somebody tried, and in words that say what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from tests.net.hosts import loopback_host

from goop2.net.reachability import Reachability
from goop2.peers.reach import reach_of

RELAYED = ("/ip4/192.0.2.9/tcp/4001/p2p/relay/p2p-circuit/p2p/us",)


@pytest_asyncio.fixture
async def known() -> AsyncIterator[Reachability]:
    async with loopback_host() as host:
        yield Reachability(host)


async def test_before_anybody_has_tried_it_is_not_known(known: Reachability) -> None:
    reach = reach_of(known, RELAYED)
    assert (reach.reachable, reach.dialled_at) == (None, ())
    assert "not known yet" in reach.text


async def test_who_was_dialled_from_outside_is_reachable_there(known: Reachability) -> None:
    known._note("them", "/ip4/8.8.8.8/tcp/4001", came=True)
    known._note("others", "/ip6/2606:4700::1111/tcp/4001", came=True)
    reach = reach_of(known, ())
    assert reach.reachable is True
    assert [(each.address, each.by, each.private) for each in reach.dialled_at] == [
        ("/ip4/8.8.8.8/tcp/4001", "them", False),
        ("/ip6/2606:4700::1111/tcp/4001", "others", False),
    ]
    assert reach.text == "Others can dial this peer: it was dialled at /ip4/8.8.8.8/tcp/4001, /ip6/2606:4700::1111/tcp/4001."


async def test_an_address_of_a_private_network_says_nothing_of_others(known: Reachability) -> None:
    known._note("them", "/ip4/10.1.2.3/tcp/4001", came=True)
    reach = reach_of(known, ())
    assert reach.reachable is None
    assert [each.private for each in reach.dialled_at] == [True]
    assert "Others in the same private network can dial this peer: it was dialled at /ip4/10.1.2.3/tcp/4001" in reach.text


async def test_who_was_not_reached_is_told_what_to_do_unless_a_relay_does_it(known: Reachability) -> None:
    known._note("them", "/ip4/8.8.8.8/tcp/4001", came=False)
    assert reach_of(known, RELAYED).reachable is False
    assert "You need to set nothing" in reach_of(known, RELAYED).text
    assert "p2p.listen_port" in reach_of(known, ()).text
    assert "presence.rendezvous_wan" in reach_of(known, ()).text
