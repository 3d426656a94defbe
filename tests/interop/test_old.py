"""A peer of the commit before the network was written anew (py-libp2p on trio) and one of this commit talk, every protocol both ways."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.cli.command import PATIENCE_SECONDS, PROGRAM, goop2
from tests.e2e.lan import NamespaceError, two_networks
from tests.e2e.peers import Running, free_port, running
from tests.e2e.test_lan import until
from tests.e2e.test_relay import MEETING_SECONDS, meeting_point
from tests.interop.old_environment import goop2 as old_goop2
from tests.interop.python_environment import NoEnvironmentError
from tests.services.listen.sounds import wav

from goop2.web.http.peer_host import host_label

LARGE = bytes(range(256)) * 32 * 1024
"""8 MB."""
MOVES = {
    "name": "moves",
    "columns": [{"name": "move", "type": "text"}],
    "access": {"read": "open", "insert": "open", "update": "owner", "delete": "owner"},
}
SONG_SECONDS = 60
SOUND_BYTES = 200_000
"""Two seconds of the song."""


@pytest.fixture(scope="module")
def old() -> tuple[str, ...]:
    try:
        return old_goop2()
    except NoEnvironmentError as error:
        pytest.skip(f"a peer of an earlier commit: {error}")


def furnished(folder: Path, label: str, program: Sequence[str], **settings: dict[str, object]) -> Path:
    """A peer folder as its own version makes it, with a page, a large file, a table and a song."""
    assert goop2("init", folder, "--label", label, program=program).returncode == 0
    document = json.loads((folder / "goop.json").read_text())
    document |= {"viewer": {"http_addr": "127.0.0.1:0"}, "p2p": {"listen_port": free_port()}, **settings}
    (folder / "goop.json").write_text(json.dumps(document))
    (folder / "site/page.html").write_text(f"<h1>{label}</h1>")
    (folder / "site/large.bin").write_bytes(LARGE)
    (folder / "schemas").mkdir(exist_ok=True)
    (folder / "schemas/moves.json").write_text(json.dumps(MOVES))
    wav(folder / "song.wav", SONG_SECONDS)
    return folder


@dataclass
class Pages:
    """A browser of the owner of one peer, on its own site or on the site of `host`."""

    peer: Running
    host: Running

    @contextmanager
    def request(self, method: str, path: str, body: object = None) -> Iterator[http.client.HTTPResponse]:
        """One request; gives its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(self.peer.site).port, timeout=PATIENCE_SECONDS)
        with closing(connection):
            headers = {"Host": f"{host_label(self.host.id)}.localhost:{connection.port}"}
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, headers | ({"content-type": "application/json"} if text else {}))
            with connection.getresponse() as answer:
                yield answer

    def get(self, path: str) -> tuple[int, bytes]:
        with self.request("GET", path) as answer:
            return answer.status, answer.read()

    def api(self, path: str, body: object = None) -> Any:
        """What an endpoint of `/api/` answers, which must be good."""
        with self.request("GET" if body is None else "POST", f"/api/{path}", body) as answer:
            text = answer.read()
            assert answer.status == 200, (path, answer.status, text)
            return json.loads(text)

    @contextmanager
    def events(self) -> Iterator[Callable[[Callable[[Any], bool]], Any]]:
        """The event stream; gives a function that returns the first event that is wanted."""
        with self.request("GET", "/api/events") as stream:
            assert stream.status == 200

            def wanted(is_it: Callable[[Any], bool]) -> Any:
                end = time.monotonic() + PATIENCE_SECONDS
                while time.monotonic() < end:
                    line = stream.readline()
                    if line.startswith(b"data: ") and is_it(event := json.loads(line[6:])):
                        return event
                raise AssertionError("the event never came")

            yield wanted


@pytest.fixture(scope="module", params=["old visits new", "new visits old"])
def two(
    request: pytest.FixtureRequest, old: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, Running]]:
    """A visitor and a host, one of each commit."""
    folder = tmp_path_factory.mktemp("two")
    visitor_program, host_program = (old, PROGRAM) if request.param == "old visits new" else (PROGRAM, old)
    furnished(folder / "vera", "Vera", visitor_program)
    furnished(folder / "hugo", "Hugo", host_program)
    with (
        running(folder / "vera", "Vera", program=visitor_program) as visitor,
        running(folder / "hugo", "Hugo", program=host_program) as host,
    ):
        done = visitor.goop2("connect", visitor.folder, host.address)
        assert (done.returncode, "Hugo" in done.stderr) == (0, True), done.stderr
        yield visitor, host


def test_each_sees_the_others_label(two: tuple[Running, Running]) -> None:
    visitor, host = two
    until(lambda: "Hugo" in visitor.sees(), visitor.process)
    until(lambda: "Vera" in host.sees(), host.process)


def test_pages_and_an_8_mb_file_of_the_site_come_whole(two: tuple[Running, Running]) -> None:
    visitor, host = two
    for one, other in ((visitor, host), (host, visitor)):
        pages = Pages(one, other)
        assert pages.get("/page.html") == (200, f"<h1>{other.label}</h1>".encode())
        status, body = pages.get("/large.bin")
        assert (status, body == LARGE) == (200, True)
        assert pages.get("/nothing.html")[0] == 404


