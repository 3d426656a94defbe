"""Sites in the style of Goop2's, old and new, by their owner and by a visitor over libp2p: every button, nothing wrong in the console.

The template in tests/web/corpus is installed as a user does, by `goop2 init --from`. It is written from existing-sites.md alone: a page
that reads its host from the address, co-authors by group, a board with drag and drop, rooms, a form made on the fly,
settings of the design, partials, pictures, a game over a channel.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.cli.command import goop2
from tests.net.hosts import LOOPBACK, connect
from tests.web.axe import complaints
from tests.web.browser import launched
from tests.web.sdk_pages import bare, watched
from tests.web.served import Served, served

from goop2.app import join, open_peer, serve_peer
from goop2.web.http.peer_host import host_label

pytestmark = pytest.mark.asyncio(loop_scope="module")

CORPUS = Path(__file__).parent / "corpus"
MANY = {"rate_limit_per_peer": 1000, "rate_limit_global": 10_000}
READY = "() => document.body.dataset.ready === '1'"
PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" width="80" height="60"><rect width="80" height="60" fill="teal"/></svg>'
PHONE = {"width": 390, "height": 800}


@dataclass
class Club:
    """Bob's site, his group, and Alice's peer, in whose browser it is visited."""

    bob: Served
    alice: Served
    group: str
    browser: Browser

    def address(self, page: str, who: str) -> str:
        """Where a page is, for `bob` or `alice`."""
        host = self.bob.site if who == "bob" else f"{host_label(self.bob.peer.identity.peer_id)}.localhost:{self.alice.port}"
        return f"http://{host}{self.bob.front}{page}"

    @asynccontextmanager
    async def both(self, page: str) -> AsyncIterator[tuple[Page, Page]]:
        """The page of Bob and that of Alice, on a phone, once they are ready."""
        async with AsyncExitStack() as stack:
            owner = await stack.enter_async_context(watched(self.browser, self.address(page, "bob")))
            visitor = await stack.enter_async_context(watched(self.browser, self.address(page, "alice"), viewport=PHONE))
            for one in (owner.page, visitor.page):
                await one.wait_for_function(READY)
            yield owner.page, visitor.page


def installed(folder: Path) -> None:
    """Make Bob's peer of the template as it is handed on; its scripts run only since he agrees to the plan."""
    packed = folder.with_name("clubhouse.tar.gz")
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(CORPUS, "clubhouse")
    done = goop2("init", folder, "--from", packed, "--label", "Bob", "--yes")
    assert (done.returncode, "warning" in done.stderr) == (0, False), done.stderr
    document = json.loads((folder / "goop.json").read_text())
    assert (document["lua"]["enabled"], document["viewer"]["active_template"]) == (True, "clubhouse")
    document["lua"] |= MANY
    document["viewer"]["http_addr"] = "127.0.0.1:0"
    (folder / "goop.json").write_text(json.dumps(document))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def club(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Club]:
    folder = tmp_path_factory.mktemp("club")
    installed(folder / "bob")
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(open_peer(folder / "bob", {}))
        bob = Served(folder / "bob", peer, await stack.enter_async_context(serve_peer(peer)))
        alice = await stack.enter_async_context(served(folder / "alice", functions={}, lua=dict(MANY), profile={"label": "Alice"}))
        networks = []
        for one in (bob, alice):
            network = await stack.enter_async_context(join(one.peer, 0, listen_on=LOOPBACK, near_by=False))
            one.web.remote.attach(network)
            stack.callback(one.web.remote.detach)
            networks.append(network)
        await connect(networks[1].host, networks[0].host)
        (group,) = bob.peer.grouping.groups.hosted()  # made by the installer, since a table has roles
        (bob.folder / "site/club.json").write_text(json.dumps({"group": group.id}))
        (alice.folder / "site/sdk.html").write_text(bare("goop-mq.js"))
        yield Club(bob, alice, group.id, await stack.enter_async_context(launched()))


