"""The console with much in it: how long each page takes to be usable, a click to be answered, and what a tab holds after live updates.

MINUTES=10 python -m benchmarks console   watches the tab for so long
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import httpx
from playwright.async_api import CDPSession, Page, async_playwright

from benchmarks.console_folder import BIG, ROWS, RUNS, SCRIPTS, TABLES, fill
from benchmarks.report import table
from benchmarks.started_peer import MEGABYTE, a_folder, cpu_seconds, environment

ROUNDS: Final = 5
USABLE_MS: Final = 500
ANSWERED_MS: Final = 100
MINUTES: Final = float(os.environ.get("MINUTES", "3"))
SAMPLE_SECONDS: Final = 10.0
CALLS_A_SECOND: Final = 20
"""Of live updates: more than a person reads, and as many as the page takes in one go each half second."""
WAIT_SECONDS: Final = 30.0
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
_LAST_TABLE: Final = f"table_{TABLES - 2:03}"
_LAST_SCRIPT: Final = f"script-{SCRIPTS - 1:04}"


class Place(NamedTuple):
    """A page, and what shows that it can be used."""

    page: str
    ready: str


class Click(NamedTuple):
    """Something done on a page: JavaScript that does it and whether it is answered."""

    name: str
    page: Place
    act: str
    answered: str


PAGES: Final = (
    Place("home", ".page-home .facts"),
    Place("scripts", ".page-scripts .script-list [data-key]"),
    Place("schedules", ".page-schedules h1"),
    Place("site", ".page-site .script-list a, .page-site .tree"),
    Place("chat", ".page-chat textarea"),
    Place("runs", ".page-runs .rows .line"),
    Place("data", ".page-data .grid th"),
    Place(f"data?table={BIG}", ".page-data .grid td"),
    Place("listen", ".page-listen h1"),
    Place("groups", ".page-groups h1"),
    Place("rooms", ".page-rooms h1"),
    Place("files", ".page-files h1"),
    Place("network", ".page-network h1"),
    Place("cluster", ".page-cluster h1"),
    Place("secrets", ".page-secrets h1"),
    Place("settings", ".page-settings input"),
    Place(f"runs/{RUNS}", ".run-card"),
)
_SCRIPTS, _RUNS, _BIG = PAGES[1], PAGES[5], PAGES[7]
_TYPE: Final = "const box = document.querySelector('{0}'); box.value = '{1}'; box.dispatchEvent(new Event('input', {{ bubbles: true }}));"
_PRESS: Final = "[...document.querySelectorAll('button')].find((one) => one.textContent === '{0}').click();"
_SCRIPT_LINK: Final = "document.querySelector('[data-key=\"function/{0}\"] a')"
CLICKS: Final = (
    Click(
        "open a script",
        _SCRIPTS,
        f"{_SCRIPT_LINK.format('script-0007')}.click();",
        "document.querySelector('.script-work h2').textContent === 'script-0007'",
    ),
    Click(
        "find one of 1,000 scripts",
        _SCRIPTS,
        _TYPE.format(".script-list input", _LAST_SCRIPT),
        f"document.querySelectorAll('.script-list [data-key]').length === 1 && {_SCRIPT_LINK.format(_LAST_SCRIPT)}",
    ),
    Click("open a run", _RUNS, "document.querySelector('.rows .line').click();", "document.querySelector('.run-card')"),
    Click(
        "scroll among the runs",
        _RUNS,
        "const box = document.querySelector('.rows'); box.scrollTop = 500 * 34;",
        "[...document.querySelectorAll('.rows .line')].some((one) => one.style.top === '17000px')",
    ),
    Click(
        "failed runs alone",
        _RUNS,
        "const one = document.querySelectorAll('.filters select')[1]; one.value = 'failed'; one.dispatchEvent(new Event('change'));",
        "![...document.querySelectorAll('.rows .badge')].some((one) => one.textContent === 'ok')",
    ),
    Click(
        "open another of 500 tables",
        _BIG,
        f"document.querySelector('[data-table=\"{_LAST_TABLE}\"]').click();",
        f"document.querySelector('.data-head h2').textContent === '{_LAST_TABLE}' && document.querySelector('.grid')",
    ),
    Click(
        "find one of 500 tables",
        _BIG,
        _TYPE.format(".table-card input[type=search]", _LAST_TABLE),
        "document.querySelectorAll('.table-list a').length === 1",
    ),
    Click(
        "next page of 10^6 rows",
        _BIG,
        _PRESS.format("Next"),
        "[...document.querySelectorAll('.grid td')].some((one) => one.textContent === '51')",
    ),
    Click(
        "last page of 10^6 rows",
        _BIG,
        f"const box = document.querySelector('.page-number'); box.value = '{ROWS // 50}'; box.form.requestSubmit();",
        f"[...document.querySelectorAll('.grid td')].some((one) => one.textContent === '{ROWS}')",
    ),
    Click(
        "sort 10^6 rows by a column",
        _BIG,
        "[...document.querySelectorAll('.grid th button')].find((one) => one.textContent.startsWith('points')).click();",
        "document.querySelector('.grid [aria-sort]').textContent.startsWith('points')",
    ),
)
_TIMED: Final = """async ([act, answered, seconds]) => {
  const does = new Function(act);
  const isAnswered = new Function(`return Boolean(${answered});`);
  const frame = () => new Promise(requestAnimationFrame);
  const begun = performance.now();
  does();
  while (!isAnswered()) {
    if (performance.now() - begun > seconds * 1000) throw new Error(`no answer: ${answered}`);
    await frame();
  }
  await frame();
  return performance.now() - begun;
}"""


class Timed(NamedTuple):
    """What something took: by the clock, in the page's own thread, and in the peer's process; milliseconds, medians of the rounds."""

    clock: float
    page: float
    peer: float
    best: float
    load: float


async def run() -> str:
    """Return the whole section."""
    with a_folder() as place:
        await asyncio.to_thread(fill, place)
        with _peer(place) as (pid, address):
            async with _tab(address) as (page, session):
                tab = _Tab(page, session, pid)
                pages = [(each.page, await tab.opening(each)) for each in PAGES]
                clicks = [(each.name, await tab.clicking(each)) for each in CLICKS]
                samples = await tab.watched(address)
    return _section(pages, clicks, samples)


class _Tab:
    """A tab of the console, and how it is measured."""

    def __init__(self, page: Page, session: CDPSession, peer: int) -> None:
        self._page = page
        self._session = session
        self._peer = peer

    async def opening(self, place: Place) -> Timed:
        """Return what opening a page takes, from another one."""
        rounds = []
        for _ in range(ROUNDS):
            await self._at(PAGES[2] if place != PAGES[2] else PAGES[3])
            rounds.append(await self._timed(f"location.hash = '#/{place.page}';", f"document.querySelector('{place.ready}')"))
        return _median(rounds)

    async def clicking(self, click: Click) -> Timed:
        """Return what is between something done and its answer."""
        rounds = []
        for _ in range(ROUNDS):
            await self._at(PAGES[2])
            await self._at(click.page)
            await asyncio.sleep(0.5)  # what the page asks for once it is there: counts, columns, plots
            rounds.append(await self._timed(click.act, click.answered))
        return _median(rounds)

    async def _at(self, place: Place) -> None:
        await self._page.evaluate(_TIMED, [f"location.hash = '#/{place.page}';", f"document.querySelector('{place.ready}')", WAIT_SECONDS])

    async def _timed(self, act: str, answered: str) -> Timed:
        before, peer_before = await self._thread_seconds(), cpu_seconds([self._peer])
        taken = await self._page.evaluate(_TIMED, [act, answered, WAIT_SECONDS])
        page, peer = await self._thread_seconds() - before, cpu_seconds([self._peer]) - peer_before
        return Timed(taken, page * 1000, peer * 1000, taken, os.getloadavg()[0])

    async def _thread_seconds(self) -> float:
        metrics = (await self._session.send("Performance.getMetrics"))["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))

    async def watched(self, address: str) -> list[tuple[float, float, int]]:
        """Return (minutes, megabytes of heap, nodes) of the runs page while scripts run all the time."""
        await self._at(_RUNS)
        token = address.partition("token=")[2]
        samples, begun = [], time.monotonic()
        calling = asyncio.create_task(_calls(address.partition("#")[0], token))
        try:
            while (passed := time.monotonic() - begun) < MINUTES * 60:
                samples.append((passed / 60, *await self._held()))
                await asyncio.sleep(SAMPLE_SECONDS)
        finally:
            calling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await calling
        samples.append(((time.monotonic() - begun) / 60, *await self._held()))
        return samples

    async def _held(self) -> tuple[float, int]:
        await self._session.send("HeapProfiler.collectGarbage")
        metrics = {each["name"]: each["value"] for each in (await self._session.send("Performance.getMetrics"))["metrics"]}
        return metrics["JSHeapUsedSize"] / MEGABYTE, int(metrics["Nodes"])


async def _calls(console: str, token: str) -> None:
    """Call a function as the owner, CALLS_A_SECOND, until it is cancelled."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=console, headers=headers, trust_env=False) as client:
        for number in range(2**31):
            body = {"kind": "function", "name": f"script-{number % SCRIPTS:04}", "argument": "{}"}
            (await client.post("/api/console/scripts/try", json=body)).raise_for_status()
            await asyncio.sleep(1 / CALLS_A_SECOND)


