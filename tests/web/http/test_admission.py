"""Who comes in at a site's origin: the owner by connection or pass, readers on their way to another peer's site.

Other users of the machine are children of the test under another uid, so those tests want root.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.web.served import Answer, Served, parsed

from goop2.web.http.local_users import LocalUsers
from goop2.web.http.peer_host import host_label

OTHER = "12D3KooWRBy97UB99e3J6hiPesre1MZeuNQvfan4gBziswrRJsNK"
ANOTHER = "12D3KooWKRyzVWW6ChFjQjK4miCty85Niy48tpPV95XdKu1BcvMA"
STRANGER_UID = 65_533
LINK: dict[str, Any] = {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
CROSS: dict[str, Any] = {**LINK, "sec_fetch_site": "cross-site"}
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="a second user of the machine wants root")
_CLIENT = """
import os, socket, sys
if int(sys.argv[2]): os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
s = socket.socket(); s.connect(("127.0.0.1", int(sys.argv[1])))
s.sendall(sys.stdin.buffer.read())
out = b""
while piece := s.recv(65536): out += piece
sys.stdout.buffer.write(out)
"""


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def as_user(up: Served, uid: int, path: str, *, host: str = "", method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
    """One request of another user of this machine."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host or up.site}", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    command = [sys.executable, "-c", _CLIENT, str(up.port), str(uid)]
    ended = await asyncio.to_thread(subprocess.run, command, input=request, capture_output=True, check=True, timeout=20)
    return parsed(ended.stdout)


def cookie_of(answer: Answer) -> str:
    return answer.headers["set-cookie"].partition(";")[0]


def visited(up: Served) -> str:
    return f"{host_label(OTHER)}.localhost:{up.port}"


# Whose connection it is.


@NEEDS_ROOT
@pytest.mark.parametrize("listener", ["own", "test visitor"])
async def test_another_user_of_the_machine_is_a_visitor(up: Served, listener: str) -> None:
    host = up.site if listener == "own" else up.visitor("ann")
    who = (await as_user(up, STRANGER_UID, "/api/identity", host=host)).json
    assert who["id"].startswith("visitor-")
    assert who["id"] != "visitor-ann"
    assert who["email"] == ""
    upload = await as_user(up, STRANGER_UID, "/api/site/upload?path=x.html", host=host, method="POST", body=b"hi")
    assert upload.status == 403
    assert not (up.folder / "site/x.html").exists()
    group = await as_user(up, STRANGER_UID, "/api/group/create", host=host, method="POST", body=b'{"name": "mine"}')
    assert group.status == 403


@NEEDS_ROOT
async def test_the_owner_and_root_are_the_owner(up: Served) -> None:
    assert (await as_user(up, 0, "/api/identity")).json["id"] == up.peer.identity.peer_id


@NEEDS_ROOT
async def test_another_user_gets_nothing_of_a_visited_site(up: Served) -> None:
    page = await as_user(up, STRANGER_UID, "/", host=visited(up))
    assert page.status == 403
    api = await as_user(up, STRANGER_UID, "/api/data/tables", host=visited(up))
    assert (api.status, api.json["code"]) == (403, "forbidden")


@NEEDS_ROOT
@pytest.mark.parametrize("path", [f"/p/{ANOTHER}/", "/as/mallory/"])
async def test_another_user_takes_no_port_of_a_site(up: Served, path: str) -> None:
    answer = await as_user(up, STRANGER_UID, path, host=up.console, user_agent="AppleWebKit/605 Safari/605")
    assert (answer.status, answer.headers.get("location")) == (403, None)


