"""`goop2 call|send|peers|connect`: other peers from a terminal, through the running peer and without one."""

from __future__ import annotations

import json
import re
import secrets
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.cli.command import PATIENCE_SECONDS, goop2, on_any_port, start

from goop2.cli import peers as peers_module
from goop2.folder.creation import create
from goop2.folder.identity import load_or_create
from goop2.folder.lock import locked
from goop2.net.address import parse
from goop2.peers.discovery.peers_file import RememberedPeers

ALICE = f"Alice {secrets.token_hex(4)}"
"""Another run of these tests on the same network has an Alice of its own."""
SCRIPTS = {
    "bad.lua": "function handle() error('oops') end",
    "functions/fails.lua": "\nfunction call() error('no such game') end",
    "functions/rare.lua": "--- Seldom\n--- @rate_limit 1\nfunction call() return 1 end",
}


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def on_the_network(folder: Path) -> None:
    """A second after its pages; then its socket is there."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (folder / "data/peer.sock").exists():
        assert time.monotonic() < end, "it never was on the network"
        time.sleep(0.05)


@contextmanager
def running(folder: Path, label: str) -> Iterator[str]:
    """A peer in a process of its own; its address."""
    create(folder, label)
    port = free_port()
    settings = json.loads((folder / "goop.json").read_text())
    settings |= {"viewer": {"http_addr": "127.0.0.1:0"}, "p2p": {"listen_port": port}}
    (folder / "goop.json").write_text(json.dumps(settings))
    for path, text in SCRIPTS.items():
        (folder / "site/lua" / path).write_text(text)
    peer: subprocess.Popen[bytes]
    with start("peer", folder) as peer:
        try:
            assert peer.stdout is not None
            assert b"console" in peer.stdout.readline()
            on_the_network(folder)
            yield f"/ip4/127.0.0.1/tcp/{port}/p2p/{load_or_create(folder).peer_id}"
        finally:
            peer.send_signal(signal.SIGINT)
            assert peer.wait(20) == 0


@pytest.fixture(scope="module")
def bob(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("bob") / "peer", "Bob") as address:
        yield address


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("alice") / "peer"
    with running(folder, ALICE):
        yield folder


def test_connect_tells_who_is_there_and_remembers(alice: Path, bob: str) -> None:
    done = goop2("connect", alice, bob)
    assert (done.returncode, done.stderr) == (0, f"connected to Bob, {bob.rpartition('/')[2]}\n")
    assert bob.rpartition("/")[2] in (alice / "data/peers.json").read_text()


def test_a_command_sent_is_answered(alice: Path, bob: str) -> None:
    done = goop2("send", bob, "!hello Alice", "--dir", alice)
    assert (done.returncode, done.stdout) == (0, "Hello, Alice!\n")
    told = json.loads(goop2("send", bob, "!hello Alice", "--dir", alice, "--json").stdout)
    assert (told["state"], told["reply"]) == ("sent", "Hello, Alice!")


def test_a_message_sent_is_kept_and_told(alice: Path, bob: str) -> None:
    done = goop2("send", bob, "just a word", env={"GOOP2_DIR": str(alice)})
    assert (done.returncode, done.stdout) == (0, "")
    assert "sent to 12D3Koo" in done.stderr
    assert "just a word" in goop2("data", alice, "query", "SELECT content FROM _chat_messages").stdout


def test_a_function_of_another_peer_is_called(alice: Path, bob: str) -> None:
    done = goop2("call", bob, "score-quiz", '{"answers": ["B"]}', cwd=alice)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"score": 1, "total": 1})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("call", "{bob}", "nosuch"), "not_found: unknown function: nosuch"),
        (("call", "{bob}", "score-quiz", "{"), "bad_request: "),
        (("call", "Nobody", "score-quiz"), "not_found: no peer 'Nobody' is here"),
        (("send", "/ip4/127.0.0.1/tcp/1/p2p/nonsense", "hi"), "bad_request: "),
        (("call", "{bob}", "score-quiz", '{"a":'), "bad_request: the parameters '{\"a\":' are no JSON: "),
        (("call", "{bob}", "fails"), "script_error: fails:2: no such game"),
        (("send", "{bob}", "  "), "bad_request: the message is empty"),
        (("send", "  ", "hi"), "bad_request: which peer?"),
        (("send", "/ip4/127.0.0.1/tcp/1", "hi"), "bad_request: '/ip4/127.0.0.1/tcp/1' is not the address of a peer; one looks like"),
        (("send", ALICE, "hi"), "bad_request: {alice} is this peer itself"),
        (("call", "{alice}", "hello"), "bad_request: {alice} is this peer itself"),
        (("send", "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA", "hi"), "unavailable: 12D3KooWD3"),
    ],
)
def test_what_fails_is_one_sentence_and_exit_1(alice: Path, bob: str, arguments: tuple[str, ...], sentence: str) -> None:
    own = load_or_create(alice).peer_id
    arguments = tuple(argument.replace("{bob}", bob).replace("{alice}", own) for argument in arguments)
    done = goop2(*arguments, "--dir", alice, "--json")  # some of it takes seconds of looking for somebody: once must do
    assert done.returncode == 1
    assert done.stderr.startswith(sentence.replace("{alice}", own))
    told = json.loads(done.stdout)
    assert done.stderr == f"{told['code']}: {told['message']}\n"
    assert told["ok"] is False


def test_what_fails_leaves_stdout_alone(alice: Path, bob: str) -> None:
    done = goop2("send", bob, "  ", "--dir", alice)
    assert (done.returncode, done.stdout) == (1, "")


def test_a_failure_over_there_names_script_and_line(alice: Path, bob: str) -> None:
    done = goop2("call", bob, "fails", "--dir", alice, "--json")
    expected = {"ok": False, "code": "script_error", "message": "fails:2: no such game", "script": "fails", "line": 2}
    assert json.loads(done.stdout) == expected
    for _ in range(2):
        done = goop2("call", bob, "rare", "--dir", alice, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["code"]) == (1, "rate_limited")
    assert re.fullmatch(r"rate_limited: rate limit exceeded; try again later \(in \d+ s\)\n", done.stderr)
    assert 0 < told["retry_after"] <= 60


@pytest.mark.parametrize(
    ("command", "reply", "code"),
    [("!nosuch", "Unknown command: nosuch", "not_found"), ("!bad", "Script error: bad:1: oops", "script_error")],
)
def test_a_reply_that_reports_a_failure_is_exit_1(alice: Path, bob: str, command: str, reply: str, code: str) -> None:
    done = goop2("send", bob, command, "--dir", alice)
    assert (done.returncode, done.stdout, done.stderr) == (1, f"{reply}\n", "")
    told = json.loads(goop2("send", bob, command, "--dir", alice, "--json").stdout)
    assert (told["ok"], told["code"], told["reply"]) == (False, code, reply)


def test_parameters_come_from_stdin_too(alice: Path, bob: str) -> None:
    done = goop2("call", bob, "score-quiz", "-", "--dir", alice, stdin='{"answers": ["B"]}')
    assert (done.returncode, json.loads(done.stdout)) == (0, {"score": 1, "total": 1})
    done = goop2("call", bob, "score-quiz", "-", "--dir", alice, stdin='{\n  "answers": [\n    "B"\n  ]\n}\n')
    assert (done.returncode, json.loads(done.stdout)) == (0, {"score": 1, "total": 1})
    done = goop2("call", bob, "score-quiz", "-", "--dir", alice, stdin=json.dumps("x" * 2_000_000))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("bad_request: the request is 2000")


def test_two_of_one_label_are_told_apart_by_id(alice: Path, bob: str, tmp_path: Path) -> None:
    with running(tmp_path / "peer", "Bob") as another:
        assert goop2("connect", alice, another).returncode == 0
        assert goop2("connect", alice, bob).returncode == 0
        done = goop2("send", "Bob", "!hello", "--dir", alice)
        assert (done.returncode, done.stdout) == (1, "")
        assert re.match(r"bad_request: \d+ peers here are called 'Bob': name one by its id, 12D3Koo", done.stderr), done.stderr
        assert goop2("send", another.rpartition("/")[2], "!hello Alice", "--dir", alice).stdout == "Hello, Alice!\n"


def test_a_folder_that_is_no_peer_is_said_with_what_to_do(tmp_path: Path) -> None:
    done = goop2("send", "Bob", "hi", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: the current folder is no peer: go to one, or name it on the command line or in $GOOP2_DIR\n"


def test_only_the_owner_reaches_the_socket(alice: Path) -> None:
    assert stat.S_IMODE((alice / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((alice / "data/peer.sock").stat().st_mode) == 0o600


def test_a_peer_that_has_just_started_is_waited_for(tmp_path: Path) -> None:
    create(tmp_path / "dora", "Dora")
    on_any_port(tmp_path / "dora")
    with start("peer", tmp_path / "dora") as peer:
        assert peer.stdout is not None
        peer.stdout.readline()
        assert goop2("peers", tmp_path / "dora", "--json").returncode == 0
        peer.send_signal(signal.SIGINT)
        assert peer.wait(20) == 0


def test_whoever_comes_while_a_command_is_on_the_network_waits_for_its_end(tmp_path: Path, bob: str) -> None:
    create(tmp_path / "dora", "Dora")
    on_any_port(tmp_path / "dora")
    call = ("call", bob, "score-quiz", '{"answers": ["B"]}', "--dir", tmp_path / "dora")
    with ExitStack() as held:
        held.enter_context(locked(tmp_path / "dora", passing=True))
        with start(*call) as first:
            time.sleep(6)  # longer than the network of a peer that runs is waited for
            assert first.poll() is None
            held.close()
            assert first.wait(60) == 0
    with ExitStack() as held:
        held.enter_context(locked(tmp_path / "dora", passing=True))
        with start("peer", tmp_path / "dora") as peer:
            time.sleep(3)  # as long as a start usually takes, so that one that does not wait would be through
            assert peer.poll() is None
            held.close()
            assert peer.stdout is not None
            assert b"Dora is up" in peer.stdout.readline()
            peer.send_signal(signal.SIGINT)
            assert peer.wait(20) == 0


def test_without_a_running_peer_a_command_has_a_network_of_its_own(tmp_path: Path, bob: str) -> None:
    create(tmp_path / "carol", "Carol")
    done = goop2("call", bob, "score-quiz", '{"answers": ["B"]}', "--dir", tmp_path / "carol")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"score": 1, "total": 1})
    assert goop2("send", bob, "!hello Carol", "--dir", tmp_path / "carol").stdout == "Hello, Carol!\n"
    assert goop2("peers", tmp_path / "nowhere").returncode == 2


def test_a_conversation_of_the_running_peer_is_deleted_by_its_label(alice: Path, bob: str) -> None:
    assert goop2("connect", alice, bob).returncode == 0
    assert goop2("send", bob, "hi", "--dir", alice).returncode == 0
    assert "Bob" in goop2("chat", alice, "--conversations").stdout
    done = goop2("chat", alice, "--forget", "Bob")
    assert (done.returncode, done.stderr.startswith("deleted the conversation with 12D3Koo")) == (0, True)
    assert "Bob" not in goop2("chat", alice, "--conversations").stdout


def test_an_address_that_was_typed_in_is_forgotten_without_a_running_peer(folder: Path) -> None:
    peer = "12D3KooWSJfYp6W5gHKSka2TmXKK3j5AHDhNBDDPxXDRnF7vonX5"
    RememberedPeers(folder).add(parse(f"/ip4/192.0.2.7/tcp/4001/p2p/{peer}"))
    done = goop2("connect", folder, f"/ip4/192.0.2.7/tcp/4001/p2p/{peer}", "--forget")
    assert (done.returncode, done.stderr) == (0, f"forgotten: the addresses of {peer}\n")
    assert RememberedPeers(folder).addresses() == []
    again = goop2("connect", folder, peer, "--forget")
    assert (again.returncode, again.stderr) == (1, f"not_found: no address of {peer} was typed in\n")
    assert goop2("connect", folder, "nonsense", "--forget").returncode == 1


def test_a_line_says_what_a_peer_tells_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it tells is its own claim: one line, whatever stands in it."""
    told = {"id": "12D3KooWBob", "label": "Bob", "email": "bob@example.org\n\x1b[2J", "avatar_hash": "0123456789abcdef", "connected": True}
    way = {"way": "relayed", "relay": "12D3KooWRelay", "address": "", "latency_ms": 12.34}
    plain = {"id": "12D3KooWAnn", "label": "Ann", "email": "", "avatar_hash": "", "connected": False, "latency_ms": None}
    answer = {"ok": True, "peers": [{**told, **way}, plain], "troubles": [], "reach": ""}
    monkeypatch.setattr(peers_module, "ask", lambda *_: (answer, 0))
    printed = CliRunner().invoke(peers_module.peers, ["."]).stdout.splitlines()
    assert printed[0].startswith("12D3KooWBob  Bob  relayed through 12D3KooWRelay, 12.3 ms  bob@example.org")
    assert printed[0].endswith("  avatar")
    assert (len(printed), printed[1]) == (2, "12D3KooWAnn  Ann  (not connected)")
    assert json.loads(CliRunner().invoke(peers_module.peers, [".", "--json"]).stdout)[0]["avatar_hash"] == "0123456789abcdef"
