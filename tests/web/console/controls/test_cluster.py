"""The console's Cluster page: machines, their states and their calls, shown as they change."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from prometheus_client.parser import text_string_to_metric_families
from tests.web.axe import complaints
from tests.web.browser import PATIENCE_MS, go_to, launched
from tests.web.served import Served, served

from goop2.services.cluster_view import ClusterView, LeaseView, NodeView, StandbyView

pytestmark = pytest.mark.asyncio(loop_scope="module")

ATTIC = NodeView(name="attic", key="UA", host="<b>attic</b>", state="ready", why="", slots=8, under_way=2, calls=1234, losses=1)
CELLAR = NodeView(name="cellar", key="UB", host="cellar", state="refused", why="it runs goop2 9.9", slots=4, under_way=0, calls=0, losses=0)
VIEW = ClusterView(
    server="tls://hub:4222",
    connected=True,
    why="",
    version="2.15.1",
    spill="auto",
    nodes=(ATTIC, CELLAR),
    under_way=2,
    calls=1234,
    losses=1,
)


class Shown:
    """A cluster that is as the test says."""

    def __init__(self) -> None:
        self.now = VIEW

    def view(self) -> ClusterView:
        return self.now


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with served(tmp_path_factory.mktemp("cluster")) as one:
        yield one


async def test_without_a_cluster_the_page_says_how_to_get_one(up: Served, browser: Browser) -> None:
    page = await browser.new_page()
    await page.goto(up.web.console)
    await go_to(page, "cluster")
    await expect(page.get_by_text("Scripts run on this machine alone.")).to_be_visible(timeout=PATIENCE_MS)
    await page.close()


async def test_machines_are_shown_as_they_are_now(up: Served, browser: Browser) -> None:
    shown = Shown()
    object.__setattr__(up.peer, "cluster", shown)
    page = await browser.new_page()
    await page.goto(up.web.console)
    await go_to(page, "cluster")
    await expect(page.get_by_text("2 of 8 slots busy, 1,234 calls, 1 lost")).to_be_visible(timeout=PATIENCE_MS)
    await expect(page.get_by_text("It is not used: it runs goop2 9.9")).to_be_visible()
    await expect(page.get_by_text("<b>attic</b>")).to_be_visible()
    assert await complaints(page) == []
    shown.now = ClusterView(server="tls://hub:4222", connected=False, why="the server is not reached", version="", spill="auto")
    await expect(page.get_by_text("Scripts run on this machine alone: the server is not reached.")).to_be_visible(timeout=PATIENCE_MS)
    await page.close()


async def test_the_lease_and_its_standbys_are_shown(up: Served, browser: Browser) -> None:
    shown = Shown()
    spare = StandbyView(name="spare", host="attic", behind_seconds=1.6, trouble="its disk is full", is_here=True)
    lease = LeaseView(held=True, holder="cellar", since=0.0, age_seconds=2.2, term=3, standbys=(spare,))
    shown.now = msgspec.structs.replace(VIEW, lease=lease)
    object.__setattr__(up.peer, "cluster", shown)
    page = await browser.new_page()
    await page.goto(up.web.console)
    await go_to(page, "cluster")
    await expect(page.get_by_text("Term 3, held by cellar, renewed 2 s ago.")).to_be_visible(timeout=PATIENCE_MS)
    await expect(page.get_by_text("2 s behind")).to_be_visible()
    await expect(page.get_by_text("its disk is full")).to_be_visible()
    assert await complaints(page) == []
    if pictures := os.environ.get("GOOP2_SCREENSHOTS"):
        await page.screenshot(path=f"{pictures}/cluster.png", full_page=True)
    await page.close()


async def test_the_numbers_are_in_the_metrics(up: Served) -> None:
    object.__setattr__(up.peer, "cluster", Shown())
    token = (up.folder / "data/metrics.token").read_text().strip()
    answer = await up.ask("/metrics", host=up.console, authorization=f"Bearer {token}")
    families = text_string_to_metric_families(answer.body.decode())
    samples = {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}
    assert samples["goop2_cluster_calls_total",] == 1234
    assert samples["goop2_cluster_nodes", "refused"] == 1
    assert (samples["goop2_cluster_slots",], samples["goop2_cluster_connected",]) == (8, 1)


async def test_the_control_says_what_is_known(up: Served) -> None:
    object.__setattr__(up.peer, "cluster", None)
    answer = await up.ask("/api/console/cluster", host=up.console, authorization=f"Bearer {up.web.token.text}")
    assert (answer.status, json.loads(answer.body)) == (200, {"is_set_up": False, "cluster": None})
    assert (await up.ask("/api/console/cluster", host=up.console)).status == 403
