"""Two peers in two processes, and a browser: one visits the other's site, scores its quiz, plays, reads, chats."""

from __future__ import annotations

import asyncio
import os
import signal
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.cli.command import goop2
from tests.e2e.peers import Running, running
from tests.e2e.steps import STEPS, Owner, Step
from tests.web.browser import launched, opened

HOSTILE = Path(__file__).parent.parent / "web/pages/hostile.js"

HEARD = "(from) => heard.find((message) => message.from === from)"
"""Other peers of this machine may be near by, and speak."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Running]]:
    """Alice, who visits, and Bob, whose site has everything."""
    folder = tmp_path_factory.mktemp("two")
    with running(folder / "alice", "Alice") as alice, running(folder / "bob", "Bob") as bob:
        done = goop2("connect", alice.folder, bob.address)
        assert done.returncode == 0, done.stderr
        yield alice, bob


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest.mark.parametrize("step", STEPS)
async def test_two_owners_on_one_machine(browser: Browser, two: tuple[Running, Running], step: Step) -> None:
    alice, bob = two
    await step(Owner(alice, browser), Owner(bob, browser))


async def test_what_is_said_to_everybody_is_on_the_pages_of_who_said_it(browser: Browser, two: tuple[Running, Running]) -> None:
    alice, bob = two
    async with opened(browser, alice.visiting(bob)) as theirs, opened(browser, alice.site) as own, opened(browser, bob.site) as speaker:
        for page in (theirs, own, speaker):
            await _load_sdk(page)
        for page in (theirs, own):
            await page.evaluate("window.heard = []; Goop.chat.subscribe((message) => heard.push(message)); Goop.request('identity')")
            await page.wait_for_load_state()
        async with asyncio.timeout(20):
            while not all([await page.evaluate(HEARD, bob.id) for page in (theirs, own)]):
                assert (await speaker.evaluate("Goop.chat.broadcast('to all')"))["peers"] >= 1
                await own.wait_for_timeout(300)
        for page in (theirs, own):
            first = await page.evaluate(HEARD, bob.id)
            assert (first["content"], first["type"]) == ("to all", "broadcast")


async def test_a_command_in_chat_is_answered_by_the_other_peer(browser: Browser, two: tuple[Running, Running]) -> None:
    alice, bob = two
    async with opened(browser, alice.visiting(bob)) as page:
        await _load_sdk(page)
        subscribe = "window.heard = []; Goop.chat.subscribe((message) => heard.push(message)); 0"
        await page.evaluate(subscribe)
        await page.evaluate("Goop.chat.send('', '!hello Alice')")
        async with asyncio.timeout(20):
            while not (found := await page.evaluate("heard")):
                await page.wait_for_timeout(50)
        (heard,) = found
        assert (heard["from"], heard["content"]) == (bob.id, "Hello, Alice!")
        said = await page.evaluate("Goop.chat.messages('')")
        assert [(each["from"], each["content"]) for each in said][-2:] == [(alice.id, "!hello Alice"), (bob.id, "Hello, Alice!")]
        with_another = (f"Goop.chat.send('{alice.id}', 'x')", f"Goop.chat.messages('{alice.id}')")
        for refused in (*with_another, "Goop.chat.broadcast('x')"):
            assert await page.evaluate(f"{refused}.then(() => '', (error) => error.code)") in ("forbidden", "not_found")
        assert [each["id"] for each in await page.evaluate("Goop.peers.list()")] == [bob.id], "it knows its host alone"


async def test_what_is_not_there_and_who_is_not_there_get_a_page(browser: Browser, two: tuple[Running, Running]) -> None:
    alice, bob = two
    for path, status in (("nothing.html", 404), ("lua/hello.lua", 404), ("..%2fgoop.json", 404), (".hidden", 404)):
        found = await asyncio.to_thread(fetched, alice.visiting(bob, path))
        assert found[0] == status, path
        assert "There is nothing here" in found[1]
    nobody = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
    status, text = await asyncio.to_thread(fetched, alice.visiting(replace(bob, id=nobody)))
    assert status == 502
    assert "cannot be reached" in text


async def test_a_large_file_comes_whole_and_its_type_is_kept(two: tuple[Running, Running]) -> None:
    alice, bob = two
    content = bytes(range(256)) * 40_000
    (bob.folder / "site/large.png").write_bytes(content)
    status, body, headers = await asyncio.to_thread(raw, alice.visiting(bob, "large.png"))
    assert (status, headers["content-type"], body == content) == (200, "image/png", True)
    assert "frame-ancestors" in headers["content-security-policy"]
    for asked, first, last in (
        ("bytes=0-9", 0, 9),
        ("bytes=200000-200999", 200_000, 200_999),
        ("bytes=-5", len(content) - 5, len(content) - 1),
    ):
        status, body, headers = await asyncio.to_thread(raw, alice.visiting(bob, "large.png"), Range=asked)
        assert (status, body == content[first : last + 1]) == (206, True), "players jump in a film by asking for parts"
        assert headers["content-range"] == f"bytes {first}-{last}/{len(content)}"
    assert (await asyncio.to_thread(raw, alice.visiting(bob, "large.png"), Range="bytes=99999999-"))[0] == 416


async def test_a_folder_of_the_other_peer_leads_to_its_slash(browser: Browser, two: tuple[Running, Running]) -> None:
    alice, bob = two
    async with opened(browser, alice.visiting(bob, "quiz?round=2")) as page:
        await expect(page.locator("fieldset")).to_have_count(5)
        assert urlsplit(page.url).path.endswith("/quiz/")
        assert urlsplit(page.url).query == "round=2"


async def test_a_peer_that_is_killed_is_told_and_one_that_freezes_does_not_hold_us(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path
    with running(folder / "dave", "Dave") as dave, running(folder / "erin", "Erin") as erin:
        assert goop2("connect", dave.folder, erin.address).returncode == 0
        assert (await asyncio.to_thread(fetched, dave.visiting(erin)))[0] == 200
        os.kill(erin.process.pid, signal.SIGSTOP)
        status, _ = await asyncio.to_thread(fetched, dave.visiting(erin, "quiz/"))
        assert status == 502
        assert (await asyncio.to_thread(fetched, dave.site))[0] == 200
        os.kill(erin.process.pid, signal.SIGKILL)
        erin.process.wait()
        assert (await asyncio.to_thread(fetched, dave.visiting(erin)))[0] == 502
        done = goop2("send", erin.id, "are you there?", "--dir", dave.folder)
        assert (done.returncode, done.stderr.split(":")[0]) == (1, "unavailable")
        async with opened(browser, dave.console) as page:
            owner = Owner(dave, browser)
            await owner.chats(page, Owner(erin, browser))
            await page.get_by_role("textbox", name="Message").fill("and now?")
            await page.get_by_role("button", name="Send").click()
            await expect(page.locator(".mine", has_text="and now?")).to_contain_text(f"failed: {erin.id} cannot be reached")


async def _load_sdk(page: Page) -> None:
    for name in ("goop-chat.js", "goop-peers.js"):
        await page.add_script_tag(url=f"/sdk/{name}")


def raw(address: str, **more: str) -> tuple[int, bytes, dict[str, str]]:
    """What is at an address: names under localhost are this machine, whatever its resolver thinks."""
    where = urlsplit(address)
    request = urllib.request.Request(f"http://127.0.0.1:{where.port}{where.path}", headers={"Host": where.netloc, **more})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.headers.items()}
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), {name.lower(): value for name, value in error.headers.items()}


def fetched(address: str) -> tuple[int, str]:
    """Status and text."""
    status, body, _ = raw(address)
    return status, body.decode("utf-8", "replace")


async def test_a_visited_peers_page_reaches_nothing_of_ours(browser: Browser, two: tuple[Running, Running]) -> None:
    """Bob's page, shown in Alice's browser, tries on Alice's console and site what hostile pages try (tests/web/pages/hostile.js)."""
    alice, bob = two
    (alice.folder / "site/lua/functions/who.lua").write_text("function call() return goop.peer.id end")
    (bob.folder / "site/hostile.js").write_bytes(HOSTILE.read_bytes())
    (bob.folder / "site/hostile.html").write_text('<!doctype html><title>Bob</title><body><script src="hostile.js"></script></body>')
    console, site = (urlsplit(address) for address in (alice.console, alice.site))
    targets = {"console": f"http://{console.netloc}", "site": f"http://{site.netloc}", "peer": alice.id}
    before = sorted(path.name for path in (alice.folder / "site").iterdir())
    async with opened(browser, alice.visiting(bob, "hostile.html")) as page:
        outcome = await page.evaluate("(targets) => attack(targets)", targets)
        assert outcome["tried"] >= 20
        assert outcome["got"] == {}
        own = {
            "the console's controls": "/api/console/home",
            "the files of Alice": "/api/site/files",
            "a change of them": "/api/site/upload?path=owned.html",
            "another peer's functions": f"/api/p/{alice.id}/data/lua/list",
            "the making of a group": "/api/group/create",
            "the owner's invitations": "/api/group/invites",
            "metrics": "/metrics",
        }
        for what, path in own.items():
            status = await page.evaluate("(path) => fetch(path).then((answer) => answer.status)", path)
            assert status in (403, 404), what
        around = await page.evaluate("fetch('/api/peers').then((answer) => answer.json())")
        assert [each["id"] for each in around] == [bob.id]
    assert sorted(path.name for path in (alice.folder / "site").iterdir()) == before
