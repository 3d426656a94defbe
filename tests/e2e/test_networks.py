"""Networks that come, go and flood: an interface that blinks, a shortage of descriptors, one IPv6 network with many addresses."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.lan import Machine, NamespaceError, _cable, _run, machines, two_machines
from tests.e2e.peers import running
from tests.e2e.test_lan import until

BLINK_SECONDS = 6.0
"""Longer than the peer needs to notice."""
FLOOD = """
import json, socket, sys, time, urllib.request
port, addresses = int(sys.argv[1]), sys.argv[2:]
held = []
for address in addresses:
    for _ in range(24):
        sock = socket.socket(socket.AF_INET6)
        sock.bind((address, 0))
        sock.connect(("fd00:77::1", port))
        sock.sendall(b"POST /publish HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 100\\r\\n\\r\\n{")
        held.append(sock)
def is_open(sock):
    sock.setblocking(False)
    try:
        return bool(sock.recv(10))
    except BlockingIOError:
        return True
    except OSError:
        return False
for _ in range(150):  # the server may have little of this machine
    time.sleep(0.1)
    kept = sum(map(is_open, held))
    if kept <= 64:
        break
began = time.monotonic()
with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=8) as answer:
    print(json.dumps([len(held), kept, answer.status, time.monotonic() - began]))
"""


@pytest.fixture
def cable() -> Iterator[tuple[Machine, Machine]]:
    try:
        with two_machines() as both:
            yield both
    except NamespaceError as missing:
        pytest.skip(f"two machines on a cable: {missing}")


def interface(machine: Machine) -> str:
    """The one end of a cable in it."""
    links = subprocess.run(["ip", "-n", machine.namespace, "-o", "link"], capture_output=True, text=True, check=True).stdout
    return next(line.split(": ")[1].split("@")[0] for line in links.splitlines() if ": lo:" not in line)


def test_an_interface_that_blinks_ends_no_discovery(cable: tuple[Machine, Machine], tmp_path: Path) -> None:
    a, b = cable
    with running(tmp_path / "alice", "Alice", a) as alice:
        time.sleep(2)  # it has said once that it is there
        _run("-n", a.namespace, "link", "del", interface(a))
        _cable(a, a.address, b, b.address)
        time.sleep(BLINK_SECONDS)  # nobody tells a program that its interface came back
        with running(tmp_path / "bob", "Bob", b) as bob:
            until(lambda: alice.sees() == ["Bob"], alice.process)
            until(lambda: bob.sees() == ["Alice"], bob.process)


def test_one_ipv6_network_does_not_take_the_places_of_a_rendezvous() -> None:
    addresses = [f"fd00:77::{number:x}" for number in range(2, 14)]
    try:
        with machines("r") as (machine,):
            for address in ("fd00:77::1", *addresses):
                _run("-n", machine.namespace, "addr", "add", f"{address}/64", "dev", "lo", "nodad")
            with machine.start("rendezvous", "--http", "[::]:8787") as process:
                try:
                    assert process.stdout is not None
                    assert b"is up" in process.stdout.readline()
                    command = ["ip", "netns", "exec", machine.namespace, sys.executable, "-c", FLOOD, "8787", *addresses]
                    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
                    opened, kept, status, seconds = json.loads(done.stdout)
                finally:
                    process.terminate()
                    process.wait(10)
    except NamespaceError as missing:
        pytest.skip(f"a machine of its own: {missing}")
    assert (opened, status) == (288, 200)
    assert kept <= 64
    assert seconds < 2
