"""Two peers behind routers meet through a relay and then talk directly, where their routers keep ports; else they stay on the relay."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.lan import Machine
from tests.e2e.nats import KEEPS_PORTS, NEW_PORTS, Nats
from tests.e2e.peers import running
from tests.e2e.test_lan import until
from tests.e2e.test_nats import nats
from tests.e2e.test_relay import MEETING_SECONDS, meeting_point

PUNCH_SECONDS = 15
"""The first hole opens within two; a second and a third are tried."""
TRY_SECONDS = 2
GIVING_UP_SECONDS = 10
"""Three tries of two seconds, and what is between them."""
SILENT_SECONDS = 120
"""Ends a hang; nothing here waits for it."""
ESTABLISHED = "01"
"""In /proc/net/tcp."""
ROOT = Path(__file__).parent.parent.parent


class Program:
    """A program on one of the machines that prints JSON lines."""

    def __init__(self, machine: Machine, *command: str | Path) -> None:
        inside = ["ip", "netns", "exec", machine.namespace, *map(str, command)]
        self._process = subprocess.Popen(inside, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._came = b""

    def said(self) -> dict[str, Any]:
        """The next line."""
        assert self._process.stdout is not None
        end = time.monotonic() + SILENT_SECONDS
        while b"\n" not in self._came:
            assert select.select([self._process.stdout], [], [], max(0.0, end - time.monotonic()))[0], "the program says nothing"
            piece = os.read(self._process.stdout.fileno(), 65536)
            assert piece, "the program ended"
            self._came += piece
        line, _, self._came = self._came.partition(b"\n")
        return dict(json.loads(line))

    def direct(self) -> dict[str, Any]:
        """The first line of a callee that tells of a direct connection."""
        while "direct" not in (line := self.said())["ways"]:
            pass
        return line

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def program(machine: Machine, *command: str | Path) -> Iterator[Program]:
    running = Program(machine, *command)
    try:
        yield running
    finally:
        running.end()


@contextmanager
def ours(machine: Machine, *arguments: str) -> Iterator[Program]:
    with program(machine, sys.executable, "-m", "tests.e2e.punching_peer", *arguments) as running:
        yield running


@contextmanager
def called(made: Nats, seconds: int, *try_seconds: str) -> Iterator[tuple[dict[str, Any], dict[str, Any], Program]]:
    """A caller on machine a and a callee on machine b meet; what the caller says at once and at the end, and the callee."""
    with (
        ours(made.public, "relay", made.public.address) as relay,
        ours(made.b, "callee", relay.said()["address"], *try_seconds) as callee,
        ours(made.a, "caller", callee.said()["address"], str(seconds)) as caller,
    ):
        yield caller.said(), caller.said(), callee


def test_two_routers_that_keep_ports_are_punched_and_new_streams_go_directly() -> None:
    with nats(KEEPS_PORTS, KEEPS_PORTS) as made, called(made, PUNCH_SECONDS) as (first, last, callee):
        assert "relayed" in first["ways"]
        assert last == {"ways": ["direct", "relayed"], "answer": made.outside_a}
        direct = callee.direct()
        assert (direct["ways"], direct["remote"]) == (["direct", "relayed"], f"/ip4/{made.outside_a}/tcp/4001")


@pytest.mark.parametrize(("late_a", "late_b"), [(0.02, 0.15), (0.15, 0.02)])
def test_a_hole_is_punched_between_two_that_are_far_from_the_relay_and_not_equally(late_a: float, late_b: float) -> None:
    with nats(late_a_seconds=late_a, late_b_seconds=late_b) as made, called(made, PUNCH_SECONDS) as (first, last, _):
        assert first["ways"] == ["relayed"]
        assert last == {"ways": ["direct", "relayed"], "answer": made.outside_a}


@pytest.mark.parametrize(("a", "b"), [(NEW_PORTS, NEW_PORTS), (KEEPS_PORTS, NEW_PORTS), (NEW_PORTS, KEEPS_PORTS)], ids=["both", "b", "a"])
def test_a_router_with_new_ports_leaves_them_on_the_relay(a: str, b: str) -> None:
    with nats(a, b) as made, called(made, GIVING_UP_SECONDS, str(TRY_SECONDS)) as (first, last, _):
        assert first["ways"] == last["ways"] == ["relayed"]
        assert first["answer"] == last["answer"]
        assert last["answer"].startswith("/p2p-circuit/")


def test_a_peer_that_has_just_been_restarted_is_reached_through_a_hole_too() -> None:
    with nats() as made, ours(made.public, "relay", made.public.address) as relay:
        relay_address = relay.said()["address"]
        with ours(made.b, "callee", relay_address) as callee:
            callee.said()
        with (
            ours(made.b, "callee", relay_address) as callee,
            ours(made.a, "caller", callee.said()["address"], str(PUNCH_SECONDS)) as caller,
        ):
            caller.said()
            assert caller.said() == {"ways": ["direct", "relayed"], "answer": made.outside_a}


def test_a_caller_that_can_be_dialled_is_dialled_by_the_callee_behind_a_router() -> None:
    with nats("", NEW_PORTS) as made, called(made, PUNCH_SECONDS) as (_, last, callee):
        assert last["ways"] == ["direct", "relayed"]
        assert callee.direct()["remote"] == f"/ip4/{made.outside_a}/tcp/4001"


def test_two_peers_that_met_through_a_rendezvous_talk_directly_when_it_is_gone(tmp_path: Path) -> None:
    with nats() as made:
        server: dict[str, object] = {"rendezvous_wan": f"http://{made.public.address}:8787"}
        with (
            running(tmp_path / "alice", "Alice", made.a, presence=server) as alice,
            running(tmp_path / "bob", "Bob", made.b, presence=server) as bob,
        ):
            with meeting_point(made.public):
                until(lambda: alice.sees() == ["Bob"] and bob.sees() == ["Alice"], alice.process, MEETING_SECONDS)
                assert alice.send("Bob", "!hello Alice").stdout == "Hello, Alice!\n"
                until(lambda: is_direct(made.a, made.outside_b), alice.process, MEETING_SECONDS)
            done = alice.send("Bob", "!hello again")
            assert (done.returncode, done.stdout) == (0, "Hello, again!\n"), done.stderr
            assert bob.send("Alice", "!hello Bob").stdout == "Hello, Bob!\n"


def is_direct(machine: Machine, address: str) -> bool:
    """Whether a machine has a TCP connection to this address."""
    command = ["ip", "netns", "exec", machine.namespace, "cat", "/proc/net/tcp"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    other = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
    return any(line.split()[2].startswith(f"{other}:") and line.split()[3] == ESTABLISHED for line in lines)
