"""Who calls, decided over real connections: the owner, test visitors, strangers at the opened listener, hostile pages."""

from __future__ import annotations

import errno
import os
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.web.served import Answer, Served, exchange, served

from goop2.scripting.outcomes import QUEUE_FULL
from goop2.services.tables import BUSY
from goop2.web.http.peer_host import host_label

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"


async def test_the_own_site_over_loopback_is_called_by_the_owner(up: Served) -> None:
    answer = await up.call("who")
    assert answer.json == {"id": up.peer.identity.peer_id, "label": "Fred"}
    assert "set-cookie" not in answer.headers


async def test_each_test_visitor_is_somebody_of_their_own(up: Served) -> None:
    assert (await up.call("who", host=up.visitor("ann"))).json == {"id": "visitor-ann", "label": "visitor-ann"}
    assert (await up.call("who", host=up.visitor("bob"))).json["id"] == "visitor-bob"


async def test_a_page_can_ask_who_its_viewer_is(up: Served) -> None:
    owner = await up.ask("/api/identity")
    assert owner.json == {"id": up.peer.identity.peer_id, "label": "Fred", "email": "fred@example.org"}
    visitor = await up.ask("/api/identity", host=up.visitor("ann"))
    assert visitor.json == {"id": "visitor-ann", "label": "visitor-ann", "email": ""}


async def test_every_origin_is_healthy(up: Served) -> None:
    for host in (up.site, up.console, up.visitor("ann")):
        assert (await up.ask("/healthz", host=host)).json == {"status": "ok"}
    assert (await up.ask("/healthz", host="evil.example")).status == 421


async def test_a_peer_that_does_not_hold_its_lease_serves_nobody(up: Served) -> None:
    object.__setattr__(up.peer, "fenced", lambda: "this peer moves")
    try:
        for host in (up.site, up.visitor("ann"), up.console):
            for path in ("/", "/healthz", "/sdk/goop-data.js"):
                answer = await up.ask(path, host=host)
                assert (answer.status, b"this peer moves" in answer.body) == (503, True), (host, path)
        assert (await up.call("hello")).status == 503
    finally:
        object.__setattr__(up.peer, "fenced", None)
    assert (await up.call("hello")).status == 200


async def test_a_rebound_name_reaches_nothing(up: Served) -> None:
    for path in ("/", "/api/data/lua/list", "/api/console/home", "/sdk/goop-data.js", "/healthz"):
        assert (await up.ask(path, host=f"evil.example:{up.port}")).status == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://{site}", "http://{console}", "http://ann.{site}"]
)
async def test_a_page_of_another_origin_calls_nothing(up: Served, origin: str) -> None:
    foreign = origin.format(site=up.site, console=up.console)
    answer = await up.call("who", origin=foreign)
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_page_elsewhere_loads_nothing_whatever_way(up: Served, site: str) -> None:
    assert (await up.ask("/api/data/lua/list", sec_fetch_site=site, sec_fetch_mode="no-cors", sec_fetch_dest="script")).status == 403
    assert (await up.ask("/", sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="iframe")).status == 403
    assert (await up.ask("/api/data/lua/list", sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="document")).status == 403


