"""Two peers on one cable, which mDNS alone brings together; and what happens when one of them freezes or dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.command import PATIENCE_SECONDS
from tests.e2e.lan import Machine, NoNamespaces, two_machines

from goop2.folder import create
from goop2.identity import load_or_create


@dataclass(frozen=True)
class Up:
    """A peer that runs on one of the machines."""

    machine: Machine
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def id(self) -> str:
        return load_or_create(self.folder).peer_id

    def sees(self) -> list[str]:
        """Labels of the peers that are here."""
        return [peer["label"] for peer in json.loads(self.machine.goop2("peers", self.folder, "--json").stdout or "[]")]

    def send(self, peer: str, text: str) -> subprocess.CompletedProcess[str]:
        return self.machine.goop2("send", peer, text, "--dir", self.folder)

    def said(self) -> str:
        """All that was ever said, as the database has it."""
        return self.machine.goop2("data", self.folder, "query", "SELECT content FROM _chat_messages").stdout


@contextmanager
def running(machine: Machine, folder: Path, label: str) -> Iterator[Up]:
    """A peer of its own on `machine`."""
    if not folder.exists():
        made(folder, label)
    process = machine.start("peer", folder)
    try:
        until((folder / "data/peer.sock").exists, process)
        yield Up(machine, folder, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def made(folder: Path, label: str) -> None:
    """A new peer in `folder`, whose pages take any free port."""
    create(folder, label)
    settings = json.loads((folder / "goop.json").read_text())
    (folder / "goop.json").write_text(json.dumps(settings | {"viewer": {"http_addr": "127.0.0.1:0"}}))


def until(true: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert process.poll() is None, "the peer ended"
        assert time.monotonic() < end, f"{true} never came"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def machines() -> Iterator[tuple[Machine, Machine]]:
    try:
        with two_machines() as both:
            yield both
    except NoNamespaces as missing:
        pytest.skip(f"two machines on a cable: {missing}")


@pytest.fixture(scope="module")
def alice(machines: tuple[Machine, Machine], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(machines[0], tmp_path_factory.mktemp("alice") / "peer", "Alice") as up:
        yield up


@pytest.fixture
def bob(machines: tuple[Machine, Machine], tmp_path: Path) -> Iterator[Up]:
    with running(machines[1], tmp_path / "peer", "Bob") as up:
        yield up


def test_they_find_each_other_and_a_command_is_answered_by_name(alice: Up, bob: Up) -> None:
    until(lambda: alice.sees() == ["Bob"], alice.process)
    until(lambda: bob.sees() == ["Alice"], bob.process)
    done = alice.send("Bob", "!hello Alice")
    assert (done.returncode, done.stdout) == (0, "Hello, Alice!\n"), done.stderr
    assert "!hello Alice" in bob.said()


def test_a_frozen_peer_is_waited_for_a_while_and_then_said_to_be_silent(alice: Up, bob: Up) -> None:
    until(lambda: "Bob" in alice.sees(), alice.process)
    os.kill(bob.process.pid, signal.SIGSTOP)
    try:
        done = alice.send(bob.id, "are you there?")  # which has PATIENCE_SECONDS
        assert (done.returncode, done.stderr.partition(":")[0]) == (1, "unavailable"), (done.stdout, done.stderr)
    finally:
        os.kill(bob.process.pid, signal.SIGCONT)
    until(lambda: alice.send(bob.id, "!hello again").stdout == "Hello, again!\n", alice.process)


def test_a_killed_peer_has_kept_what_it_acknowledged_and_is_found_again(
    machines: tuple[Machine, Machine], alice: Up, tmp_path: Path
) -> None:
    folder = tmp_path / "peer"
    made(folder, "Carol")
    process = machines[1].start("peer", folder)
    try:
        until(lambda: "Carol" in alice.sees(), process)
        assert alice.send("Carol", "kept, whatever comes").returncode == 0
    finally:
        process.kill()
        process.communicate()
    done = alice.send(load_or_create(folder).peer_id, "gone?")
    assert (done.returncode, done.stderr.partition(":")[0]) == (1, "unavailable"), (done.stdout, done.stderr)
    with running(machines[1], folder, "Carol") as carol:
        assert "kept, whatever comes" in carol.said()
        until(lambda: alice.send(carol.id, "!hello again").stdout == "Hello, again!\n", carol.process)
