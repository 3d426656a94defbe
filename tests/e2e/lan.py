"""Machines on cables of their own: network namespaces. Nothing of this machine's own network is in them."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.cli.command import GOOP2, PATIENCE_SECONDS, environment
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

    def start(self, *arguments: str | Path, stderr: IO[bytes] | None = None) -> Started[bytes]:
        """Start goop2 on this machine, for `with`; the block ends it. `ip netns exec` becomes the command, so its pid is the command's."""
        return Started(self._command(*arguments), env=environment(), stdout=subprocess.PIPE, stderr=stderr)

    def goop2(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run goop2 on this machine to its end."""
        command = self._command(*arguments)
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def _command(self, *arguments: str | Path) -> list[str | Path]:
        return ["ip", "netns", "exec", self.namespace, GOOP2, *arguments]


@contextmanager
def two_machines() -> Iterator[tuple[Machine, Machine]]:
    """Two machines on one cable, which reach each other and nobody else. Raises `NamespaceError`."""
    with machines("a", "b") as (a, b):
        _cable(a, "10.77.0.1", b, "10.77.0.2")
        yield a.at("10.77.0.1"), b.at("10.77.0.2")


@contextmanager
def two_networks(*, routed: bool = True) -> Iterator[tuple[Machine, Machine, Machine, Machine]]:
    """Two machines, each on a cable of its own with a router between them, which lets no multicast through, or nothing at all.

    The third and the fourth are the router as the first and the second see it. Raises `NamespaceError`.
    """
    with machines("a", "b", "r") as (a, b, router):
        for machine, own, gate in ((a, "10.77.1.1", "10.77.1.254"), (b, "10.77.2.1", "10.77.2.254")):
            _cable(machine, own, router, gate)
            _run("-n", machine.namespace, "route", "add", "default", "via", gate)
        _run("netns", "exec", router.namespace, "sh", "-c", f"echo {int(routed)} > /proc/sys/net/ipv4/ip_forward")
        yield a.at("10.77.1.1"), b.at("10.77.2.1"), router.at("10.77.1.254"), router.at("10.77.2.254")


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
        _run("-n", machine.namespace, "addr", "add", f"{address}/24", "dev", end)
        _run("-n", machine.namespace, "link", "set", end, "up")


def _run(*arguments: str) -> None:
    try:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NamespaceError("there is no ip command") from None
    if done.returncode:
        raise NamespaceError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