@contextlib.contextmanager
def _peer(place: Path) -> Iterator[tuple[int, str]]:
    """Run the peer where a browser of this machine reaches it; yield its process and the console's address."""
    command = [sys.executable, "-m", "goop2", "peer", str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(place.parent)) as started:
        try:
            assert started.stdout is not None
            found = re.search(r"console: (\S+)", started.stdout.readline())
            assert found is not None
            yield started.pid, found[1]
        finally:
            started.terminate()


@contextlib.asynccontextmanager
async def _tab(address: str) -> AsyncIterator[tuple[Page, CDPSession]]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise SystemExit("no Chromium here: as root `make system` installs it")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--headless", "--no-sandbox", "--disable-gpu"])
        try:
            page = await browser.new_page(viewport={"width": 1280, "height": 900})
            await page.goto(address)
            await page.wait_for_selector(".page-home .facts")
            session = await page.context.new_cdp_session(page)
            await session.send("Performance.enable")
            yield page, session
        finally:
            await browser.close()


def _median(rounds: Sequence[Timed]) -> Timed:
    middle = Timed(*(median(values) for values in zip(*rounds, strict=True)))
    return middle._replace(best=min(each.clock for each in rounds))


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Return the slope of a straight line through points, by least squares."""
    x_middle, y_middle = (sum(values) / len(samples) for values in zip(*samples, strict=True))
    spread = sum((x - x_middle) ** 2 for x, _ in samples)
    return sum((x - x_middle) * (y - y_middle) for x, y in samples) / spread if spread else 0.0


def _section(pages: Sequence[tuple[str, Timed]], clicks: Sequence[tuple[str, Timed]], samples: Sequence[tuple[float, float, int]]) -> str:
    head = ["", "ms, median", "best", "target", "of it in the page's thread", "in the peer's process", "load"]
    settled = samples[len(samples) // 3 :]
    points = [(at, megabytes) for at, megabytes, _ in settled]
    memory = (
        f"The page of runs was watched for {samples[-1][0]:.1f} minutes while at most {CALLS_A_SECOND} scripts a second ran. The heap after"
        f" a collection was {samples[0][1]:.1f} MB at first, {settled[0][1]:.1f} MB after a third of the time and {samples[-1][1]:.1f} MB"
        f" at the end, {slope(points):+.3f} MB a minute since then; {samples[0][2]:,} nodes at first, {samples[-1][2]:,} at the end."
    )
    introduction = (
        f"Chromium at 1280 pixels beside `goop2 peer` with {SCRIPTS:,} scripts, {TABLES} tables, {RUNS:,} runs and a table of {ROWS:,}"
        f" rows; {ROUNDS} rounds each. A page is usable when what it lists is painted. *Load* is the machine's mean of one minute, with all"
        " that ran there, on two cores: times by the clock count the waiting for a core, the two columns of processor time do not."
    )
    return "\n\n".join(
        [
            "## The console with much in it",
            introduction,
            table(["page", *head[1:]], [[f"`{name}`", *_line(timed, USABLE_MS)] for name, timed in pages]),
            table(["what is done", *head[1:]], [[name, *_line(timed, ANSWERED_MS)] for name, timed in clicks]),
            memory,
        ]
    )


def _line(timed: Timed, target: int) -> list[str]:
    return [f"**{timed.clock:.0f}**", f"{timed.best:.0f}", f"≤ {target}", f"{timed.page:.0f}", f"{timed.peer:.0f}", f"{timed.load:.1f}"]
