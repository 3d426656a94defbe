"""The console's Network page: how each peer is connected and whether others can dial this one, shown as it changes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect
from prometheus_client.parser import text_string_to_metric_families
from tests.net.hosts import LOOPBACK, connect, loopback_host
from tests.web.browser import PATIENCE_MS, launched
from tests.web.served import Served, served

from goop2.app import join
from goop2.net.address import CIRCUIT, parse
from goop2.net.hole_punching import HolePuncher
from goop2.net.relay import open_relay
from goop2.peers.network import PeerNetwork

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_TIMER = "window.setInterval = () => 0"
"""So that only an event renews the page."""
OUTER = "/ip4/8.8.8.8/tcp/4001"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@dataclass
class Meeting:
    """Ann's peer and her open Network page; Bob, whom she reached through a relay."""

    ann: Served
    ann_network: PeerNetwork
    bob: PeerNetwork
    relay: str
    page: Page

    @property
    def here(self) -> Locator:
        return self.page.locator("section.card", has=self.page.get_by_role("heading", name="Who is here", exact=True))

    @property
    def outside(self) -> Locator:
        return self.page.locator("section.card", has=self.page.get_by_role("heading", name="This peer from outside", exact=True))

    async def metrics(self) -> dict[tuple[str, ...], float]:
        token = (self.ann.folder / "data/metrics.token").read_text().strip()
        answer = await self.ann.ask("/metrics", host=self.ann.console, authorization=f"Bearer {token}")
        families = text_string_to_metric_families(answer.body.decode())
        return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


@pytest_asyncio.fixture(loop_scope="module")
async def meeting(browser: Browser, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Meeting]:
    # Until the test connects them directly, nobody does.
    monkeypatch.setattr(HolePuncher, "_look_for_a_way", lambda *_: None)
    async with AsyncExitStack() as stack:
        relay = await stack.enter_async_context(loopback_host())
        await stack.enter_async_context(open_relay(relay, lambda: list(relay.addresses)))
        peers = []
        for label in ("Ann", "Bob"):
            up = await stack.enter_async_context(served(tmp_path_factory.mktemp("peer"), functions={}, profile={"label": label}))
            network = await stack.enter_async_context(join(up.peer, 0, listen_on=LOOPBACK, near_by=False))
            up.web.remote.attach(network)
            stack.callback(up.web.remote.detach)
            peers.append((up, network))
        (ann, ann_network), (_, bob) = peers
        await bob.host.reserve(relay.peer_id, [parse(relay.addresses[0])])
        await ann_network.host.connect(bob.host.peer_id, [parse(f"{relay.addresses[0]}{CIRCUIT}/p2p/{bob.host.peer_id}")])
        ann_network.roster.introduced(bob.host.peer_id, "Bob")
        context = await browser.new_context()
        stack.push_async_callback(context.close)
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        await page.add_init_script(NO_TIMER)
        await page.goto(ann.web.console)
        await expect(page.locator("#link")).to_have_text("Live")
        await page.keyboard.press("g")
        await page.keyboard.press("n")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Network")
        yield Meeting(ann, ann_network, bob, relay.peer_id, page)


async def test_a_direct_connection_that_replaces_a_relayed_one_shows_at_once(meeting: Meeting) -> None:
    await expect(meeting.here).to_contain_text("Bob")
    await expect(meeting.here).to_contain_text(f"relayed through {meeting.relay[:6]}")
    await expect(meeting.here).to_contain_text("ms")
    assert (await meeting.metrics())["goop2_peers", "relayed"] == 1
    await meeting.ann_network.host.dial_address(meeting.bob.host.peer_id, f"/ip4/{LOOPBACK}/tcp/{meeting.bob.host.port}")
    await expect(meeting.here).to_contain_text(f"direct {LOOPBACK}:{meeting.bob.host.port}")
    await expect(meeting.here).not_to_contain_text("relayed")
    metrics = await meeting.metrics()
    assert (metrics["goop2_peers", "direct"], metrics["goop2_peers", "relayed"]) == (1, 0)


async def test_who_dialled_this_peer_from_outside_and_where_shows_at_once(meeting: Meeting) -> None:
    await expect(meeting.outside).to_contain_text("not known yet")
    assert (await meeting.metrics())["goop2_reachable", "unknown"] == 1
    known = meeting.ann_network.discovery.reachability
    known._note(meeting.relay, OUTER, came=False)
    await expect(meeting.outside).to_contain_text("not reachable")
    known._note(meeting.relay, OUTER, came=True)
    await expect(meeting.outside).to_contain_text(f"Others can dial this peer: it was dialled at {OUTER}.")
    await expect(meeting.outside).to_contain_text(f"dialled by {meeting.relay[:6]}")
    assert (await meeting.metrics())["goop2_reachable", "yes"] == 1


async def test_its_control_says_how_each_peer_is_connected(meeting: Meeting) -> None:
    token = meeting.ann.web.token.text
    answer = await meeting.ann.ask("/api/console/network", host=meeting.ann.console, authorization=f"Bearer {token}")
    said = json.loads(answer.body)
    (bob,) = (peer for peer in said["peers"] if peer["label"] == "Bob")
    assert (bob["way"], bob["relay"], bob["address"]) == ("relayed", meeting.relay, "")
    assert (said["reach"]["reachable"], said["reach"]["dialled_at"]) == (None, [])


async def test_a_peer_that_has_gone_is_shown_no_more(meeting: Meeting) -> None:
    await expect(meeting.here).to_contain_text("Bob")
    await connect(meeting.ann_network.host, meeting.bob.host)
    meeting.ann_network.roster._gone(meeting.bob.host.peer_id)
    await expect(meeting.here).to_contain_text("No other peers found.")


async def test_an_address_that_was_typed_in_is_forgotten(meeting: Meeting) -> None:
    wrong = parse(f"/ip4/192.0.2.7/tcp/4001/p2p/{meeting.relay}")
    meeting.ann_network.discovery.redialer._remembered.add(wrong)
    await meeting.page.reload()
    await meeting.page.get_by_role("button", name=f"Forget /ip4/192.0.2.7/tcp/4001 of {meeting.relay}").click()
    await meeting.page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    await expect(meeting.page.get_by_text("/ip4/192.0.2.7")).to_have_count(0)
    assert meeting.ann_network.typed_in() == []
    assert not meeting.ann_network.forget(meeting.relay)