@NEEDS_ROOT
async def test_a_code_lets_one_browser_in_once(up: Served) -> None:
    link = urlsplit(up.web.browser_addresses()["site"])
    first = await as_user(up, STRANGER_UID, f"{link.path}?{link.query}")
    assert (first.status, first.headers["location"]) == (302, up.front)
    assert "HttpOnly" in first.headers["set-cookie"]
    assert "Max-Age" in first.headers["set-cookie"]
    cookie = cookie_of(first)
    assert (await as_user(up, STRANGER_UID, "/api/identity", cookie=cookie)).json["id"] == up.peer.identity.peer_id
    again = await as_user(up, STRANGER_UID, f"{link.path}?{link.query}")
    assert (again.status, again.headers.get("set-cookie")) == (403, None)
    stolen = await as_user(up, STRANGER_UID - 1, "/api/identity", cookie=cookie)
    assert stolen.json["id"].startswith("visitor-")
    for wrong in (cookie[:-1] + "x", cookie.replace("=", "=0"), f"{cookie.partition('=')[0]}="):
        assert (await as_user(up, STRANGER_UID, "/api/identity", cookie=wrong)).json["id"].startswith("visitor-")


@NEEDS_ROOT
async def test_a_console_with_its_token_leads_another_users_browser_in(up: Served) -> None:
    token: dict[str, Any] = {"authorization": f"Bearer {up.web.token.text}"}
    refused = await as_user(up, STRANGER_UID, "/api/console/home", host=up.console)
    assert (refused.status, refused.headers.get("set-cookie")) == (403, None)
    shown = await as_user(up, STRANGER_UID, "/api/console/home", host=up.console, **token)
    own = up.peer.identity.peer_id
    assert shown.json["site"] == f"/p/{own}/"
    click: dict[str, Any] = {**LINK, "sec_fetch_site": "same-origin"}
    without = await as_user(up, STRANGER_UID, f"/p/{own}/", host=up.console, **click)
    assert "goop2-code" not in without.headers["location"]
    led = await as_user(up, STRANGER_UID, f"/p/{own}/", host=up.console, cookie=cookie_of(shown), **click)
    target = urlsplit(led.headers["location"])
    entered = await as_user(up, STRANGER_UID, f"{target.path}?{target.query}", **CROSS)
    assert entered.status == 302
    assert (await as_user(up, STRANGER_UID, "/api/identity", cookie=cookie_of(entered))).json["id"] == own


async def test_the_owners_own_browser_is_given_no_pass(up: Served) -> None:
    home = await up.ask("/api/console/home", host=up.console, authorization=f"Bearer {up.web.token.text}")
    assert "set-cookie" not in home.headers
    link = urlsplit(up.web.browser_addresses()["site"])
    answer = await up.ask(f"{link.path}?a=1&{link.query}")
    assert (answer.status, answer.headers["location"], answer.headers.get("set-cookie")) == (302, f"{up.front}?a=1", None)


@pytest.mark.parametrize("query", ["my-goop2-code=1", "q=goop2-code=1", "a&xgoop2-code="])
async def test_what_only_looks_like_a_code_is_the_sites_own(up: Served, query: str) -> None:
    assert (await up.ask(f"{up.front}?{query}")).status == 200


async def test_where_nobody_can_tell_a_code_is_asked_for(up: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalUsers, "user_of", lambda *_: None)
    assert (await up.ask("/api/identity")).json["id"].startswith("visitor-")
    link = urlsplit(up.web.browser_addresses()["site"])
    entered = await up.ask(f"{link.path}?{link.query}")
    assert (await up.ask("/api/identity", cookie=cookie_of(entered))).json["id"] == up.peer.identity.peer_id


