"""Sites at a port of their own, for browsers that find no `*.localhost`."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.web.served import Answer, Served, exchange, served

from goop2.folder.identity import load_or_create
from goop2.web.http import site_ports
from goop2.web.http.listeners import BoundListener, bind_site
from goop2.web.http.origins import Realm
from goop2.web.http.saved_ports import SavedPorts
from goop2.web.http.site_ports import needs_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/137.0 Mobile/15E148 Safari/604.1"
)
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0"
ANOTHER = "12D3KooWKRyzVWW6ChFjQjK4miCty85Niy48tpPV95XdKu1BcvMA"
OTHER = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"


@pytest.mark.parametrize(("browser", "needs"), [(SAFARI, True), (PHONE, True), (CHROME, False), (FIREFOX, False), ("", False)])
async def test_only_browsers_that_know_no_names_need_a_port(browser: str, needs: bool) -> None:
    assert needs_port(browser) is needs


async def led(up: Served, path: str) -> str:
    """Where the console leads Safari."""
    answer = await up.ask(path, host=up.console, user_agent=SAFARI)
    assert answer.status == 307
    return answer.headers["location"]


async def ask(address: str, path: str = "/api/identity", *, host: str = "", **headers: str) -> Answer:
    place = urlsplit(address)
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return await exchange(
        place.port or 80, f"GET {path} HTTP/1.1\r\nHost: {host or place.netloc}\r\nConnection: close\r\n{lines}\r\n".encode()
    )


async def test_the_own_site_has_a_port_where_its_caller_is_the_owner(up: Served) -> None:
    own = up.peer.identity.peer_id
    address = await led(up, f"/p/{own}/blog/?page=2")
    place = urlsplit(address)
    assert (place.hostname, place.path, place.query) == ("localhost", f"/p/{own}/blog/", "page=2")
    assert place.port != up.port
    assert (await ask(address)).json["id"] == own
    assert b"Front page" in (await ask(address, f"/p/{own}/")).body
    assert urlsplit(await led(up, f"/p/{own}/")).netloc == place.netloc, "it keeps its port"


async def test_each_visitor_and_each_visited_peer_has_another(up: Served) -> None:
    ann, bob, other = [await led(up, path) for path in ("/as/ann/", "/as/bob/", f"/p/{OTHER}/")]
    assert (await ask(ann)).json["id"] == "visitor-ann"
    assert (await ask(bob)).json["id"] == "visitor-bob"
    assert b"Not on the network yet" in (await ask(other, "/index.html")).body
    assert len({urlsplit(address).port for address in (ann, bob, other)}) == 3


async def test_such_a_port_is_that_site_and_nothing_else(up: Served) -> None:
    address = await led(up, "/as/ann/")
    port = urlsplit(address).port
    for host in (f"127.0.0.1:{port}", f"[::1]:{port}", up.site, f"{up.site.split(':')[0]}:{port}", up.console, "evil.example"):
        assert (await ask(address, host=host)).status == 421
    assert (await ask(address, "/api/console/home", authorization=f"Bearer {up.web.token.text}")).status == 404
    assert (await ask(address, origin=f"http://{up.console}")).status == 403
    assert (await ask(address, sec_fetch_site="same-site", sec_fetch_mode="no-cors", sec_fetch_dest="script")).status == 403


async def test_others_are_led_to_the_name(up: Served) -> None:
    for browser in (CHROME, ""):
        assert (await up.ask("/as/ann/", host=up.console, user_agent=browser)).headers["location"] == f"http://ann.{up.site}{up.front}"
    for path in ("/as/", "/as//", "/as/a-b/", "/as/Ann/", "/p/nobody/"):
        assert (await up.ask(path, host=up.console, user_agent=SAFARI)).status == 404


async def test_the_ports_have_an_end_in_number_and_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_ports, "SITE_PORTS_MAX", 1)
    async with served(tmp_path) as up:
        address = await led(up, "/as/ann/")
        refused = await up.ask("/as/bob/", host=up.console, user_agent=SAFARI)
        assert (refused.status, b"1 sites have a port already" in refused.body) == (503, True)
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await ask(address)


async def test_a_site_keeps_its_port_over_restarts_and_no_other_gets_it(tmp_path: Path) -> None:
    paths = ("/as/ann/", f"/p/{OTHER}/")
    async with served(tmp_path) as first:
        before = [urlsplit(await led(first, path)).port for path in paths]
    async with served(tmp_path) as second:
        assert [urlsplit(await led(second, path)).port for path in reversed(paths)] == before[::-1]
    assert (tmp_path / "data/ports.json").stat().st_mode & 0o777 == 0o600


async def test_a_port_that_another_program_has_meanwhile_stays_its_sites(tmp_path: Path) -> None:
    async with served(tmp_path) as first:
        port = urlsplit(await led(first, "/as/ann/")).port
    with socket.socket() as program:
        program.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        program.bind(("127.0.0.1", port or 0))
        program.listen()
        async with served(tmp_path) as second:
            other = urlsplit(await led(second, "/as/ann/")).port
            assert other != port
    kept = SavedPorts(tmp_path)
    assert kept.is_anothers(port or 0, OTHER, "")
    assert kept.is_anothers(other or 0, OTHER, "")
    assert not kept.is_anothers(port or 0, load_or_create(tmp_path).peer_id, "ann")


async def test_a_free_port_of_another_site_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = [bind_site(OTHER, Realm.VISITED_SITE, "", 0) for _ in range(2)]
    numbers = [bound.listener.port for bound in free]
    for bound in free:
        bound.close()
    kept = SavedPorts(tmp_path)
    kept.save(numbers[0], OTHER, "")
    real, given = bind_site, iter([*numbers])

    def bind(peer_id: str, realm: Realm, visitor: str, port: int) -> BoundListener:
        return real(peer_id, realm, visitor, port or next(given))

    monkeypatch.setattr(site_ports, "bind_site", bind)

    async def serve(bound: BoundListener) -> None:
        bound.close()

    opened = site_ports.SitePorts("12D3own", 1, kept, serve)
    assert await opened.address(ANOTHER, "", SAFARI) == f"http://localhost:{numbers[1]}"


@pytest.mark.parametrize("content", [b"", b"{", b'{"sites": 5}', b'{"sites": ' + b"[" * 500 + b"]" * 500 + b"}"])
async def test_a_damaged_file_of_ports_is_set_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/ports.json").write_bytes(content)
    kept = SavedPorts(tmp_path)
    assert kept.of(OTHER, "") == 0
    kept.save(4000, OTHER, "")
    assert SavedPorts(tmp_path).of(OTHER, "") == 4000
    assert (tmp_path / "data/ports.json.bad").read_bytes() == content


@pytest.mark.parametrize("seal", ["", "00" * 32, "ü"])
async def test_ports_that_came_with_the_folder_are_not_believed(tmp_path: Path, seal: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/ports.json").write_bytes(json.dumps({"sites": {OTHER: [4000], ANOTHER: [-1]}, "seal": seal}).encode())
    kept = SavedPorts(tmp_path)
    assert (kept.of(OTHER, ""), kept.of(ANOTHER, "")) == (0, 0)
    assert not kept.is_anothers(4000, ANOTHER, "")


async def test_ports_another_user_was_given_are_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "peer"
    folder.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "author"))
    SavedPorts(folder).save(4000, OTHER, "")
    assert SavedPorts(folder).of(OTHER, "") == 4000
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "owner"))
    assert SavedPorts(folder).of(OTHER, "") == 0


async def test_where_no_secret_can_be_kept_sites_get_new_ports_and_nothing_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "peer"
    folder.mkdir()
    SavedPorts(folder).save(4000, OTHER, "")
    with monkeypatch.context() as homeless:
        homeless.setenv("XDG_STATE_HOME", "/dev/null")
        kept = SavedPorts(folder)
        assert kept.of(OTHER, "") == 0
        kept.save(5000, OTHER, "")
        assert kept.of(OTHER, "") == 5000
    assert SavedPorts(folder).of(OTHER, "") == 4000
