"""The rows of `make chaos` about a standby: real peers, real standbys, a real nats-server and a real Litestream, all on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.cli.command import GOOP2, environment
from tests.cluster.hub import Hub, ended, until
from tests.started import Started

from goop2.cluster.keys import read_key
from goop2.cluster.lease_store import BUCKET
from goop2.cluster.nats_bus import connected_to
from goop2.cluster.setup_files import invite
from goop2.web.http.peer_host import host_label
from proof.rows import ROWS, NotMeasuredError, row
from proof.wire import Wire

UP_SECONDS: Final = 60.0
TAKES_SECONDS: Final = 90.0
"""Until a standby must have taken over; what it took is measured."""
ROUNDS: Final = 2
PAUSE_SECONDS: Final = 0.05
"""Between two calls of a visitor."""
ANSWER_SECONDS: Final = 3.0
AWAY_SECONDS: Final = 120.0
"""For how long the server is away: minutes."""
HOUR: Final = "1h"


class Site:
    """A peer kept by a lease, and its standbys."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.folder = hub.folder
        self.home = hub.folder.parent
        self.place = self.home / "place"
        self.save({"cluster": {"nats": hub.url, "lease": True, "spill": "off"}})
        self.id = self.command("id", str(self.folder)).strip()  # makes the key, so before its copy
        self.command("backup", str(self.folder), "--identity", str(self.home / "blog.key"))

    def save(self, changes: dict[str, object]) -> None:
        settings = json.loads((self.folder / "goop.json").read_text())
        settings |= {
            "viewer": {"http_addr": "127.0.0.1:0"},
            "p2p": {"listen_port": 0},
            "lua": {"enabled": True, "rate_limit_per_peer": 100_000, "rate_limit_global": 100_000},
            "backup": {"to": f"file://{self.place}"},
            **changes,
        }
        (self.folder / "goop.json").write_text(json.dumps(settings))

    def command(self, *arguments: str) -> str:
        """Run a command of the folder to its end; what it answers."""
        done = subprocess.run([GOOP2, *arguments], env=environment(), capture_output=True, text=True, timeout=TAKES_SECONDS)
        if done.returncode:
            raise AssertionError(done.stderr)
        return done.stdout

    def key(self, name: str) -> Path:
        """Invite a standby; the server that runs reads it within a moment."""
        _, file = invite(self.folder, name, "standby")
        assert self.hub.server is not None
        self.hub.server.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        return file

    @contextmanager
    def owner(self, url: str = "") -> Iterator[Machine]:
        env = {"GOOP2_CLUSTER_NATS": url} if url else {}
        with machine("peer", str(self.folder), env=env) as one:
            one.address()
            yield one

    @contextmanager
    def standby(self, name: str, *before: str) -> Iterator[Machine]:
        """A standby that follows and whose lease is looked after."""
        self.command("backup", str(self.folder))  # there is something to follow
        arguments = ["standby", str(self.home / name), "--join", self.hub.url, "--key", str(self.key(name))]
        with machine(*arguments, "--identity", str(self.home / "blog.key"), before=before) as one:
            one.line("standing by for ")
            yield one

    def copied(self) -> None:
        """Wait until everything was copied, and the standbys know how far that is."""
        self.command("backup", str(self.folder))
        time.sleep(9.0)  # the peer asks Litestream each five seconds, and says it with the next renewal


