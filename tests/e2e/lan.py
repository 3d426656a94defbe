"""A local network of two machines: two network namespaces on one cable. Nothing of this machine's own network is in it."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.command import GOOP2, PATIENCE_SECONDS, environment


class NoNamespaces(Exception):
    """This machine makes none for us; the message says which step failed."""


@dataclass(frozen=True)
class Machine:
    """One end of the cable."""

    namespace: str
    address: str

    def start(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Start goop2 on this machine; the caller ends it. `ip netns exec` becomes the command, so its pid is the command's."""
        return subprocess.Popen(self._command(*arguments), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)

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
    """Two machines that reach each other and nobody else. Raises `NoNamespaces`."""
    mark = secrets.token_hex(3)
    machines = Machine(f"goop2-{mark}-a", "10.77.0.1"), Machine(f"goop2-{mark}-b", "10.77.0.2")
    ends = f"v{mark}a", f"v{mark}b"
    try:
        for machine in machines:
            _run("netns", "add", machine.namespace)
        _run(
            "link", "add", ends[0], "netns", machines[0].namespace, "type", "veth", "peer", "name", ends[1], "netns", machines[1].namespace
        )
        for machine, end in zip(machines, ends, strict=True):
            _run("-n", machine.namespace, "addr", "add", f"{machine.address}/24", "dev", end)
            for device in ("lo", end):
                _run("-n", machine.namespace, "link", "set", device, "up")
        yield machines
    finally:
        for machine in machines:  # the cable goes with them
            subprocess.run(["ip", "netns", "del", machine.namespace], capture_output=True, check=False)


def _run(*arguments: str) -> None:
    try:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NoNamespaces("there is no ip command") from None
    if done.returncode:
        raise NoNamespaces(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