async def test_a_blog_with_co_authors_by_group(club: Club) -> None:
    async with club.both("blog.html") as (owner, visitor):
        await expect(owner.locator("#who")).to_have_text("Yours, Bob")
        await expect(visitor.locator("#who")).to_have_text("You are Alice")
        await owner.get_by_role("button", name="New post").click()
        await owner.get_by_label("Title").fill("First <b>post")
        await owner.get_by_label("Text").fill("By the owner")
        await owner.get_by_role("button", name="Save").click()
        await expect(owner.locator("article h2")).to_have_text("First <b>post")
        await expect(visitor.get_by_role("button", name="New post")).to_be_hidden()
        await visitor.get_by_role("button", name="Join the club").click()
        await expect(visitor.locator("#who")).to_have_text("You are Alice, a member")
        await owner.get_by_role("button", name="Co-authors").click()
        await expect(owner.get_by_text("1 may write now")).to_be_visible()
        await visitor.get_by_role("button", name="New post").click()
        await visitor.get_by_label("Title").fill("Second")
        await visitor.get_by_role("button", name="Save").click()
        await expect(visitor.locator("article")).to_have_count(2)
        await visitor.get_by_role("button", name="Edit").first.click()
        await visitor.get_by_label("Text").fill("By Alice")
        await visitor.get_by_role("button", name="Save").click()
        await expect(visitor.get_by_text("By Alice")).to_be_visible()
        await visitor.get_by_role("button", name="Edit").first.click()
        await visitor.get_by_role("button", name="Cancel").click()
        assert await complaints(visitor) == []
        await visitor.get_by_role("button", name="Remove").first.click()
        await visitor.get_by_role("button", name="Cancel").click()
        await visitor.get_by_role("button", name="Remove").first.click()
        await visitor.get_by_role("button", name="OK").click()
        await expect(visitor.locator("article")).to_have_count(1)
        await visitor.get_by_role("link").click()
        await visitor.wait_for_function(READY)
        assert visitor.url == club.address("blog.html?slug=first-b-post", "alice")
        await expect(visitor.locator("article p")).to_have_text("By the owner")


async def test_a_board_whose_cards_are_dragged_by_both(club: Club) -> None:
    async with club.both("board.html") as (owner, visitor):
        await expect(visitor.locator("#todo li")).to_have_text(["One", "Two"])
        await visitor.locator("#todo li", has_text="Two").hover()
        await visitor.mouse.down()
        await visitor.mouse.move(0, 0)
        box = await visitor.locator("#done li").bounding_box()
        assert box is not None
        await visitor.mouse.move(box["x"] + 20, box["y"] + 2, steps=3)
        await visitor.mouse.up()
        await expect(visitor.locator("#done li")).to_have_text(["Two", "Three"])
        await visitor.wait_for_function("() => document.body.dataset.moved")
        await owner.reload()
        await owner.wait_for_function(READY)
        await owner.locator("#done li", has_text="Three").focus()
        for key in ("Space", "ArrowUp", "Space"):
            await owner.keyboard.press(key)
        await owner.wait_for_function("() => document.body.dataset.moved")
        await owner.get_by_label("Card").fill("Four")
        await owner.get_by_role("button", name="Add").click()
        await expect(owner.locator("#todo li")).to_have_text(["One Remove", "Four Remove"])
        await owner.locator("#todo li", has_text="One").get_by_role("button").click()
        await expect(owner.locator("#todo li")).to_have_text(["Four Remove"])
        await visitor.reload()
        await visitor.wait_for_function(READY)
        await expect(visitor.locator("#done li")).to_have_text(["Three", "Two"])
        await visitor.get_by_label("Card").fill("Five")
        await visitor.get_by_role("button", name="Add").click()
        await expect(visitor.locator("#todo li")).to_have_text(["Four", "Five"])
        await expect(visitor.get_by_role("button", name="Remove")).to_have_count(0)
        assert await complaints(visitor) == []
    lanes = "SELECT lane, group_concat(title || position, ' ') FROM (SELECT * FROM cards ORDER BY position) GROUP BY lane"
    assert club.bob.peer.database.rows(lanes) == [("done", "Three0 Two1"), ("todo", "Four1 Five2")]


async def test_rooms_in_which_both_talk(club: Club) -> None:
    async with club.both("rooms.html") as (owner, visitor):
        await owner.get_by_role("button", name="Open a room").click()
        await expect(owner.get_by_text("In the room")).to_be_visible()
        await visitor.get_by_role("button", name="Enter").click()
        await expect(visitor.locator("#members")).to_contain_text("2 here")
        await expect(owner.locator("#members")).to_contain_text("2 here")
        await visitor.get_by_label("Message").fill("Hello from <Alice>")
        await visitor.get_by_role("button", name="Send").click()
        await expect(owner.locator(".gc-message-text")).to_have_text("Hello from <Alice>")
        await owner.get_by_label("Message").fill("Hello from Bob")
        await owner.get_by_role("button", name="Send").click()
        for page, names in ((owner, ["Alice", "You"]), (visitor, ["You", "Bob"])):
            await expect(page.locator(".gc-message-from")).to_have_text(names)
        await expect(visitor.locator("#peers")).to_have_text("1 near by")
        assert await complaints(visitor) == []
        await visitor.get_by_role("button", name="Leave").click()
        await expect(owner.locator("#members")).to_contain_text("1 here")
        await visitor.get_by_role("button", name="Enter").click()
        await expect(visitor.locator(".gc-message-text")).to_have_text(["Hello from <Alice>", "Hello from Bob"])
        await owner.get_by_role("button", name="Close it").click()
        await expect(visitor.get_by_text("The room is closed")).to_be_visible()


