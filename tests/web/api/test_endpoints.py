"""What each kind of page gets of every endpoint below `/api/` (behaviour.md, Changes of 2026-11-29, "Pages")."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.web.served import Answer, Served, served

from goop2.services.groups.records import GroupInfo
from goop2.web.api import endpoints
from goop2.web.api.endpoints import REFUSALS, checked
from goop2.web.http.peer_host import host_label

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "12D3KooWRBy97UB99e3J6hiPesre1MZeuNQvfan4gBziswrRJsNK"
FRIEND = "12D3KooWKRyzVWW6ChFjQjK4miCty85Niy48tpPV95XdKu1BcvMA"
STRANGER = "12D3KooWSCufgHzV4fCwRijfH2k3abrpAJxTKxEvN1FDuRXA2U9x"
EVERYBODY, PEERS, OWNER = (True, True, True), (True, True, False), (True, False, False)
"""Answered to: the owner on the own site, a page of a visited site, a visitor."""
EXPECTED = {
    "data/lua/call": EVERYBODY,
    "data/lua/list": EVERYBODY,
    "data/query": EVERYBODY,
    "data/tables/create": EVERYBODY,  # and refused there by who calls
    "events": EVERYBODY,
    "identity": EVERYBODY,
    "self": EVERYBODY,
    "chat/send": EVERYBODY,
    "chat/messages": EVERYBODY,
    "chat/broadcast": OWNER,
    "listen/state": EVERYBODY,
    "listen/events": EVERYBODY,
    "listen/audio": EVERYBODY,
    "listen/control": EVERYBODY,
    "peers": PEERS,
    "group/subscriptions": PEERS,
    "group/join": PEERS,
    "group/leave": PEERS,
    "group/send": PEERS,
    "groups": PEERS,
    "groups/subscriptions": PEERS,
    "groups/join": PEERS,
    "groups/leave": PEERS,
    "groups/send": PEERS,
    "groups/rejoin": PEERS,
    "groups/subscriptions/remove": PEERS,
    "groups/events": PEERS,
    "groups/join-own": OWNER,
    "groups/leave-own": OWNER,
    "groups/set-role": OWNER,
    "groups/set-default-role": OWNER,
    "groups/set-roles": OWNER,
    "groups/max-members": OWNER,
    "groups/meta": OWNER,
    "groups/close": OWNER,
    "groups/invite": OWNER,
    "groups/kick": OWNER,
    "group/create": OWNER,
    "group/close": OWNER,
    "group/invite": OWNER,
    "group/invites": OWNER,
    "group/refuse": OWNER,
    "group/remove": OWNER,
    "site/files": OWNER,
    "site/upload": OWNER,
    "site/remove": OWNER,
    "site/delete": OWNER,
    "site/content": OWNER,
}


def visited(up: Served) -> str:
    return f"{host_label(HOST)}.localhost:{up.port}"


async def asked(up: Served, path: str, host: str) -> Answer:
    """With an empty body: whether it is refused is known before it is read."""
    method = "HEAD" if path in ("events", "listen/events") else "POST"
    return await up.ask(f"/api/{path}", host=host, method=method, sec_fetch_site="same-origin")


@pytest.mark.parametrize("path", EXPECTED)
async def test_every_endpoint_answers_whom_it_is_for(up: Served, path: str) -> None:
    hosts = {"own": up.site, "visited": visited(up), "visitor": up.visitor("ann")}
    for (kind, host), expected in zip(hosts.items(), EXPECTED[path], strict=True):
        answer = await asked(up, path, host)
        refused = answer.status == 403 and answer.json["message"] in REFUSALS.values()
        assert (kind, not refused) == (kind, expected)
        assert answer.status != 404 or "nothing answers" not in answer.json["message"]


@pytest.mark.parametrize("path", EXPECTED)
async def test_no_endpoint_answers_a_foreign_page_or_the_console(up: Served, path: str) -> None:
    for host in (up.site, visited(up), up.visitor("ann")):
        foreign = await up.ask(f"/api/{path}", host=host, method="POST", origin="http://evil.example")
        assert (foreign.status, foreign.json["message"]) == (403, "a page of another origin may not ask here")
        framed = await up.ask(f"/api/{path}", host=host, sec_fetch_site="same-site", sec_fetch_mode="cors", sec_fetch_dest="empty")
        assert framed.status == 403
    assert (await up.ask(f"/api/{path}", host=up.console, method="POST")).status == 404


async def test_every_endpoint_has_a_rule_and_stands_in_this_test(up: Served) -> None:
    families = {path.partition("/")[0] for path in EXPECTED if path.startswith(("data/", "listen/"))}
    assert set(endpoints.RULES) == {path for path in EXPECTED if path.partition("/")[0] not in families} | families
    with pytest.raises(ValueError, match=r"have no rule in web/api/endpoints\.py: template/apply"):
        checked(["identity", "template/apply"], [])
    with pytest.raises(ValueError, match=r"against their rule in web/api/endpoints\.py: site/upload"):
        checked(["site/upload"], ["site/upload"])


async def test_a_visited_page_learns_the_viewers_id_and_label_and_no_email(up: Served) -> None:
    own = {"id": up.peer.identity.peer_id, "label": "Fred", "email": "fred@example.org"}
    assert (await up.ask("/api/identity")).json == own
    assert (await up.ask("/api/identity", host=visited(up))).json == {**own, "email": ""}
    assert (await up.ask("/api/identity", host=up.visitor("ann"))).json == {"id": "visitor-ann", "label": "visitor-ann", "email": ""}


async def test_a_visited_page_knows_its_host_and_who_is_in_a_group_with_the_viewer(up: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(peer: str) -> dict[str, object]:
        known = {"id": peer, "label": peer, "online": False, "ID": peer, "Content": peer, "Offline": True, "Reachable": False}
        unknown = dict.fromkeys(("Email", "AvatarHash", "ActiveTemplate", "PublicKey", "LastSeen"), "")
        return {**known, **unknown, **dict.fromkeys(("VideoDisabled", "Verified", "Favorite"), False)}

    assert (await up.ask("/api/peers", host=visited(up))).json == [shown(HOST)]
    groups = [
        GroupInfo(id="a", host=HOST, members=(HOST, up.peer.identity.peer_id, FRIEND)),
        GroupInfo(id="b", host=FRIEND, members=(FRIEND, STRANGER)),
    ]
    monkeypatch.setattr(up.peer.grouping.groups, "joined", lambda: groups)
    assert (await up.ask("/api/peers", host=visited(up))).json == [shown(FRIEND), shown(HOST)]


@pytest.mark.parametrize(("share", "told"), [(False, ""), (True, "fred@example.org"), ([HOST], "fred@example.org"), ([FRIEND], "")])
async def test_an_email_is_told_to_whom_the_owner_shares_it_with(tmp_path: Path, share: object, told: str) -> None:
    profile = {"label": "Fred", "email": "fred@example.org", "share_email": share}
    async with served(tmp_path, profile=profile) as one:
        assert (await one.ask("/api/identity", host=visited(one))).json["email"] == told
        assert (await one.ask("/api/identity")).json["email"] == "fred@example.org"


async def test_self_tells_an_email_to_the_owner_on_the_own_site_alone(tmp_path: Path) -> None:
    profile = {"label": "Fred", "email": "fred@example.org", "share_email": True}
    async with served(tmp_path, profile=profile) as one:
        own = {"id": one.peer.identity.peer_id, "label": "Fred", "email": "fred@example.org", "avatar_hash": ""}
        assert (await one.ask("/api/self")).json == own
        assert (await one.ask("/api/self", host=visited(one))).json == {**own, "email": ""}
        ann = {"id": "visitor-ann", "label": "visitor-ann", "email": "", "avatar_hash": ""}
        assert (await one.ask("/api/self", host=one.visitor("ann"))).json == ann


async def test_the_owner_reads_and_deletes_a_file_as_pages_of_goop2_ask(tmp_path: Path) -> None:
    async with served(tmp_path) as one:
        (tmp_path / "site/note.txt").write_text("hi")
        answer = (await one.ask("/api/site/content?path=note.txt")).json
        assert (answer["content"], answer["path"], sorted(answer)) == ("hi", "note.txt", ["content", "etag", "path"])
        for path in ("nosuch", "lua/functions/hello.lua", "../goop.json"):
            assert (await one.ask(f"/api/site/content?path={path}")).status == 404
        assert (await one.ask("/api/site/delete", method="POST", body=b'{"path": "note.txt"}')).json == {"status": "deleted"}
        assert not (tmp_path / "site/note.txt").exists()


async def test_groups_answer_pages_of_goop2_and_a_visited_page_sees_its_hosts_alone(tmp_path: Path) -> None:
    async with served(tmp_path) as one:

        async def post(path: str, host: str = "", **body: object) -> Answer:
            return await one.ask(f"/api/{path}", host=host, method="POST", body=json.dumps(body).encode())

        made = (await post("groups", name="Team", group_type="chess", max_members=4)).json
        assert made["status"] == "created"
        (listed,) = (await one.ask("/api/groups")).json
        assert (listed["id"], listed["name"], listed["group_type"], listed["owner"]) == (
            made["id"],
            "Team",
            "chess",
            one.peer.identity.peer_id,
        )
        assert (await one.ask("/api/groups", host=visited(one))).json == []
        assert (await post("groups", visited(one), name="Theirs")).status == 403
        assert (await one.ask("/api/groups/subscriptions")).json == {"subscriptions": None, "active_groups": []}
        assert (await post("groups/join", visited(one), host_peer_id=STRANGER, group_id="x")).status == 403
        assert (await post("groups/send", visited(one), group_id=made["id"], payload=1)).status == 404
        assert (await post("groups/close", group_id=made["id"])).json == {"status": "closed"}
        assert (await one.ask("/api/groups")).json == []
