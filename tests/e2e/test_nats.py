"""The routers of nats.py do what the tests of hole punching take for granted, with plain sockets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.e2e.lan import Machine, NamespaceError
from tests.e2e.nats import KEEPS_PORTS, NEW_PORTS, OUTSIDE, Nats, two_nats

PORT = 4001
SECONDS = 6.0
"""Two repeats of a lost SYN (1 s, 3 s), and some."""
OBSERVE = """
import socket, sys
with socket.create_server((sys.argv[1], 5000)) as server:
    print("up", flush=True)
    for _ in range(int(sys.argv[2])):
        connection, address = server.accept()
        print(*address, flush=True)
        connection.close()
"""
DIAL = """
import socket, sys
def dial(where, port, seconds):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("0.0.0.0", 4001))
    sock.settimeout(seconds)
    try:
        sock.connect((where, port))
    except OSError as error:
        return type(error).__name__
    return "connected"
print(dial(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
"""


@contextmanager
def nats(
    a: str = KEEPS_PORTS,
    b: str = KEEPS_PORTS,
    *,
    late_a_seconds: float = 0.0,
    late_b_seconds: float = 0.0,
    outside: tuple[str, str] = OUTSIDE,
) -> Iterator[Nats]:
    try:
        with two_nats(a, b, late_a_seconds=late_a_seconds, late_b_seconds=late_b_seconds, outside=outside) as made:
            yield made
    except NamespaceError as missing:
        pytest.skip(f"two NATs: {missing}")


def start(machine: Machine, script: str, *arguments: object) -> subprocess.Popen[str]:
    command = ["ip", "netns", "exec", machine.namespace, sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=60)
    return out.strip()


def observed(made: Nats, *machines: Machine) -> list[tuple[str, int]]:
    """The addresses machines have for the public side."""
    observer = start(made.public, OBSERVE, made.public.address, len(machines))
    assert observer.stdout is not None
    assert observer.stdout.readline() == "up\n"
    for machine in machines:
        assert said(start(machine, DIAL, made.public.address, 5000, 5)) == "connected"
    found = [line.split() for line in said(observer).splitlines()]
    return [(address, int(port)) for address, port in found]


def test_a_router_that_keeps_ports_shows_the_inner_one_and_both_dial_through() -> None:
    with nats() as made:
        (address_a, port_a), (address_b, port_b) = observed(made, made.a, made.b)
        assert (address_a, port_a, address_b, port_b) == (made.outside_a, PORT, made.outside_b, PORT)
        both = [start(made.a, DIAL, address_b, port_b, SECONDS), start(made.b, DIAL, address_a, port_a, SECONDS)]
        assert [said(each) for each in both] == ["connected", "connected"]


def test_a_router_drops_and_does_not_refuse_what_nobody_asked_for() -> None:
    with nats() as made:
        assert said(start(made.a, DIAL, made.outside_b, PORT, 1)) == "TimeoutError"
        assert said(start(made.public, DIAL, made.outside_b, PORT, 1)) == "TimeoutError"


@pytest.mark.parametrize(("a", "b"), [(NEW_PORTS, NEW_PORTS), (NEW_PORTS, KEEPS_PORTS)], ids=["both", "one"])
def test_a_router_with_new_ports_cannot_be_dialled_through(a: str, b: str) -> None:
    with nats(a, b) as made:
        (address_a, port_a), (address_b, port_b) = observed(made, made.a, made.b)
        assert port_a != PORT
        both = [start(made.a, DIAL, address_b, port_b, SECONDS), start(made.b, DIAL, address_a, port_a, SECONDS)]
        assert [said(each) for each in both] == ["TimeoutError", "TimeoutError"]


def test_a_machine_on_the_public_side_is_dialled() -> None:
    with nats(KEEPS_PORTS, "") as made:
        assert made.b.address == made.outside_b
        observer = start(made.b, OBSERVE, made.b.address, 1)
        assert observer.stdout is not None
        assert observer.stdout.readline() == "up\n"
        assert said(start(made.a, DIAL, made.b.address, 5000, 5)) == "connected"
        assert said(observer).split()[0] == made.outside_a