async def test_a_form_made_on_the_fly_has_one_answer_a_peer(club: Club) -> None:
    async with club.both("signup.html") as (owner, visitor):
        for page, name in ((owner, "Bob"), (visitor, "Alice")):
            await page.locator("#gform-name").fill(name)
            await page.locator("#gform-day").fill("2026-12-24")
            await page.get_by_role("button", name="More").click()
            await page.get_by_role("switch", name="No meat").click()
            await page.locator("#gform-dishes").click()
            await page.get_by_role("option", name="cake").click()
            await page.keyboard.press("Escape")
            await page.get_by_role("button", name="I am coming").click()
            await expect(page.locator("#gform-status")).to_have_text("Submitted!")
        assert await complaints(visitor) == []
        await visitor.reload()
        await visitor.wait_for_function(READY)
        await expect(visitor.get_by_label("Name")).to_have_value("Alice")
        await visitor.get_by_role("button", name="Less").click()
        await visitor.get_by_role("button", name="Update").click()
        await expect(visitor.locator("#gform-status")).to_have_text("Updated!")
        await owner.reload()
        await owner.wait_for_function(READY)
        await expect(owner.locator(".gf-table tbody tr")).to_have_count(2)
    alice = club.alice.peer.identity.peer_id
    rows = club.bob.peer.database.rows("SELECT name, day, guests, veggie, dishes FROM signups WHERE _owner = ?", (alice,))
    assert rows == [("Alice", "2026-12-24", "0", "1", "cake")]


async def test_a_design_kept_in_a_table_and_partials(club: Club) -> None:
    async with club.both("design.html") as (owner, visitor):
        await expect(visitor.get_by_role("heading", level=1)).to_have_text("Our club")
        await expect(visitor.locator("#about")).to_have_text("a site, design.html, false")
        await expect(visitor.locator("article h2")).to_have_text("First <b>post")
        for page in (owner, visitor):
            await page.get_by_role("tab", name="Design").click()
            await expect(page.locator("#posts")).to_be_hidden()
        await expect(visitor.get_by_role("button", name="Rename")).to_be_disabled()
        await owner.get_by_role("button", name="Choose a colour").click()
        await owner.get_by_role("button", name="#7b241c", exact=True).click()
        await owner.wait_for_function("() => document.body.dataset.accent === '#7b241c'")
        await owner.get_by_role("button", name="Rename").click()
        await owner.keyboard.type("The club")
        await owner.keyboard.press("Enter")
        await expect(owner.get_by_role("heading", level=1)).to_have_text("The club")
        await owner.get_by_role("button", name="Rename").click()
        await owner.keyboard.press("Escape")
        assert await complaints(owner) == []
        await visitor.reload()
        await visitor.wait_for_function(READY)
        await expect(visitor.get_by_role("heading", level=1)).to_have_text("The club")
        assert await visitor.evaluate("document.body.dataset.accent") == "#7b241c"
        await visitor.get_by_role("button", name="First post").click()
        await visitor.wait_for_url("**/blog.html?slug=first-b-post")
        await visitor.wait_for_function(READY)


async def test_pictures_are_uploaded_and_seen(club: Club) -> None:
    async with club.both("photos.html") as (owner, visitor):
        await expect(visitor.locator("#photos")).to_have_text("No photos yet.")
        for number in (1, 2, 3):
            picture = {"name": f"p {number}.svg", "mimeType": "image/svg+xml", "buffer": PICTURE}
            await owner.locator("#file").set_input_files(picture)  # type: ignore[arg-type]
            await owner.get_by_label("Caption").fill(f"Number {number}")
            await owner.get_by_role("button", name="Upload").click()
            await owner.wait_for_function(f"() => document.body.dataset.count === '{number}'")
        await visitor.reload()
        await visitor.wait_for_function(READY)
        await expect(visitor.get_by_role("button", name="Upload")).to_be_hidden()
        await expect(visitor.locator("figcaption").first).to_have_text("Number 1")
        assert await visitor.evaluate("document.querySelector('#photos img').naturalWidth") == 80
        await visitor.locator("#photos img").first.click()
        await expect(visitor.get_by_role("dialog").locator("figcaption")).to_have_text("Number 1")
        await visitor.get_by_role("button", name="Next picture").click()
        await expect(visitor.get_by_role("dialog").locator("figcaption")).to_have_text("Number 2")
        assert await complaints(visitor) == []
        await visitor.get_by_role("button", name="Previous picture").click()
        await visitor.get_by_role("button", name="Close").click()
        await visitor.get_by_role("button", name="Page 2").click()
        await expect(visitor.locator("#photos figcaption")).to_have_text(["Number 3"])
        await owner.get_by_role("button", name="Remove the last").click()
        await owner.wait_for_function("() => document.body.dataset.count === '2'")
    assert not (club.bob.folder / "site/images/p 3.svg").exists()