def test_functions_are_called_from_a_page_of_the_visited_site_and_from_a_terminal(two: tuple[Running, Running]) -> None:
    visitor, host = two
    for one, other in ((visitor, host), (host, visitor)):
        asked = {"function": "score-quiz", "params": {"answers": ["B"]}}
        assert Pages(one, other).api("data/lua/call", asked) == {"score": 1, "total": 1}
        done = one.goop2("call", other.id, "score-quiz", '{"answers": ["B"]}', "--dir", one.folder)
        assert (done.returncode, json.loads(done.stdout)) == (0, {"score": 1, "total": 1}), done.stderr
        failed = one.goop2("call", other.id, "nosuch", "--dir", one.folder)
        assert (failed.returncode, failed.stderr.partition(":")[0]) == (1, "not_found")


def test_tables_are_read_and_written_over_there(two: tuple[Running, Running]) -> None:
    visitor, host = two
    for one, other in ((visitor, host), (host, visitor)):
        pages = Pages(one, other)
        assert pages.api("data/insert", {"table": "moves", "data": {"move": "e4"}})["status"] == "inserted"
        rows = pages.api("data/query", {"table": "moves"})
        assert [(row["move"], row["_owner"]) for row in rows] == [("e4", one.id)]


def test_messages_and_commands_are_answered_and_kept(two: tuple[Running, Running]) -> None:
    visitor, host = two
    for one, other in ((visitor, host), (host, visitor)):
        assert one.send(other.id, f"a word of {one.label}").returncode == 0
        assert f"a word of {one.label}" in other.said()
        done = one.send(other.id, f"!hello {one.label}")
        assert (done.returncode, done.stdout) == (0, f"Hello, {one.label}!\n"), done.stderr


def test_what_is_said_to_everybody_is_heard_over_there(two: tuple[Running, Running]) -> None:
    for one, other in (two, two[::-1]):
        with Pages(other, other).events() as wanted:
            words = f"to all, {one.label}"
            Pages(one, one).api("chat/broadcast", {"content": words})
            assert wanted(partial(says, words))["from"] == one.id


def says(words: str, event: Any) -> bool:
    return bool(event.get("content") == words)


def test_a_group_is_joined_from_a_page_and_messages_go_both_ways(two: tuple[Running, Running]) -> None:
    visitor, host = two
    own, visited = Pages(host, host), Pages(visitor, host)
    group = own.api("group/create", {"name": "Chess", "max_members": 4})
    with own.events() as at_host, visited.events() as at_visitor:
        joined = visited.api("group/join", {"group": group["id"]})
        assert (joined["name"], joined["members"]) == ("Chess", [visitor.id])
        visited.api("group/send", {"group": group["id"], "payload": {"move": "e4"}})
        heard = at_host(lambda event: event.get("type") == "msg")
        assert (heard["from"], heard["payload"]) == (visitor.id, {"move": "e4"})
        own.api("group/send", {"group": group["id"], "payload": {"move": "e5"}})
        assert at_visitor(lambda event: event.get("type") == "msg" and event["payload"] == {"move": "e5"})
        visited.api("group/leave", {"group": group["id"]})
    members = json.loads(host.goop2("group", "members", group["id"], "--dir", host.folder, "--json").stdout)
    assert visitor.id not in json.dumps(members)


def test_the_sound_of_a_session_is_heard_over_there(two: tuple[Running, Running]) -> None:
    visitor, host = two
    own, visited = Pages(host, host), Pages(visitor, host)
    for step in ({"action": "create", "name": "Evening"}, {"action": "load", "path": "song.wav"}, {"action": "play"}):
        own.api("listen/control", step)
    with visited.request("GET", "/api/listen/events?join=1"):
        until(lambda: is_listening(visited.api("listen/state")), visitor.process)
        with visited.request("GET", "/api/listen/audio?key=k") as sound:
            assert (sound.status, sound.read(SOUND_BYTES)[:4]) == (200, b"RIFF")
    own.api("listen/control", {"action": "close"})


def is_listening(session: Any) -> bool:
    """Whether a peer is in a session that plays, as its pages see it."""
    return bool(session and session.get("role") == "listener" and session["play_state"]["playing"])


@pytest.mark.parametrize("relay_is", ["old", "new"])
def test_they_meet_at_a_rendezvous_of_either_and_talk_through_its_relay(old: tuple[str, ...], relay_is: str, tmp_path: Path) -> None:
    try:
        with two_networks(routed=False) as (left, right, *gates):
            servers: list[dict[str, object]] = [{"rendezvous_wan": f"http://{gate.address}:8787"} for gate in gates]
            furnished(tmp_path / "vera", "Vera", old, presence=servers[0])
            furnished(tmp_path / "hugo", "Hugo", PROGRAM, presence=servers[1])
            with (
                meeting_point(gates[0], program=old if relay_is == "old" else PROGRAM),
                running(tmp_path / "vera", "Vera", left, program=old) as vera,
                running(tmp_path / "hugo", "Hugo", right) as hugo,
            ):
                until(lambda: vera.sees() == ["Hugo"] and hugo.sees() == ["Vera"], vera.process, MEETING_SECONDS)
                assert vera.send("Hugo", "!hello Vera").stdout == "Hello, Vera!\n"
                assert hugo.send("Vera", "!hello Hugo").stdout == "Hello, Hugo!\n"
                (seen,) = json.loads(hugo.goop2("peers", hugo.folder, "--json").stdout)
                assert seen["way"] == "relayed"
    except NamespaceError as missing:
        pytest.skip(f"two networks and a machine in the middle: {missing}")