async def test_a_link_from_elsewhere_leads_to_the_site(up: Served) -> None:
    for path, status in (("/", 302), (up.front, 200)):
        answer = await up.ask(path, sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document")
        assert answer.status == status


async def test_the_own_page_calls_with_its_origin(up: Served) -> None:
    answer = await up.call("hello", origin=f"http://{up.site}", sec_fetch_site="same-origin")
    assert answer.status == 200


async def test_two_hosts_in_one_request_are_refused(up: Served) -> None:
    request = f"GET / HTTP/1.1\r\nHost: {up.site}\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert (await exchange(up.port, request.encode())).status == 421


async def test_a_site_is_the_same_under_its_peers_path(up: Served) -> None:
    own = up.peer.identity.peer_id
    assert (await up.ask(f"/p/{own}/")).body == (await up.ask("/index.html")).body
    assert (await up.ask(f"/p/{own}/index.html")).status == 200
    bare = await up.ask(f"/p/{own}")
    assert (bare.status, bare.headers["location"]) == (308, f"/p/{own}/")
    assert (await up.ask(f"/p/{OTHER}/")).status == 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_root_of_a_site_leads_to_its_peers_path(up: Served, method: str) -> None:
    other = f"{host_label(OTHER)}.localhost:{up.port}"
    for host, peer_id in ((up.site, up.peer.identity.peer_id), (up.visitor("ann"), up.peer.identity.peer_id), (other, OTHER)):
        for query in ("", "?slug=a%20b&x=1"):
            answer = await up.ask(f"/{query}", host=host, method=method)
            assert (answer.status, answer.headers["location"]) == (302, f"/p/{peer_id}/{query}")
            assert answer.headers["cache-control"] == "no-store"
    assert (await up.ask("/", method="POST")).status == 405


async def test_every_link_to_the_own_site_has_its_peers_path(up: Served) -> None:
    own = up.peer.identity.peer_id
    assert urlsplit(up.web.site).path == urlsplit(up.web.browser_addresses()["site"]).path == f"/p/{own}/"
    assert urlsplit((await up.ask("/as/ann/", host=up.console)).headers["location"]).path == f"/p/{own}/"
    home = (await up.ask("/api/console/home", host=up.console, authorization=f"Bearer {up.web.token.text}")).json
    assert home["site"] == f"http://{up.site}/p/{own}/"
    assert home["visitor"].endswith(f".{up.site}/p/{own}/")


async def test_the_console_leads_to_each_peers_own_origin(up: Served) -> None:
    own = up.peer.identity.peer_id
    answer = await up.ask(f"/p/{own}/a%20b.html?x=1", host=up.console)
    assert (answer.status, answer.headers["location"]) == (307, f"http://{up.site}/p/{own}/a%20b.html?x=1")
    visited = await up.ask(f"/p/{OTHER}/", host=up.console)
    assert re.fullmatch(rf"http://k[0-9a-z]{{61}}\.localhost:{up.port}/p/{OTHER}/", visited.headers["location"])
    assert (await up.ask("/p/nobody/", host=up.console)).status == 404
    assert (await up.ask("/p//evil.example/", host=up.console)).status == 404


async def test_before_the_network_is_up_a_visited_peer_is_not_there_yet_and_says_so(up: Served) -> None:
    host = urlsplit((await up.ask(f"/p/{OTHER}/", host=up.console)).headers["location"]).netloc
    answer = await up.ask("/index.html", host=host)
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert b"Not on the network yet" in answer.body
    for path in ("/api/data/lua/call", "/api/data/query"):
        answer = await up.ask(path, host=host, method="POST", body=b"{}")
        assert (answer.status, answer.json["code"]) == (503, "unavailable")
    assert (await up.ask("/api/identity", host=host)).json["id"] == up.peer.identity.peer_id
    assert (await up.ask("/api/console/who", host=host)).status == 404


async def test_a_file_that_is_not_there_cannot_be_removed_and_is_said_so(up: Served) -> None:
    answer = await up.ask("/api/site/remove", method="POST", body=b'{"path": "nosuch.txt"}')
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    answer = await up.ask("/api/site/remove", method="POST", body=b'{"path": "../goop.json"}')
    assert (answer.status, answer.json["code"]) == (400, "bad_request")


async def test_a_full_disk_is_not_the_fault_of_who_uploads(up: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace

    def full(source: str, target: str, **more: int) -> None:
        if target == "new.txt":
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target, **more)

    monkeypatch.setattr(os, "replace", full)
    answer = await up.ask("/api/site/upload?path=new.txt", method="POST", body=b"x")
    assert (answer.status, answer.json["message"]) == (503, "'new.txt' cannot be changed (No space left on device)")


async def test_a_request_as_proxies_get_them_means_the_host_it_names(up: Served) -> None:
    assert (await up.ask(f"http://{up.site}/api/identity")).json["id"] == up.peer.identity.peer_id
    assert (await up.ask(f"HTTP://{up.site.upper()}/api/identity")).status == 200
    for target in ("http://evil.example/", f"http://ann.{up.site}/api/identity", f"http://evil@{up.site}/", "http://evil.example?/"):
        answer = await up.ask(target)
        assert (answer.status, b"names one host" in answer.body) == (400, True)


async def test_the_console_has_no_data_and_the_site_no_console(up: Served) -> None:
    assert (await up.call("who", host=up.console)).status == 404
    authorization = f"Bearer {up.web.token.text}"
    assert (await up.ask("/api/console/home", authorization=authorization)).status == 404


async def test_the_consoles_controls_want_its_token(up: Served) -> None:
    authorization = f"Bearer {up.web.token.text}"
    assert (await up.ask("/api/console/home", host=up.console, authorization=authorization)).json["id"] == up.peer.identity.peer_id
    for wrong in ("", "Bearer ", "Bearer x", authorization + "x", authorization[:-1], authorization.lower(), up.web.token.text):
        assert (await up.ask("/api/console/home", host=up.console, authorization=wrong)).status == 403
    assert (await up.ask("/api/console/home", host=up.console)).status == 403
    assert (await up.ask(f"/api/console/home?token={up.web.token.text}", host=up.console)).status == 403


async def test_the_token_is_in_no_page(up: Served) -> None:
    for path in ("/", "/console.js", "/console.css", "/nosuch", "/api/console/home"):
        assert up.web.token.text.encode() not in (await up.ask(path, host=up.console)).body


async def test_pages_say_what_browsers_shall_not_do(up: Served) -> None:
    site, console = await up.ask("/"), await up.ask("/", host=up.console)
    for page in (site, console, await up.ask("/nosuch"), await up.ask("/sdk/nosuch.js")):
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["cross-origin-opener-policy"] == "same-origin"
        assert page.headers["cross-origin-resource-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in console.headers["content-security-policy"]
    assert "unsafe" not in console.headers["content-security-policy"]
    assert "default-src 'none'" in console.headers["content-security-policy"]
    assert "frame-ancestors 'self'" in site.headers["content-security-policy"]
    assert "connect-src 'self'" in site.headers["content-security-policy"]


@pytest.fixture
def lan_address() -> str:
    """An address of this machine that is not loopback; no packet leaves."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        address: str = sock.getsockname()[0]
    return address


async def test_at_the_opened_door_everybody_is_a_visitor(tmp_path: Path, lan_address: str) -> None:
    async with served(tmp_path, viewer={"http_addr": f"{lan_address}:0"}) as up:
        port = urlsplit(up.web.opened).port
        assert port is not None
        assert port != up.port

        async def ask(host: str, cookie: str = "", path: str = "/api/identity") -> Answer:
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
            return await exchange(port, request.encode(), lan_address)

        here = f"{lan_address}:{port}"
        first = await ask(here)
        assert first.json["id"].startswith("visitor-")
        assert first.json["email"] == ""
        again = await ask(here, first.headers["set-cookie"].split(";")[0])
        assert again.json == first.json
        assert "set-cookie" not in again.headers
        for host in (
            f"127.0.0.1:{port}",
            f"localhost:{port}",
            f"{up.site.split(':')[0]}:{port}",
            "evil.example",
            f"{lan_address}:{up.port}",
        ):
            assert (await ask(host)).status == 421
        assert (await ask(here, path="/api/console/home")).status == 404


async def test_a_new_cookie_is_no_new_allowance(tmp_path: Path, lan_address: str) -> None:
    async with served(tmp_path, viewer={"http_addr": f"{lan_address}:0"}, lua={"rate_limit_per_peer": 3}) as up:
        port = urlsplit(up.web.opened).port or 0
        body = b'{"function": "hello"}'
        head = f"POST /api/data/lua/call HTTP/1.1\r\nHost: {lan_address}:{port}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        answers = [await exchange(port, head.encode() + body, lan_address) for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert len({answer.headers["set-cookie"] for answer in answers}) == 4


def forwarded(port: int, host: str, client: str, origin: str = "", body: bytes = b'{"function": "hello"}') -> bytes:
    """A call as a proxy passes it on."""
    lines = ["POST /api/data/lua/call HTTP/1.1", f"Host: {host}", f"X-Forwarded-For: {client}", f"Content-Length: {len(body)}"]
    lines += [f"Origin: {origin}"] if origin else []
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


async def test_behind_a_proxy_each_visitor_has_an_allowance_and_the_site_its_name(tmp_path: Path, lan_address: str) -> None:
    viewer: dict[str, object] = {"http_addr": f"{lan_address}:0", "proxies": [lan_address]}
    async with served(tmp_path, viewer=viewer, lua={"rate_limit_per_peer": 3}) as up:
        port = urlsplit(up.web.opened).port or 0

        async def status(client: str, origin: str = "https://blog.example") -> int:
            return (await exchange(port, forwarded(port, "blog.example", client, origin), lan_address)).status

        assert [await status("198.51.100.7") for _ in range(4)] == [200, 200, 200, 429]
        assert await status("198.51.100.8") == 200
        assert await status("198.51.100.8, 198.51.100.7") == 429
        assert await status("203.0.113.5", "http://blog.example") == 200
        assert await status("203.0.113.5", "https://evil.example") == 403, "a page of another origin stays one"
        assert await status("nobody") == 421, "who names no client decides no name"


async def test_a_forged_header_from_elsewhere_changes_nothing_at_a_site(tmp_path: Path, lan_address: str) -> None:
    viewer: dict[str, object] = {"http_addr": f"{lan_address}:0", "proxies": ["192.0.2.1"]}
    async with served(tmp_path, viewer=viewer, lua={"rate_limit_per_peer": 3}) as up:
        port = urlsplit(up.web.opened).port or 0
        here = f"{lan_address}:{port}"
        statuses = [(await exchange(port, forwarded(port, here, f"198.51.100.{each}"), lan_address)).status for each in range(4)]
        assert statuses == [200, 200, 200, 429]
        assert (await exchange(port, forwarded(port, "blog.example", "198.51.100.9"), lan_address)).status == 421


async def test_what_a_named_proxy_passes_on_is_not_the_owners(tmp_path: Path) -> None:
    async with served(tmp_path, viewer={"http_addr": "127.0.0.1:0", "proxies": ["127.0.0.1"]}) as up:
        assert (await up.call("who")).json["id"] == up.peer.identity.peer_id
        passed_on = await up.call("who", x_forwarded_for="198.51.100.7")
        assert passed_on.json["id"].startswith("visitor-")


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("nosuch.js", "text/javascript"),
        ("nosuch.css", "text/css"),
        ("a/b.mjs", "text/javascript"),
        ("nosuch.svg", "image/svg+xml"),
        ("nosuch.json", "application/json"),
    ],
)
async def test_what_is_missing_below_the_sdk_is_404_with_its_type(up: Served, name: str, type_: str) -> None:
    for host, prefix in ((up.site, "/sdk/"), (up.console, "/")):
        answer = await up.ask(prefix + name, host=host)
        assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (404, type_)
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await up.ask("/sdk/nosuch")).headers["content-type"] == "text/html; charset=utf-8"


async def test_the_console_has_an_icon(up: Served) -> None:
    icon = await up.ask("/favicon.ico", host=up.console)
    assert (icon.status, icon.body[:4]) == (200, b"\0\0\1\0")
    assert icon.headers["content-type"].startswith("image/")


async def test_a_full_line_says_when_to_come_back(up: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> object:
        return QUEUE_FULL

    monkeypatch.setattr(up.peer.pool, "run", full)
    answer = await up.call("hello")
    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")
    assert BUSY.retry_after_seconds
