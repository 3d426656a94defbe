"""Two peers on one cable, which mDNS alone brings together; and what happens when one of them freezes or dies."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.command import PATIENCE_SECONDS
from tests.e2e.lan import Machine, NamespaceError, two_machines
from tests.e2e.peers import Running, running


def until(true: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = PATIENCE_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, "the peer ended"
        assert time.monotonic() < end, f"{true} never came"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def machines() -> Iterator[tuple[Machine, Machine]]:
    try:
        with two_machines() as both:
            yield both
    except NamespaceError as missing:
        pytest.skip(f"two machines on a cable: {missing}")


@pytest.fixture(scope="module")
def alice(machines: tuple[Machine, Machine], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("alice") / "peer", "Alice", machines[0]) as up:
        yield up


@pytest.fixture
def bob(machines: tuple[Machine, Machine], tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "peer", "Bob", machines[1]) as up:
        yield up


def test_they_find_each_other_and_a_command_is_answered_by_name(alice: Running, bob: Running) -> None:
    until(lambda: alice.sees() == ["Bob"], alice.process)
    until(lambda: bob.sees() == ["Alice"], bob.process)
    done = alice.send("Bob", "!hello Alice")
    assert (done.returncode, done.stdout) == (0, "Hello, Alice!\n"), done.stderr
    assert "!hello Alice" in bob.said()


def test_a_frozen_peer_is_waited_for_a_while_and_then_said_to_be_silent(alice: Running, bob: Running) -> None:
    until(lambda: "Bob" in alice.sees(), alice.process)
    os.kill(bob.process.pid, signal.SIGSTOP)
    try:
        done = alice.send(bob.id, "are you there?")  # which has PATIENCE_SECONDS
        assert (done.returncode, done.stderr.partition(":")[0]) == (1, "unavailable"), (done.stdout, done.stderr)
    finally:
        os.kill(bob.process.pid, signal.SIGCONT)
    until(lambda: alice.send(bob.id, "!hello again").stdout == "Hello, again!\n", alice.process)


def test_a_killed_peer_has_kept_what_it_acknowledged_and_is_found_again(
    machines: tuple[Machine, Machine], alice: Running, tmp_path: Path
) -> None:
    with running(tmp_path / "peer", "Carol", machines[1]) as carol:
        until(lambda: "Carol" in alice.sees(), carol.process)
        assert alice.send("Carol", "kept, whatever comes").returncode == 0
        carol.process.kill()
        carol.process.wait()
    done = alice.send(carol.id, "gone?")
    assert (done.returncode, done.stderr.partition(":")[0]) == (1, "unavailable"), (done.stdout, done.stderr)
    with running(carol.folder, "Carol", machines[1]) as carol:
        assert "kept, whatever comes" in carol.said()
        until(lambda: alice.send(carol.id, "!hello again").stdout == "Hello, again!\n", carol.process)
