"""Machines that have no IPv4: peers find each other near by and at a rendezvous, talk, and are relayed, over IPv6 alone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.lan import NETWORKS_OF_IPV6, Machine, NamespaceError, two_machines, two_networks
from tests.e2e.peers import Running, running
from tests.e2e.test_lan import until
from tests.e2e.test_relay import MEETING_SECONDS, meeting_point

HTTP, RELAY = "[::]:8787", "[::]:4001"
LISTENS_ON_IPV6: dict[str, object] = {"listen_on": "::", "listen_port": 4001}


@contextmanager
def or_skipped(what: str) -> Iterator[None]:
    try:
        yield
    except NamespaceError as missing:
        pytest.skip(f"{what}: {missing}")


def way_to(peer: Running, label: str) -> dict[str, Any]:
    """How a peer is connected to another, as `goop2 peers` says it."""
    listed = json.loads(peer.goop2("peers", peer.folder, "--json").stdout or "[]")
    return next((each for each in listed if each["label"] == label), {})


def test_two_machines_of_ipv6_find_each_other_by_mdns_and_talk(tmp_path: Path) -> None:
    with (
        or_skipped("two machines on a cable"),
        two_machines("fd77::1", "fd77::2") as (a, b),
        running(tmp_path / "alice", "Alice", a) as alice,
        running(tmp_path / "bob", "Bob", b) as bob,
    ):
        until(lambda: alice.sees() == ["Bob"] and bob.sees() == ["Alice"], alice.process)
        assert alice.send("Bob", "!hello Alice").stdout == "Hello, Alice!\n"
        seen = way_to(alice, "Bob")
        assert seen["way"] == "direct"
        assert seen["address"].startswith("[fd77::2]:")
        assert seen["addresses"] == [bob.address]


def test_a_peer_that_listens_on_ipv6_alone_is_connected_to_by_its_address(tmp_path: Path) -> None:
    with (
        or_skipped("two machines on a cable"),
        two_machines("fd77::1", "fd77::2") as (a, b),
        running(tmp_path / "alice", "Alice", a) as alice,
        running(tmp_path / "bob", "Bob", b, p2p=LISTENS_ON_IPV6) as bob,
    ):
        done = alice.goop2("connect", alice.folder, bob.address)
        assert (done.returncode, done.stderr) == (0, f"connected to Bob, {bob.id}\n")
        assert alice.send("Bob", "!hello Alice").stdout == "Hello, Alice!\n"
        assert bob.send(alice.id, "!hello Bob").stdout == "Hello, Bob!\n"
        this = json.loads(bob.goop2("peers", bob.folder, "--this", "--json").stdout)
        assert this["addresses"] == [bob.address]


def test_they_meet_at_a_rendezvous_of_ipv6_and_talk_through_its_relay(tmp_path: Path) -> None:
    with or_skipped("two networks"), two_networks(routed=False, networks=NETWORKS_OF_IPV6) as (left, right, *gates):
        servers: list[dict[str, object]] = [{"rendezvous_wan": f"http://[{gate.address}]:8787"} for gate in gates]
        with (
            meeting_point(gates[0], HTTP, RELAY),
            running(tmp_path / "alice", "Alice", left, presence=servers[0]) as alice,
            running(tmp_path / "bob", "Bob", right, presence=servers[1]) as bob,
        ):
            until(lambda: alice.sees() == ["Bob"] and bob.sees() == ["Alice"], alice.process, MEETING_SECONDS)
            assert alice.send("Bob", "!hello Alice").stdout == "Hello, Alice!\n"
            assert bob.send("Alice", "!hello Bob").stdout == "Hello, Bob!\n"
            assert way_to(alice, "Bob")["way"] == "relayed"


def test_firewalls_that_let_only_answers_in_are_punched(tmp_path: Path) -> None:
    """IPv6 needs no translation, and home routers still drop what nobody behind them asked for."""
    with or_skipped("two networks"), two_networks(networks=NETWORKS_OF_IPV6) as (left, right, *gates):
        server: dict[str, object] = {"rendezvous_wan": f"http://[{gates[0].address}]:8787"}
        with or_skipped("a firewall"):
            _drop_what_nobody_asked_for(left, right)
        with (
            meeting_point(gates[0], HTTP, RELAY),
            running(tmp_path / "alice", "Alice", left, presence=server) as alice,
            running(tmp_path / "bob", "Bob", right, presence=server) as bob,
        ):
            until(_both(alice, bob), alice.process, MEETING_SECONDS)
            until(lambda: way_to(alice, "Bob").get("way") == "direct", alice.process, MEETING_SECONDS)
            assert way_to(alice, "Bob")["address"].startswith(f"[{right.address}]:")
            assert alice.send("Bob", "!hello Alice").stdout == "Hello, Alice!\n"
            until(lambda: reachable(alice) is False, alice.process, MEETING_SECONDS)


def test_a_peer_of_ipv6_in_the_open_is_dialled_back_and_says_where(tmp_path: Path) -> None:
    with or_skipped("two networks"), two_networks(networks=NETWORKS_OF_IPV6) as (left, _right, *gates):
        server: dict[str, object] = {"rendezvous_wan": f"http://[{gates[0].address}]:8787"}
        with meeting_point(gates[0], HTTP, RELAY), running(tmp_path / "alice", "Alice", left, presence=server) as alice:
            until(lambda: reachable(alice) is True, alice.process, MEETING_SECONDS)
            this = alice.goop2("peers", alice.folder, "--this")
            transport = alice.address.partition("/p2p/")[0]
            assert f"Others can dial this peer: it was dialled at {transport}." in this.stdout


def reachable(peer: Running) -> bool | None:
    """Whether others can dial a peer, as it says itself."""
    known: bool | None = json.loads(peer.goop2("peers", peer.folder, "--this", "--json").stdout)["reachable"]
    return known


def _both(alice: Running, bob: Running) -> Callable[[], bool]:
    return lambda: alice.sees() == ["Bob"] and bob.sees() == ["Alice"]


def _drop_what_nobody_asked_for(*machines: Machine) -> None:
    """Have each machine drop what it has not asked for, as its router would; nothing else is in the way."""
    rules = """
    table ip6 firewall {
     chain incoming {
      type filter hook input priority 0; policy drop;
      iif lo accept
      icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
      ct state established,related accept
     }
    }
    """
    for machine in machines:
        command = ["ip", "netns", "exec", machine.namespace, "nft", "-f", "-"]
        done = subprocess.run(command, input=rules, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NamespaceError(f"nft (Debian's package nftables): {done.stderr.strip()}")