class Machine:
    """A process of `goop2`, and what it says."""

    def __init__(self, process: Started[str]) -> None:
        self.process = process
        self.port = 0
        self.host = ""

    def line(self, begin: str) -> str:
        """Read until a line with this in it comes."""
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            if begin in line:
                return line
        assert self.process.stderr is not None
        raise AssertionError(f"it ended: {self.process.stderr.read()[-600:]}")

    def address(self) -> None:
        """Wait until it serves, and remember where."""
        found = re.search(r"site: http://([^/:]+):(\d+)/", self.line(" is up "))
        assert found is not None
        self.host, self.port = found[1], int(found[2])

    def call(self, number: int) -> bool:
        """Call the function `mark` as its page does; whether it was answered well."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        body = json.dumps({"function": "mark", "params": {"n": number}})
        try:
            head = {"Host": f"{self.host}:{self.port}", "Content-Type": "application/json", "Accept": "application/json"}
            connection.request("POST", "/api/data/lua/call", body, head)
            answer = connection.getresponse()
            answer.read()
            return answer.status == 200
        except OSError:
            return False
        except http.client.HTTPException:
            return False
        finally:
            connection.close()

    def all_pids(self) -> list[int]:
        """Of the peer, its workers and its Litestream."""
        import psutil

        process = psutil.Process(self.process.pid)
        return [process.pid, *(child.pid for child in process.children(recursive=True))]

    def signal_all(self, number: signal.Signals) -> None:
        """Signal all of them at once, as when the machine goes."""
        for pid in self.all_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


@contextmanager
def machine(*arguments: str, env: dict[str, str] | None = None, before: tuple[str, ...] = ()) -> Iterator[Machine]:
    command = [*before, sys.executable, "-m", "goop2", *arguments]
    with ended(Started(command, env=environment(env), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)) as process:
        one = Machine(process)
        try:
            yield one
        finally:
            with contextlib.suppress(Exception):
                one.signal_all(signal.SIGKILL)


def marks(folder: Path) -> set[int]:
    """What the calls have written, as the folder has it."""
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'data.db'}?mode=ro", uri=True)) as database:
        return {n for (n,) in database.execute("SELECT x FROM marks")}


class Visitor:
    """Calls one machine again and again; remembers what was answered well, and when."""

    def __init__(self) -> None:
        self.answered: dict[int, float] = {}
        self._number = 0

    async def visit(self, one: Machine, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self.once(one)
            await asyncio.sleep(PAUSE_SECONDS)

    async def once(self, one: Machine) -> bool:
        self._number += 1
        number = self._number
        if not await asyncio.to_thread(one.call, number):
            return False
        self.answered[number] = time.monotonic()
        return True

    async def until_refused(self, one: Machine, seconds: float) -> float:
        """Visit until nothing is answered for a second; when the last answer came."""
        begun = time.monotonic()
        while time.monotonic() < begun + seconds:
            await self.once(one)
            await asyncio.sleep(PAUSE_SECONDS)
            if time.monotonic() - max(self.answered.values()) > 1.0:
                return max(self.answered.values())
        raise AssertionError(f"it still answers after {seconds:.0f} s")

    def lost(self, folder: Path) -> dict[int, float]:
        """What was answered and is not in a folder."""
        there = marks(folder)
        return {number: at for number, at in self.answered.items() if number not in there}


async def takes_over(spare: Machine) -> None:
    await asyncio.wait_for(asyncio.to_thread(spare.address), TAKES_SECONDS)


async def ends(one: Machine) -> tuple[int, str]:
    """Wait for the end of a process; its exit code and last words."""
    await until(lambda: one.process.poll() is not None, TAKES_SECONDS)
    assert one.process.stderr is not None
    lines = [line for line in one.process.stderr.read().splitlines() if line.startswith("error: ")]
    return one.process.returncode, lines[-1] if lines else ""


@row("site back ≤ 15 s, rows lost ≤ 2 s")
async def standby_after_kill(hub: Hub) -> str:
    """The owner's machine goes (its peer, workers and Litestream killed), and a standby takes over; the owner comes back"""
    site = Site(hub)
    back, lost = [], []
    with ExitStack() as stack:
        owner = stack.enter_context(site.owner())
        visitor = Visitor()
        await visitor.once(owner)
        site.copied()
        for number in range(ROUNDS):
            spare = stack.enter_context(site.standby(f"spare{number}"))
            await visitor.visit(owner, 12)
            owner.signal_all(signal.SIGKILL)
            killed = time.monotonic()
            await takes_over(spare)
            while not await visitor.once(spare):
                pass
            back.append(time.monotonic() - killed)
            gone = visitor.lost(site.home / f"spare{number}")
            lost.append(killed - min(gone.values()) if gone else 0.0)
            for each in gone:
                del visitor.answered[each]
            owner = spare
        with machine("peer", str(site.folder)) as old:
            code, said = await ends(old)
    assert (code, "has taken the place of this peer" in said) == (2, True), (code, said)
    assert max(lost) <= 2.0, lost
    return (
        f"back after {max(back):.1f} s, {max(lost):.2f} s of rows lost (the worst of {ROUNDS}, the second standby after the first); "
        "the old one ends with one sentence"
    )