async def test_a_game_over_a_channel_and_no_calls(club: Club) -> None:
    async with club.both("game.html") as (owner, visitor):
        await visitor.get_by_role("button", name="Call").click()
        await expect(visitor.get_by_role("status")).to_have_text("this peer cannot make calls yet: write a message instead")
        await visitor.keyboard.press("ArrowRight")
        await visitor.get_by_role("button", name="Play").click()
        bob, alice = (one.peer.identity.peer_id[-6:] for one in (club.bob, club.alice))
        await expect(owner.get_by_role("status")).to_have_text(f"ping ({alice})")
        await expect(visitor.get_by_role("status")).to_have_text(f"pong ({bob})")
        await owner.get_by_role("button", name="Play").click()
        await expect(owner.get_by_role("status")).to_have_text("1 playing, true")
        assert await complaints(visitor) == []


async def test_who_calls_is_hung_up_on(club: Club) -> None:
    async with watched(club.browser, club.address("game.html", "bob")) as owner:
        await owner.page.wait_for_function(READY)
        async with watched(club.browser, f"http://{club.alice.site}{club.alice.front}") as alice:
            await alice.page.goto(f"http://{club.alice.site}/sdk.html")
            heard = "window.heard = []; Goop.mq.subscribe('call:*', (from, topic, payload) => heard.push([topic, payload.type])); 0"
            await alice.page.evaluate(heard)
            call = "(peer) => Goop.mq.send(peer, 'call:abc', { type: 'call-request' }).then(({ status }) => status)"
            assert await alice.page.evaluate(call, club.bob.peer.identity.peer_id) == "delivered"
            await alice.page.wait_for_function("() => heard.length")
            assert await alice.page.evaluate("heard") == [["call:abc", "call-hangup"]]
        await expect(owner.page.get_by_role("status")).to_have_text("")


REFUSED = (
    "Goop.mq.send('12D3KooWxyz', 'realtime:x', 1)",
    "Goop.mq.send(hostId, 'call:x', 1)",
    "Goop.mq.send(hostId, 'chat', 1)",
    "Goop.group.create('Mine')",
    "Goop.chatroom.create('Mine')",
    "Goop.site.files()",
    "Goop.site.upload('x.txt', 'x')",
    "Goop.chat.broadcast('x')",
    "Goop.request('template/settings')",
    "Goop.data.createTable('t', [{ name: 'a', type: 'TEXT' }])",
    "Goop.data.upsert('look', 'key', { key: 'title', value: 'x' })",
)


async def test_a_visited_page_gets_no_more_by_the_sdk(club: Club) -> None:
    """What a page of another peer's site may ask stays narrow, whatever functions the SDK has."""
    sdk = ("data", "mq", "group", "chatroom", "site", "chat", "identity", "peers")
    tags = "".join(f'<script src="/sdk/goop-{name}.js"></script>' for name in sdk)
    (club.bob.folder / "site/all.html").write_text(f'<!doctype html><html lang="en"><title>A</title>{tags}<h1>A</h1></html>')
    context = await club.browser.new_context()
    try:
        page = await context.new_page()
        await page.goto(club.address("all.html", "alice"))
        host = club.bob.peer.identity.peer_id
        for call in REFUSED:
            told = f"async (hostId) => {{ try {{ await {call}; return 'done'; }} catch (error) {{ return error.code; }} }}"
            assert await page.evaluate(told, host) == "forbidden", call
        assert await page.evaluate("Goop.identity.get()") == {"id": club.alice.peer.identity.peer_id, "label": "Alice", "email": ""}
        assert [one["id"] for one in await page.evaluate("Goop.peers.list()")] == [host]
    finally:
        await context.close()
