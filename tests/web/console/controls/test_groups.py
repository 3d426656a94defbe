"""The console's Groups page, of two owners: made, invited to, joined, removed from, left and closed, each seen by the other at once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, Route, expect
from tests.net.hosts import LOOPBACK, connect
from tests.web.browser import PATIENCE_MS, launched
from tests.web.served import Served, served

from goop2.app import join
from goop2.peers.network import PeerNetwork
from goop2.protocols import topics
from goop2.services.groups.limits import HOSTED_MAX
from goop2.web.console.controls.groups import MEMBERS_SHOWN

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = {
    "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA": "Ann",
    "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp": "Bob the builder",
    "12D3KooWHdiAxVd8uMQR1hGWXccidmfCwLqcMpGwR6QcTP6QRMuD": "",
}
OWNED = "document.documentElement.dataset.owned = 1"
HOSTILE = f'<img src=x onerror="{OWNED}">\u202e'


def said(group: str, type_: str, payload: object) -> topics.Group:
    event = topics.read(topics.group_topic(group, type_), json.dumps(payload).encode())
    assert isinstance(event, topics.Group)
    return event


async def grouped(up: Served, more: str = "") -> None:
    """Groups as they may be, for a picture, or with what strangers write in `more`; nobody is asked on any network."""
    ann, bob, eve = NAMES
    grouping = up.peer.grouping
    setattr(up.web.remote, "label", lambda peer: f"{NAMES.get(peer, '')}{more}")  # noqa: B010
    chess = await grouping.create(f"Chess club{more[:150]}", "template", 8)
    await grouping.create("Mondays", "calendar")
    for peer in NAMES:
        grouping.received(peer, said(chess.id, "join", {"type": "join"}))
    grouping.gone(eve)
    for host, group, name in ((ann, "g1", "Reading round"), (bob, "g2", "Tools to lend")):
        grouping.groups.join(host, group)
        members = [{"peer_id": peer} for peer in (up.peer.identity.peer_id, ann, bob)]
        grouping.received(host, said(group, "welcome", {"group_name": f"{name}{more}", "app_type": f"template{more}", "members": members}))
    grouping.gone(bob)
    grouping.invited(bob, topics.Invite("g3", f"Neighbours{more}", bob, f"template{more}"))
    grouping.invited(eve, topics.Invite(f"listen-{'0' * 16}", "Night radio", eve, "listen"))


@dataclass
class Owner:
    """A peer, its network and its open Groups page."""

    up: Served
    network: PeerNetwork
    page: Page

    @property
    def id(self) -> str:
        return self.up.peer.identity.peer_id

    def card(self, title: str) -> Locator:
        return self.page.locator("section.card", has=self.page.get_by_role("heading", name=title, exact=True))

    async def press(self, name: str, agree: str = "") -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()
        if agree:
            await self.page.get_by_role("dialog").get_by_role("button", name=agree, exact=True).click()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def owners(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Owner, Owner]]:
    async with AsyncExitStack() as stack:
        made = []
        for label in ("Ann", "Bob"):
            up = await stack.enter_async_context(served(tmp_path_factory.mktemp("peer"), functions={}, profile={"label": label}))
            network = await stack.enter_async_context(join(up.peer, 0, listen_on=LOOPBACK, near_by=False))
            up.web.remote.attach(network)
            stack.callback(up.web.remote.detach)
            context = await browser.new_context()
            stack.push_async_callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            made.append(Owner(up, network, await context.new_page()))
        await connect(made[0].network.host, made[1].network.host)
        for one, other in (made, made[::-1]):
            one.network.roster.introduced(other.id, other.up.peer.owner.label)
            await one.page.goto(one.up.web.console)
            await expect(one.page.locator("#link")).to_have_text("Live")
            await one.page.keyboard.press("g")
            await one.page.keyboard.press("g")
            await expect(one.page.get_by_role("heading", level=1)).to_have_text("Groups")
        yield made[0], made[1]


async def test_a_group_from_its_making_to_its_end(owners: tuple[Owner, Owner]) -> None:
    ann, bob = owners
    await ann.page.get_by_label("Name").fill("Chess")
    await ann.page.get_by_label("Members at most").fill("2")
    await ann.press("Create")
    await expect(ann.page.get_by_label("Name")).to_be_focused()
    await expect(ann.card("Groups of this peer")).to_contain_text("at most 2")
    await ann.press("Invite a peer to Chess", "Invite")
    await expect(ann.page.locator(".toast")).to_have_text("Invited Bob")
    await expect(bob.card("Invitations")).to_contain_text("Chess template")
    await expect(bob.card("Invitations")).to_contain_text("From Ann")
    await bob.press("Accept: Chess of Ann")
    await expect(bob.card("Groups of other peers")).to_contain_text("Here: this peer")
    await expect(bob.card("Invitations")).to_contain_text("No invitations.")
    await expect(ann.card("Groups of this peer")).to_contain_text("1 member, at most 2")

    await ann.press("Remove Bob from Chess", "Remove")
    await expect(ann.card("Groups of this peer")).to_contain_text("No members.")
    await expect(ann.page.get_by_role("heading", name="Groups of this peer")).to_be_focused()
    await expect(bob.page.locator(".toast.bad")).to_have_text("No longer in Chess: the host has removed this peer")
    await expect(bob.card("Groups of other peers")).to_contain_text("in no group of another")
    group = ann.up.peer.grouping.groups.hosted()[0].id
    await bob.page.get_by_text("Join by its id").click()
    await bob.page.get_by_label("Peer that hosts it").fill(ann.id)
    await bob.page.get_by_label("Id of the group").fill(group)
    await bob.press("Join")
    await expect(bob.page.get_by_role("status").filter(has_text="does not let this peer into the group")).to_be_visible()

    await ann.press("Invite a peer to Chess", "Invite")
    await bob.press("Accept: Chess of Ann")
    await expect(ann.page.get_by_role("button", name="Remove Bob from Chess")).to_be_visible()
    await bob.press("Leave Chess", "Leave")
    await expect(ann.card("Groups of this peer")).to_contain_text("No members.")
    await bob.press("Join")
    await expect(bob.card("Groups of other peers")).to_contain_text("Chess")
    await ann.press("Close Chess", "Close it")
    await expect(ann.card("Groups of this peer")).to_contain_text("No groups yet.")
    await expect(bob.page.locator(".toast.good").last).to_have_text("No longer in Chess")
    await expect(bob.card("Groups of other peers")).to_contain_text("in no group of another")


async def test_the_host_gives_roles_and_the_member_sees_its_own(owners: tuple[Owner, Owner]) -> None:
    ann, bob = owners
    group = await ann.up.peer.grouping.create("Board", "template", context="kanban")
    await bob.up.peer.grouping.join(ann.id, group.id)
    await expect(ann.card("Groups of this peer")).to_contain_text("for kanban")
    await expect(ann.card("Groups of this peer")).to_contain_text("new members are viewer")
    await ann.press("Role of Bob in Board: viewer")
    await ann.page.get_by_role("dialog").get_by_label("Role", exact=True).fill("author")
    await ann.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(ann.page.get_by_role("button", name="Role of Bob in Board: author")).to_be_focused()
    await expect(bob.card("Groups of other peers")).to_contain_text("For kanban. Your role: author")
    await ann.press("Roles of Board")
    await ann.page.get_by_role("dialog").get_by_label("New members get").fill("reader")
    await ann.page.get_by_role("dialog").get_by_label("Roles there may be").fill("author, reader")
    await ann.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(ann.card("Groups of this peer")).to_contain_text("new members are reader")
    await ann.press("Role of Bob in Board: author")
    await ann.page.get_by_role("dialog").get_by_label("Role", exact=True).fill("writer")
    await ann.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    refusal = "the group 'Board' has the roles author, reader, owner; 'writer' is none of them"
    await expect(ann.page.get_by_role("status").filter(has_text=refusal)).to_be_visible()
    assert ann.up.peer.grouping.groups.roles(group.id) == {bob.id: "author"}


async def test_an_invitation_is_told_on_the_first_page_and_refused(owners: tuple[Owner, Owner]) -> None:
    ann, bob = owners
    group = await ann.up.peer.grouping.create("Chess", "template")
    await bob.page.keyboard.press("g")
    await bob.page.keyboard.press("h")
    await expect(bob.page.get_by_text("Nothing needs attention.")).to_be_visible()
    await ann.up.peer.grouping.invite(group.id, bob.id)
    await expect(bob.page.get_by_text("“Chess”, from Ann")).to_be_visible()
    await bob.page.locator('a[href="#/groups"]', has_text="Open the page").click()
    await bob.press("Refuse: Chess of Ann")
    await expect(bob.card("Invitations")).to_contain_text("No invitations.")
    assert bob.up.peer.grouping.invites() == ()


async def test_whoever_accepts_a_listening_session_hears_it_and_its_host_ends_it_as_a_session(owners: tuple[Owner, Owner]) -> None:
    ann, bob = owners
    await ann.up.peer.listening.create("Radio")
    await expect(ann.card("Groups of this peer")).to_contain_text("Radio listening session")
    await expect(ann.page.get_by_role("button", name="Close Radio")).to_have_count(0)
    await ann.press("Invite a peer to Radio", "Invite")
    await bob.press("Accept: Radio of Ann")
    await expect(bob.card("Groups of other peers")).to_contain_text("Radio listening session")
    state = bob.up.peer.listening.following.followed
    assert state is not None
    assert state.host == ann.id
    await ann.up.peer.listening.close()
    await expect(bob.card("Groups of other peers")).to_contain_text("in no group of another")


async def test_what_is_refused_is_said_and_what_was_typed_is_still_there(owners: tuple[Owner, Owner]) -> None:
    ann, bob = owners
    await ann.page.get_by_label("Name").fill(" ")
    await ann.press("Create")
    await expect(ann.page.get_by_role("status").filter(has_text="a group's name and its type have 1 to 200 characters")).to_be_visible()
    for number in range(HOSTED_MAX):
        await ann.up.peer.grouping.create(f"Group {number}", "template")
    await ann.page.get_by_label("Name").fill("One more")
    await ann.press("Create")
    await expect(ann.page.get_by_role("status").filter(has_text="64 groups are hosted here, the most there may be")).to_be_visible()
    await expect(ann.page.get_by_label("Name")).to_have_value("One more")
    bob.up.web.remote.detach()
    await ann.press("Invite a peer to Group 3", "Cancel")
    assert bob.up.peer.grouping.invites() == ()


async def test_who_may_be_invited_is_who_is_here_and_not_in_it(owners: tuple[Owner, Owner]) -> None:
    ann, bob = owners
    group = await ann.up.peer.grouping.create("Chess", "template")
    await bob.up.peer.grouping.join(ann.id, group.id)
    await expect(ann.page.get_by_role("button", name="Remove Bob from Chess")).to_be_visible()
    await ann.press("Invite a peer to Chess")
    await expect(ann.page.get_by_role("dialog")).to_contain_text("Everybody who is here is in it.")
    await ann.page.get_by_role("dialog").get_by_role("button", name="Close").click()
    await ann.page.get_by_role("dialog").wait_for(state="detached")
    ann.up.web.remote.detach()
    ann.up.peer.grouping.gone(bob.id)
    await expect(ann.card("Groups of this peer")).to_contain_text("away")
    await expect(ann.page.get_by_role("button", name="Remove Bob from Chess")).to_be_visible()  # its name is still known
    async with ann.page.expect_response("**/api/console/groups"):
        pass
    await ann.press("Invite a peer to Chess")
    await expect(ann.page.get_by_role("dialog")).to_contain_text("Nobody else is here now.")


async def test_who_comes_while_the_network_is_looked_at_takes_nobodys_place(owners: tuple[Owner, Owner]) -> None:
    ann, _ = owners
    await ann.page.keyboard.press("g")
    await ann.page.keyboard.press("n")
    await ann.page.get_by_role("link", name="Visit Bob").focus()
    ann.network.roster.introduced(next(iter(NAMES)), "A stranger")
    await expect(ann.page.get_by_role("link", name="Chat with A stranger")).to_be_visible()
    await expect(ann.page.get_by_role("link", name="Visit Bob")).to_be_focused()


async def test_an_id_is_copied_or_it_is_said_that_it_is_not(owners: tuple[Owner, Owner]) -> None:
    ann, _ = owners
    await ann.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    group = await ann.up.peer.grouping.create("Chess", "template")
    await ann.press("Copy the id of Chess")
    await expect(ann.page.locator(".toast.good")).to_have_text("Group id copied")
    assert await ann.page.evaluate("navigator.clipboard.readText()") == group.id
    await ann.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    await ann.press("Copy the id of Chess")
    await expect(ann.page.locator(".toast.bad")).to_contain_text("does not let this page copy")


async def test_a_button_is_pressed_once_however_slow_the_answer(owners: tuple[Owner, Owner]) -> None:
    ann, _ = owners
    asked: list[str] = []

    async def slow(route: Route) -> None:
        asked.append(route.request.post_data or "")
        await ann.page.wait_for_timeout(300)
        await route.continue_()

    await ann.page.route("**/groups/do", slow)
    await ann.page.get_by_label("Name").fill("Once")
    for _ in range(3):
        await ann.page.keyboard.press("Enter")
    await expect(ann.card("Groups of this peer")).to_contain_text("Once")
    assert len(asked) == 1


async def test_names_and_labels_are_text(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    async with served(tmp_path_factory.mktemp("peer"), functions={}) as up:
        await grouped(up, HOSTILE)
        page = await (await browser.new_context()).new_page()
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(f"{up.web.console}&")
        await page.evaluate("location.hash = '#/groups'")
        await expect(page.get_by_text("Tools to lend").first).to_be_visible()
        for name, ending in (("Remove", "Cancel"), ("Leave", "Cancel"), ("Close", "Cancel")):
            await page.get_by_role("button", name=name).first.click()
            await expect(page.get_by_role("dialog")).to_contain_text("onerror")
            await page.get_by_role("dialog").get_by_role("button", name=ending).click()
        assert await page.locator("main img:not(.avatar)").count() == 0
        assert await page.locator("[data-owned]").count() == 0
        await page.context.close()


async def test_of_a_thousand_members_the_first_are_named_and_all_are_counted(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with served(tmp_path_factory.mktemp("peer"), functions={}) as up:
        group = await up.peer.grouping.create("Crowd", "template")
        for number in range(MEMBERS_SHOWN + 50):
            up.peer.grouping.received(f"peer-{number}", said(group.id, "join", {"type": "join"}))
        up.peer.grouping.gone("peer-0")
        page = await (await browser.new_context()).new_page()
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(up.web.console)
        await expect(page.locator("main h1")).to_be_visible()
        await page.evaluate("location.hash = '#/groups'")
        await expect(page.get_by_text(f"{MEMBERS_SHOWN + 50} members, 1 away")).to_be_visible()
        await expect(page.get_by_role("button", name="Remove")).to_have_count(MEMBERS_SHOWN)
        await expect(page.get_by_text("50 more: “goop2 group members” lists them all")).to_be_attached()
        await page.context.close()


async def test_the_controls_want_the_key_and_know_their_actions(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    async with served(tmp_path_factory.mktemp("peer"), functions={}) as up:
        key = up.web.token.text
        assert (await up.ask("/api/console/groups", host=up.console)).status == 403
        for body, status, said_ in (
            ({"action": "burn"}, 400, "groups have no action 'burn'; they have create, close"),
            ({"action": "close", "group": "nosuch"}, 404, "no group 'nosuch' is hosted here"),
            ({"action": "join", "group": "g", "host": "h"}, 503, "not on the network yet"),
            ({"action": "refuse", "group": "g", "host": "h"}, 404, "no invitation"),
            ({"action": "create", "name": "x", "max_members": 5000}, 400, "max_members is 5000"),
            ({"action": "create", "name": 7}, 400, "Expected `str`"),
            ({"action": "set-role", "group": "nosuch", "peer": "p", "role": "author"}, 404, "no group 'nosuch' is hosted here"),
            ({"action": "set-roles", "group": "nosuch", "role": "author", "roles": 7}, 400, "Expected `array`"),
        ):
            text = json.dumps(body).encode()
            assert (await up.ask("/api/console/groups/do", host=up.console, method="POST", body=text)).status == 403
            answer = await up.ask("/api/console/groups/do", host=up.console, method="POST", body=text, authorization=f"Bearer {key}")
            assert (answer.status, said_ in answer.json["message"]) == (status, True), answer.json