@row("nothing written after it, none acknowledged")
async def standby_after_freeze(hub: Hub) -> str:
    """The owner's machine freezes while scripts write, a standby takes over, and it goes on"""
    site = Site(hub)
    visitor = Visitor()
    with site.owner() as owner, site.standby("spare") as spare:
        await visitor.once(owner)
        site.copied()
        await visitor.visit(owner, 3)
        under_way = [asyncio.create_task(asyncio.to_thread(owner.call, 1_000_000 + number)) for number in range(8)]
        owner.signal_all(signal.SIGSTOP)
        frozen = time.monotonic()
        before = marks(site.folder)
        await takes_over(spare)
        while not await visitor.once(spare):
            pass
        back = time.monotonic() - frozen
        early = sum(await asyncio.gather(*under_way))  # what was answered before it froze
        late = [asyncio.create_task(asyncio.to_thread(owner.call, 2_000_000 + number)) for number in range(8)]
        await asyncio.sleep(0.5)
        owner.signal_all(signal.SIGCONT)
        thawed = time.monotonic()
        code, said = await ends(owner)
        took = time.monotonic() - thawed
        wrongly = sum(await asyncio.gather(*late))
        after = {number for number in marks(site.folder) - before if number >= 2_000_000}
        lost = {number: at for number, at in visitor.lost(site.home / "spare").items() if at < frozen - 2.0}
    assert (wrongly, len(after), code, lost) == (0, 0, 2, {}), (wrongly, after, code, lost, said)
    assert "has taken the place of this peer" in said, said
    thawed_said = f"thawed, it answered {wrongly} calls and wrote {len(after)} rows, and ended after {took:.1f} s"
    return f"back after {back:.1f} s; {thawed_said} ({early} of 8 answered before)"


@row("stops ≤ 10 s, never two, nothing acknowledged lost")
async def standby_after_cut(hub: Hub) -> str:
    """The owner is cut off from the server, not from visitors and its backup; a standby takes over; the network heals"""
    site = Site(hub)
    visitor = Visitor()
    async with Wire(hub.files.listen_port).laid() as wire:
        with ExitStack() as stack:
            owner = stack.enter_context(site.owner(f"tls://127.0.0.1:{wire.port}"))
            await visitor.once(owner)
            site.copied()
            spare = stack.enter_context(site.standby("spare"))
            await visitor.visit(owner, 3)
            wire.cut()
            cut = time.monotonic()
            taking = asyncio.create_task(takes_over(spare))
            last = await visitor.until_refused(owner, 15)
            await taking
            while not await visitor.once(spare):
                pass
            back = time.monotonic()
            lost = visitor.lost(site.home / "spare")
            wire.heal()
            code, said = await ends(owner)
    assert (lost, code) == ({}, 2), (lost, code, said)
    return (
        f"stopped after {last - cut:.1f} s, the standby served after {back - cut:.1f} s; {len(visitor.answered)} calls acknowledged, 0 lost"
    )


