"""Machines on cables of their own: network namespaces. Nothing of this machine's own network is in them."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.cli.command import PATIENCE_SECONDS, PROGRAM, environment
from tests.started import Started
from tests.web.browser import executable


class NamespaceError(Exception):
    """This machine makes none for us; the message says which step failed."""


@dataclass(frozen=True)
class Machine:
    """One of them."""

    namespace: str
    address: str

    def at(self, address: str) -> Machine:
        """The same, as others see it."""
        return Machine(self.namespace, address)

    def browser(self, folder: Path) -> Path:
        """A program in `folder` that is the browser, on this machine."""
        script = folder / f"browser-{self.namespace}"
        script.write_text(f'#!/bin/sh\nexec ip netns exec {self.namespace} {executable()} "$@"\n')
        script.chmod(0o755)
        return script

    def start(self, *arguments: str | Path, stderr: IO[bytes] | None = None, program: Sequence[str] = PROGRAM) -> Started[bytes]:
        """Start goop2 on this machine, for `with`; the block ends it. `ip netns exec` becomes the command, so its pid is the command's."""
        return Started(self._command(program, *arguments), env=environment(), stdout=subprocess.PIPE, stderr=stderr)

    def goop2(self, *arguments: str | Path, program: Sequence[str] = PROGRAM) -> subprocess.CompletedProcess[str]:
        """Run goop2 on this machine to its end."""
        command = self._command(program, *arguments)
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def _command(self, program: Sequence[str], *arguments: str | Path) -> list[str | Path]:
        return ["ip", "netns", "exec", self.namespace, *program, *arguments]


@contextmanager
def two_machines(one: str = "10.77.0.1", other: str = "10.77.0.2") -> Iterator[tuple[Machine, Machine]]:
    """Two machines on one cable, which reach each other at these addresses and nobody else. Raises `NamespaceError`."""
    with machines("a", "b") as (a, b):
        _cable(a, one, b, other)
        yield a.at(one), b.at(other)


NETWORKS = "10.77.1", "10.77.2"
NETWORKS_OF_IPV6 = "2620:4f:8000:1:", "2620:4f:8000:2:"
"""Public ones, of a block IANA reserves for a service; they exist in these namespaces alone."""


@contextmanager
def two_networks(*, routed: bool = True, networks: tuple[str, str] = NETWORKS) -> Iterator[tuple[Machine, Machine, Machine, Machine]]:
    """Two machines, each on a cable of its own with a router between them, which lets no multicast through, or nothing at all.

    The third and the fourth are the router as the first and the second see it. Raises `NamespaceError`.
    """
    with machines("a", "b", "r") as (a, b, router):
        ends = [(f"{network}:1", f"{network}:254") if ":" in network else (f"{network}.1", f"{network}.254") for network in networks]
        for machine, (own, gate) in zip((a, b), ends, strict=True):
            _cable(machine, own, router, gate)
            _run("-n", machine.namespace, "route", "add", "default", "via", gate)
        forwarding = "ipv6/conf/all/forwarding" if ":" in networks[0] else "ipv4/ip_forward"
        _run("netns", "exec", router.namespace, "sh", "-c", f"echo {int(routed)} > /proc/sys/net/{forwarding}")
        yield a.at(ends[0][0]), b.at(ends[1][0]), router.at(ends[0][1]), router.at(ends[1][1])


@contextmanager
def machines(*names: str) -> Iterator[list[Machine]]:
    """Machines without a cable. Raises `NamespaceError`."""
    mark = secrets.token_hex(3)
    made = [Machine(f"goop2-{mark}-{name}", "127.0.0.1") for name in names]
    try:
        for machine in made:
            _run("netns", "add", machine.namespace)
            _run("-n", machine.namespace, "link", "set", "lo", "up")
        yield made
    finally:
        for machine in made:  # the cables go with them
            subprocess.run(["ip", "netns", "del", machine.namespace], capture_output=True, check=False)


def _cable(a: Machine, address_a: str, b: Machine, address_b: str) -> None:
    ends = [f"v{secrets.token_hex(5)}" for _ in range(2)]
    _run("link", "add", ends[0], "netns", a.namespace, "type", "veth", "peer", "name", ends[1], "netns", b.namespace)
    for machine, end, address in ((a, ends[0], address_a), (b, ends[1], address_b)):
        # Nobody else has the address, and to make sure of that takes IPv6 a second or two.
        _run("-n", machine.namespace, "addr", "add", *([f"{address}/64", "nodad"] if ":" in address else [f"{address}/24"]), "dev", end)
        _run("-n", machine.namespace, "link", "set", end, "up")


def _run(*arguments: str) -> None:
    try:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NamespaceError("there is no ip command") from None
    if done.returncode:
        raise NamespaceError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