async def test_it_is_looked_up_once_a_connection(up: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    real = LocalUsers.user_of

    def counted(users: LocalUsers, client: tuple[str, int], server: tuple[str, int]) -> int | None:
        asked.append(client)
        return real(users, client, server)

    monkeypatch.setattr(LocalUsers, "user_of", counted)
    reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
    for _ in range(3):
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: {up.site}\r\n\r\n".encode())
        await reader.readuntil(b'"ok"}')
    writer.close()
    assert len(asked) == 1


# Going to a stranger's site.


@pytest.mark.parametrize("site", ["cross-site", "same-site", "odd"])
@pytest.mark.parametrize("path", ["/", "/a/b.html?x=1", f"/p/{OTHER}/"])
async def test_whoever_is_led_to_another_peers_site_is_asked_first(
    up: Served, site: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr("goop2.web.remote.sites.RemoteSites.answer", never)
    page = await up.ask(path, host=visited(up), **{**CROSS, "sec_fetch_site": site})
    assert page.status == 200
    assert OTHER.encode() in page.body
    assert b"<script" not in page.body
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy
    assert (page.headers["x-frame-options"], page.headers["cache-control"]) == ("DENY", "no-store")
    assert "set-cookie" not in page.headers


async def test_a_click_goes_on_and_is_remembered_for_the_session(up: Served) -> None:
    asked = await up.ask("/a%20b.html?x=1&y", host=visited(up), **CROSS)
    (href,) = re.findall(rb'href="([^"]*)"', asked.body)
    onward = href.decode().replace("&amp;", "&")
    assert re.fullmatch(r"/a%20b\.html\?x=1&y&goop2-code=[\w-]{22}", onward)
    clicked = await up.ask(onward, host=visited(up), **{**LINK, "sec_fetch_site": "same-origin"})
    assert (clicked.status, clicked.headers["location"]) == (302, "/a%20b.html?x=1&y")
    assert "Max-Age" not in clicked.headers["set-cookie"]
    cookie = cookie_of(clicked)
    gone_on = await up.ask("/index.html", host=visited(up), cookie=cookie, **CROSS)
    assert b"Not on the network yet" in gone_on.body
    elsewhere = f"{host_label(ANOTHER)}.localhost:{up.port}"
    assert b"Go on to this site" in (await up.ask("/", host=elsewhere, cookie=cookie, **CROSS)).body
    reused = await up.ask(onward, host=visited(up), **CROSS)
    assert "set-cookie" not in reused.headers


@pytest.mark.parametrize("headers", [{}, {**LINK, "sec_fetch_site": "none"}, {**LINK, "sec_fetch_site": "same-origin"}])
async def test_a_readers_own_doing_and_programs_are_not_asked(up: Served, headers: dict[str, Any]) -> None:
    assert b"Not on the network yet" in (await up.ask("/index.html", host=visited(up), **headers)).body


@pytest.mark.parametrize("origin", ["console", "own site"])
async def test_links_of_ours_carry_a_code(up: Served, origin: str) -> None:
    host = up.console if origin == "console" else up.site
    led = await up.ask(f"/p/{OTHER}/a?x=1", host=host, **{**LINK, "sec_fetch_site": "same-origin"})
    target = urlsplit(led.headers["location"])
    assert (led.status, target.netloc, target.path) == (307, visited(up), f"/p/{OTHER}/a")
    arrived = await up.ask(f"{target.path}?{target.query}", host=visited(up), **CROSS)
    assert (arrived.status, arrived.headers["location"]) == (302, f"/p/{OTHER}/a?x=1")
    again = await up.ask("/index.html", host=visited(up), cookie=cookie_of(arrived), **CROSS)
    assert b"Not on the network yet" in again.body


async def test_a_foreign_page_gets_no_code_by_the_way_of_the_console(up: Served) -> None:
    led = await up.ask(f"/p/{OTHER}/", host=up.console, **CROSS)
    assert "goop2-code" not in led.headers["location"]
    assert (await up.ask(f"/p/{OTHER}/", host=up.site, **CROSS)).status == 403
    fetched = await up.ask(f"/p/{OTHER}/", sec_fetch_site="same-origin", sec_fetch_mode="cors", sec_fetch_dest="empty")
    assert fetched.status == 403


async def test_names_on_the_page_are_text(up: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up.web.remote, "_labels", {OTHER: "<script>alert(1)</script>" + "x" * 500})
    page = await up.ask('/?q="><script>', host=visited(up), **CROSS)
    assert b"<script" not in page.body
    assert b"&lt;script&gt;alert(1)" in page.body
    assert len(page.body) < 4000
