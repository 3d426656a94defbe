"""Two peers in two networks that reach one machine in the middle and not each other: its rendezvous and relay bring them together."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.command import PATIENCE_SECONDS, PROGRAM
from tests.e2e.lan import Machine, NamespaceError, two_networks
from tests.e2e.peers import running
from tests.e2e.test_lan import until

MEETING_SECONDS = 120.0
"""Peers come back to a rendezvous, and to its relay, later and later the longer it was away: half a minute each."""


@pytest.fixture(scope="module")
def machines() -> Iterator[tuple[Machine, ...]]:
    try:
        with two_networks(routed=False) as four:
            yield four
    except NamespaceError as missing:
        pytest.skip(f"two networks and a machine in the middle: {missing}")


@contextmanager
def meeting_point(
    machine: Machine, http: str = "0.0.0.0:8787", relay: str = "0.0.0.0:4001", program: Sequence[str] = PROGRAM
) -> Iterator[subprocess.Popen[bytes]]:
    with machine.start("rendezvous", "--http", http, "--relay", relay, program=program) as process:
        assert process.stdout is not None
        assert b"rendezvous is up" in process.stdout.readline()
        yield process
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0


def test_they_meet_and_talk_through_the_relay_and_again_when_it_was_gone(machines: tuple[Machine, ...], tmp_path: Path) -> None:
    left, right, *gates = machines
    ping = ["ip", "netns", "exec", left.namespace, "ping", "-c1", "-W1", right.address]
    assert subprocess.run(ping, capture_output=True, check=False).returncode != 0
    servers: list[dict[str, object]] = [{"rendezvous_wan": f"http://{gate.address}:8787"} for gate in gates]
    with (
        running(tmp_path / "alice", "Alice", left, presence=servers[0]) as alice,
        running(tmp_path / "bob", "Bob", right, presence=servers[1]) as bob,
    ):
        with meeting_point(gates[0]):
            until(lambda: alice.sees() == ["Bob"] and bob.sees() == ["Alice"], alice.process, MEETING_SECONDS)
            done = alice.send("Bob", "!hello Alice")
            assert (done.returncode, done.stdout) == (0, "Hello, Alice!\n"), done.stderr
            assert bob.send("Alice", "!hello Bob").stdout == "Hello, Bob!\n"
        assert alice.send(bob.id, "!hello nobody").returncode == 1, "there was no other way"
        with meeting_point(gates[0]):  # with another id
            until(lambda: alice.send(bob.id, "!hello again").stdout == "Hello, again!\n", alice.process, MEETING_SECONDS)