@row("stops ≤ 10 s, nobody takes over, back ≤ 5 s")
async def server_away(hub: Hub) -> str:
    """The server is away for two minutes while the owner and a standby run"""
    site = Site(hub)
    visitor = Visitor()
    with site.owner() as owner, site.standby("spare") as spare:
        await visitor.once(owner)
        site.copied()
        hub.stop()
        gone = time.monotonic()
        last = await visitor.until_refused(owner, 15)
        await asyncio.sleep(AWAY_SECONDS - (time.monotonic() - gone))
        hub.start()
        healed = time.monotonic()
        await asyncio.wait_for(asyncio.to_thread(owner.address), TAKES_SECONDS)
        while not await visitor.once(owner):
            pass
        back = time.monotonic() - healed
        await asyncio.sleep(12)
        assert spare.process.poll() is None
        assert not (site.home / "spare/goop.json").exists(), "the standby took over"
        lost = visitor.lost(site.folder)
    assert not lost, lost
    return f"stopped after {last - gone:.1f} s, back {back:.1f} s after the server; the standby waited on; 0 lost"


@row("exactly one")
async def two_standbys(hub: Hub) -> str:
    """Two standbys at once when the owner goes"""
    site = Site(hub)
    visitor = Visitor()
    with site.owner() as owner, site.standby("one") as one, site.standby("two") as two:
        await visitor.once(owner)
        site.copied()
        owner.signal_all(signal.SIGKILL)
        await asyncio.sleep(25)
        served = [each for each in ("one", "two") if (site.home / each / "goop.json").exists()]
        assert len(served) == 1, served
        other = two if served == ["one"] else one
        assert other.process.poll() is None, "the other one ended"
    return f"{len(served)} became the peer, the other follows it"


@row("the owner goes on")
async def bucket_removed(hub: Hub) -> str:
    """The bucket of the lease is removed on the server while the owner and a standby run"""
    site = Site(hub)
    visitor = Visitor()
    with site.owner() as owner, site.standby("spare"):
        await visitor.once(owner)
        site.copied()
        async with connected_to(hub.url, read_key(hub.folder / "data/cluster.nk"), "chaos") as bus:
            await bus.client.jetstream().delete_key_value(BUCKET)
        begun, count = time.monotonic(), len(visitor.answered)
        await visitor.visit(owner, 20)
        assert not (site.home / "spare/goop.json").exists(), "the standby took over"
        times = sorted(at for at in visitor.answered.values() if at > begun)
        longest = max(after - before for before, after in itertools.pairwise(times))
    return f"{len(visitor.answered) - count} calls in 20 s, none refused; the longest pause {longest:.1f} s"


@row("as without")
async def clocks_off(hub: Hub) -> str:
    """The standby's clock is an hour behind when the owner goes"""
    faketime = shutil.which("faketime")
    if faketime is None:
        raise NotMeasuredError("the program faketime is missing")
    site = Site(hub)
    visitor = Visitor()
    with site.owner() as owner, site.standby("spare", faketime, "-f", f"-{HOUR}") as spare:
        await visitor.once(owner)
        site.copied()
        await visitor.visit(owner, 3)
        owner.signal_all(signal.SIGKILL)
        killed = time.monotonic()
        await takes_over(spare)
        while not await visitor.once(spare):
            pass
        back = time.monotonic() - killed
        lost = {number: at for number, at in visitor.lost(site.home / "spare").items() if at < killed - 2.0}
    assert not lost, lost
    return f"back after {back:.1f} s"


@row("nothing lost")
async def by_hand(hub: Hub) -> str:
    """The owner's peer is moved by hand: `goop2 standby promote`, then `goop2 peer`"""
    site = Site(hub)
    visitor = Visitor()
    with site.owner() as owner, site.standby("spare"):
        await visitor.once(owner)
        site.copied()
        visiting = asyncio.create_task(visitor.until_refused(owner, 60))
        begun = time.monotonic()
        await asyncio.to_thread(site.command, "standby", "promote", str(site.home / "spare"))
        await visiting
        code, said = await ends(owner)
        with machine("peer", str(site.home / "spare")) as new:
            await takes_over(new)
            while not await visitor.once(new):
                pass
            back = time.monotonic() - begun
            away = max(visitor.answered.values()) - sorted(visitor.answered.values())[-2]
            lost = visitor.lost(site.home / "spare")
    assert (lost, code) == ({}, 2), (lost, code, said)
    return f"there after {back:.1f} s, not answered for {away:.1f} s; {len(visitor.answered)} calls acknowledged, 0 lost"


