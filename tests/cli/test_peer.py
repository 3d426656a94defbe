"""`goop2 peer`: one line on stdout, one peer a folder, and an end that comes at once."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from tests.cli.command import Terminal, goop2, on_any_port, start

END_SECONDS = 5.0
"""A third of a second on a machine that is free."""
LINE = re.compile(
    r"(.+) is up  console: (http://127\.0\.0\.1:(\d+))/#token=([\w-]{43})  site: http://(k[0-9a-z]{61}\.localhost):\3/p/12D3\w{48}/\n"
)


@pytest.fixture(autouse=True)
def _on_any_port(folder: Path) -> None:
    on_any_port(folder)


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], re.Match[str]]]:
    with start("peer", folder) as peer:
        try:
            assert peer.stdout is not None
            line = LINE.fullmatch(peer.stdout.readline().decode())
            assert line is not None
            yield peer, line
        finally:
            peer.kill()


def test_it_says_where_it_is_in_one_line_and_answers_there(folder: Path) -> None:
    with running(folder) as (peer, line):
        body = json.dumps({"function": "score-quiz", "params": {"answers": ["B"]}}).encode()
        asked = Request(f"http://127.0.0.1:{line[3]}/api/data/lua/call", body, {"Host": f"{line[5]}:{line[3]}"})
        with urlopen(asked, timeout=10) as answer:
            assert "score" in json.load(answer)
        peer.send_signal(signal.SIGINT)
        assert peer.stdout is not None
        assert peer.stdout.read() == b""


def test_a_terminal_too_narrow_for_the_line_shows_one_address_a_line(folder: Path) -> None:
    with Terminal(["peer", folder]) as terminal:
        terminal.wait_for(" is up\r\n  console: http://127.0.0.1:")
        terminal.wait_for("\r\n  site: http://k")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_whoever_is_connected(folder: Path, number: signal.Signals) -> None:
    (folder / "site/lua/functions/forever.lua").write_text("function call() while true do end end")
    asked = b'POST /api/data/lua/call HTTP/1.1\r\nHost: %s\r\nContent-Length: 22\r\n\r\n{"function":"forever"}'
    hearing = b"GET /api/events HTTP/1.1\r\nHost: %s\r\n\r\n"
    with running(folder) as (peer, line), ExitStack() as stack:
        for request in (b"GET / HTTP/1.1\r\nHost: %s\r\n", asked, hearing):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", int(line[3])), 10))
            connection.sendall(request % f"{line[5]}:{line[3]}".encode())
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        begun = time.monotonic()
        peer.send_signal(number)
        assert peer.wait(10) == 0
        assert time.monotonic() - begun < END_SECONDS
        assert peer.stderr is not None
        assert peer.stderr.read() == b""


def test_a_second_one_in_the_same_folder_is_refused_in_a_sentence(folder: Path) -> None:
    with running(folder) as (peer, _):
        second = goop2("peer", folder)
        assert (second.stdout, second.returncode) == ("", 2)
        assert second.stderr == f"error: a peer runs in {folder} already (process {peer.pid}): end it first, or use another folder\n"
        beside = goop2("lua", "chat", folder, "!hello")
        assert beside.returncode == 0


def test_an_address_in_use_is_refused_in_a_sentence(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = goop2("peer", folder, env={"GOOP2_VIEWER_HTTP_ADDR": address})
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr.startswith(f"error: viewer.http_addr is {address}, but another program listens there already, ")


def test_a_network_that_cannot_be_opened_leaves_the_pages_and_is_tried_again(folder: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        settings = json.loads((folder / "goop.json").read_text())
        (folder / "goop.json").write_text(json.dumps({**settings, "p2p": {"listen_port": port}}))
        with running(folder) as (peer, line):
            assert peer.stderr is not None
            warning = peer.stderr.readline().decode()
            assert warning.startswith(f"warning: this peer is not on the network: port {port} is taken or not allowed: set p2p.listen_port")
            with urlopen(Request(f"http://127.0.0.1:{line[3]}/healthz"), timeout=10) as answer:
                assert answer.status == 200
            until_socket(folder)
            asked = goop2("peers", folder)
            assert (asked.returncode, asked.stderr.startswith("unavailable: this peer is not on the network: port")) == (1, True)
            assert goop2("chat", folder, "--conversations").stderr == "there are no conversations\n"
            taken.close()
            assert peer.stderr.readline() == b"this peer is on the network again\n"
            until_socket(folder)
            assert goop2("peers", folder).returncode == 0
            peer.send_signal(signal.SIGINT)
            assert peer.wait(10) == 0


def until_socket(folder: Path) -> None:
    end = time.monotonic() + 20
    while not (folder / "data/peer.sock").exists():
        assert time.monotonic() < end
        time.sleep(0.05)


NO_DESCRIPTOR = """import errno, sys
class Full:
    left = 3
    def find_spec(self, name, path=None, target=None):
        if name == "goop2.peers.remote_control.operations" and Full.left:
            Full.left -= 1
            raise OSError(errno.EMFILE, "Too many open files")
sys.meta_path.insert(0, Full())
"""
"""A module that cannot be read at first: beside the pages, when the network is opened, and when commands are answered without it."""


def test_a_peer_that_has_no_descriptor_left_while_its_network_loads_goes_on_and_is_on_the_network_later(
    folder: Path,
) -> None:
    with start("peer", folder, program=[sys.executable, "-c", f"{NO_DESCRIPTOR}from goop2.cli.main import main\nmain()"]) as peer:
        try:
            assert peer.stdout is not None
            assert peer.stderr is not None
            assert LINE.fullmatch(peer.stdout.readline().decode())
            told = b""
            for word in (b"is not on the network", b"on the network again"):
                while word not in told:
                    told += peer.stderr.readline()
                    assert peer.poll() is None, told
            peer.send_signal(signal.SIGINT)
            assert peer.wait(END_SECONDS) == 0
        finally:
            peer.kill()
