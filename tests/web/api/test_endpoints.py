"""What each kind of page gets of every endpoint below `/api/` (behaviour.md, Changes of 2026-11-29, "Pages")."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tests.go_pictures import PNG, name_of
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
    "chat/rooms": PEERS,
    "chat/rooms/join": PEERS,
    "chat/rooms/leave": PEERS,
    "chat/rooms/send": PEERS,
    "chat/rooms/state": PEERS,
    "chat/rooms/create": OWNER,
    "chat/rooms/close": OWNER,
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
    "avatar": PEERS,
    "avatar/peer/": PEERS,
    "mq/send": PEERS,
    "mq/ack": PEERS,
    "mq/events": PEERS,
    "template/settings": OWNER,
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
    families = {path.partition("/")[0] for path in EXPECTED if path.startswith(("data/", "listen/", "avatar/", "mq/", "template/"))}
    assert set(endpoints.RULES) == {path for path in EXPECTED if path.partition("/")[0] not in families} | families
    with pytest.raises(ValueError, match=r"have no rule in web/api/endpoints\.py: bundle/apply"):
        checked(["identity", "bundle/apply"], [])
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


async def test_a_picture_is_the_owners_file_on_the_own_site_and_one_made_of_the_id_elsewhere(tmp_path: Path) -> None:
    async with served(tmp_path) as one:
        own = one.peer.identity.peer_id

        async def shown(path: str, host: str = "") -> tuple[str, bytes]:
            answer = await one.ask(f"/api/{path}", host=host)
            assert answer.status == 200
            return answer.headers["content-type"], answer.body

        made = await shown("avatar")
        assert (made[0], made[1][:5]) == ("image/svg+xml; charset=utf-8", b"<svg ")
        assert await shown(f"avatar/peer/{own}") == made == await shown("avatar", visited(one))
        assert await shown(f"avatar/peer/{FRIEND}") == await shown(f"avatar/peer/{FRIEND}", visited(one)) != made
        assert (await one.ask("/api/self")).json["avatar_hash"] == ""
        picture = b"\x89PNG\r\n\x1a\n and more"
        (tmp_path / "avatar.png").write_bytes(picture)
        assert await shown("avatar") == await shown(f"avatar/peer/{own}") == ("image/png", picture)
        assert await shown("avatar", visited(one)) == made, "a stranger's page gets nothing of the owner's"
        assert (await one.ask("/api/self")).json["avatar_hash"] == hashlib.sha256(picture).hexdigest()[:16]
        for bad in ("avatar/peer/", f"avatar/peer/{'x' * 200}"):
            assert (await one.ask(f"/api/{bad}")).status == 400
        assert (await one.ask("/api/avatar", method="POST")).status == 405


async def test_a_page_gets_the_pictures_of_whom_it_may_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner's of everybody; a visited site's of its host, and of who shares a group of that host with the viewer."""
    async with served(tmp_path) as one:
        avatars, own = one.peer.avatars, one.peer.identity.peer_id
        await avatars.set(PNG)
        pictures = {HOST: PNG + b"host", FRIEND: PNG + b"friend", STRANGER: PNG + b"stranger"}
        for peer, content in pictures.items():
            avatars.told(peer, name_of(content))
            assert await avatars.keep(peer, content)
        groups = [
            GroupInfo(id="a", host=HOST, members=(HOST, own, FRIEND)),
            GroupInfo(id="b", host=FRIEND, members=(FRIEND, own, STRANGER)),
        ]
        monkeypatch.setattr(one.peer.grouping.groups, "joined", lambda: groups)

        async def seen(host: str) -> dict[str, bytes]:
            """The pictures that are real."""
            found = {}
            for peer in (*pictures, own):
                answer = await one.ask(f"/api/avatar/peer/{peer}", host=host)
                if answer.status == 200 and not answer.body.startswith(b"<svg"):
                    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == ("image/png", "nosniff")
                    found[peer] = answer.body
            return found

        assert await seen("") == {**pictures, own: PNG}
        assert await seen(visited(one)) == {peer: pictures[peer] for peer in (HOST, FRIEND)}
        assert await seen(one.visitor("ann")) == {}
        assert (await one.ask(f"/api/avatar/peer/{HOST}", host=one.visitor("ann"))).status == 403


@pytest.mark.parametrize("content", [b"<svg onload='alert(1)'/>", b"", b"\x89PNG\r\n\x1a\n" + b"x" * 1024 * 1024])
async def test_what_is_no_picture_or_too_large_is_not_sent_as_one(tmp_path: Path, content: bytes) -> None:
    async with served(tmp_path) as one:
        (tmp_path / "avatar.png").write_bytes(content)
        assert (await one.ask("/api/avatar")).body.startswith(b"<svg xmlns")


async def test_a_link_out_of_the_folder_is_no_picture(tmp_path: Path) -> None:
    async with served(tmp_path / "peer") as one:
        (tmp_path / "secret").write_bytes(b"\x89PNG\r\n\x1a\n secret")
        (tmp_path / "peer/avatar.png").symlink_to(tmp_path / "secret")
        assert b"secret" not in (await one.ask("/api/avatar")).body


async def test_the_manifest_of_the_template_is_for_the_owner(tmp_path: Path) -> None:
    async with served(tmp_path) as one:
        assert (await one.ask("/api/template/settings")).json == {"require_email": False}
        manifest = '{"name": "Board", "icon": "x"}'
        one.peer.database.rows(f"INSERT INTO _meta VALUES ('template_manifest', '{manifest}'), ('template_require_email', '1')")
        assert (await one.ask("/api/template/settings")).json == {"name": "Board", "icon": "x", "require_email": True}
        assert (await one.ask("/api/template/settings", host=visited(one))).status == 403
        assert (await one.ask("/api/template/settings", host=one.visitor("ann"))).status == 403


async def test_files_and_folders_are_listed_as_pages_of_goop2_know_them(tmp_path: Path) -> None:
    async with served(tmp_path) as one:
        (tmp_path / "site/images/small").mkdir(parents=True)
        (tmp_path / "site/images/small/a.png").write_bytes(b"12")
        listed = {each["Path"]: each for each in (await one.ask("/api/site/files")).json}
        for path, is_folder, depth in (("images", True, 0), ("images/small", True, 1), ("images/small/a.png", False, 2)):
            assert (listed[path]["IsDir"], listed[path]["Depth"], listed[path]["path"]) == (is_folder, depth, path)
        assert listed["images/small/a.png"]["size"] == 2
        assert not [path for path in listed if path.startswith("lua")]


async def test_a_form_with_path_and_file_is_an_upload(tmp_path: Path) -> None:
    async with served(tmp_path) as one:
        part = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
        form = part % (b"path", b"", b"images/x.txt") + part % (b"file", b'; filename="any.txt"', b"hello") + b"--b--\r\n"
        kind = {"content_type": "multipart/form-data; boundary=b"}
        answer = (await one.ask("/api/site/upload", method="POST", body=form, **kind)).json
        assert (answer["status"], answer["path"], answer["ok"]) == ("uploaded", "images/x.txt", True)
        assert answer["etag"] == (await one.ask("/api/site/content?path=images/x.txt")).json["etag"]
        assert (tmp_path / "site/images/x.txt").read_bytes() == b"hello"
        assert (await one.ask("/api/site/upload?path=b.txt", method="POST", body=form, **kind)).json["path"] == "b.txt"
        bad = form.replace(b"images/x.txt", b"../x.txt")
        assert (await one.ask("/api/site/upload", method="POST", body=bad, **kind)).status == 400