@row("refused")
async def older_backup(hub: Hub) -> str:
    """The owner goes, and the place of the backup holds an older state than the lease says"""
    site = Site(hub)
    visitor = Visitor()
    with site.owner() as owner, site.standby("spare") as spare:
        await visitor.once(owner)
        site.copied()
        shutil.copytree(site.place, site.home / "older")
        await visitor.visit(owner, 3)
        site.copied()
        owner.signal_all(signal.SIGKILL)
        shutil.rmtree(site.place)
        (site.home / "older").rename(site.place)
        await asyncio.sleep(20)
        assert not (site.home / "spare/goop.json").exists(), "it took over with older rows"
        spare.process.terminate()
        await until(lambda: spare.process.poll() is not None, TAKES_SECONDS)
        assert spare.process.stderr is not None
        said = spare.process.stderr.read()
    assert "is older (term 1" in said, said
    return "the standby says so in one sentence and serves nothing, until its owner decides (`promote --older`)"


@row("works on, ≤ 15 s")
async def page_open(hub: Hub) -> str:
    """The owner goes while a visitor has a page open in a browser; the visitor's own peer finds the standby"""
    from tests.web.browser import launched

    site = Site(hub)
    guest = site.home / "guest"
    site.command("init", str(guest))
    settings = json.loads((guest / "goop.json").read_text())
    (guest / "goop.json").write_text(json.dumps({**settings, "viewer": {"http_addr": "127.0.0.1:0"}, "p2p": {"listen_port": 0}}))
    with site.owner() as owner, site.standby("spare") as spare, machine("peer", str(guest)) as visitor:
        visitor.address()
        site.copied()
        async with launched() as browser:
            page = await browser.new_page()
            address = f"http://{host_label(site.id)}.localhost:{visitor.port}/p/{site.id}/"
            await _until_loaded(page, address)
            assert await _page_call(page, 1), "the page's first call was not answered"
            await page.evaluate("() => { window.opened = 'before'; }")
            await asyncio.sleep(3)
            owner.signal_all(signal.SIGKILL)
            killed = time.monotonic()
            taking = asyncio.create_task(takes_over(spare))
            number = 1
            while True:
                number += 1
                if await _page_call(page, number):
                    break
                assert time.monotonic() - killed < TAKES_SECONDS, "the page was never answered again"
                await asyncio.sleep(0.2)
            back = time.monotonic() - killed
            await taking
            assert await page.evaluate("() => window.opened") == "before"
            there = marks(site.home / "spare")
    assert {1, number} <= there, there
    return f"the page's next call was answered after {back:.1f} s, without a reload; its rows of before are there"


async def _until_loaded(page: object, address: str) -> None:
    from playwright.async_api import Page

    assert isinstance(page, Page)
    end = time.monotonic() + UP_SECONDS
    while True:
        with contextlib.suppress(Exception):
            answer = await page.goto(address)
            if answer is not None and answer.ok:
                return
        assert time.monotonic() < end, "the visitor's peer never reached the site"
        await asyncio.sleep(0.5)


async def _page_call(page: object, number: int) -> bool:
    from playwright.async_api import Page

    assert isinstance(page, Page)
    return bool(
        await page.evaluate(
            """async (n) => {
              const body = JSON.stringify({ function: "mark", params: { n } });
              const head = { "Content-Type": "application/json" };
              const asked = { method: "POST", headers: head, body, signal: AbortSignal.timeout(5000) };
              try { return (await fetch("/api/data/lua/call", asked)).ok; } catch { return false; }
            }""",
            number,
        )
    )


def add() -> None:
    """Have these rows measured too: importing this module has added them."""
    assert ROWS
