"""Two machines on a bad line: packets are late, and some never come. In user space, as few kernels have tc's netem: a TUN device in each
network namespace, and a thread that carries what they send.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import secrets
import select
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.e2e.lan import Machine, NamespaceError, machines

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_PACKET_BYTES = 65536


class Line:
    """Carries packets between two devices; `loss` and `delay_seconds` each way may be changed while it does."""

    def __init__(self, one: int, other: int) -> None:
        self.loss = 0.0
        self.delay_seconds = 0.0
        self._ends = {one: other, other: one}
        self._chance = random.Random(0)
        self._stop = threading.Event()
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _carry(self) -> None:
        for number in range(1 << 62):
            if self._stop.is_set():
                return
            wait = 0.05 if not self._under_way else min(0.05, max(0.0, self._under_way[0][0] - time.monotonic()))
            for end in select.select(list(self._ends), [], [], wait)[0]:
                packet = os.read(end, _PACKET_BYTES)
                if self._chance.random() >= self.loss:
                    due = time.monotonic() + self.delay_seconds
                    heapq.heappush(self._under_way, (due, 2 * number + (end > self._ends[end]), self._ends[end], packet))
            while self._under_way and self._under_way[0][0] <= time.monotonic():
                _due, _number, to, packet = heapq.heappop(self._under_way)
                os.write(to, packet)


@contextmanager
def two_machines_on_a_line() -> Iterator[tuple[Machine, Machine, Line]]:
    """Two machines that reach each other over a line and nobody else. Raises `NamespaceError`."""
    with machines("a", "b") as (a, b), line(a, "10.78.0.1", b, "10.78.0.2") as between:
        yield a.at("10.78.0.1"), b.at("10.78.0.2"), between


@contextmanager
def line(a: Machine, address_a: str, b: Machine, address_b: str) -> Iterator[Line]:
    """A line between two machines, with an address at each end. Raises `NamespaceError`."""
    with ExitStack() as devices:
        ends = []
        for machine, own, other in ((a, address_a, address_b), (b, address_b, address_a)):
            ends.append(_device(machine, own, other))
            devices.callback(os.close, ends[-1])
        between = Line(*ends)
        devices.callback(between.close)
        yield between


def _device(machine: Machine, own: str, other: str) -> int:
    name = f"t{secrets.token_hex(5)}"
    try:
        device = os.open("/dev/net/tun", os.O_RDWR)
    except OSError as error:
        raise NamespaceError(f"no TUN device: {error}") from None
    try:
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
        for arguments in (
            ["link", "set", name, "netns", machine.namespace],
            ["-n", machine.namespace, "addr", "add", own, "peer", other, "dev", name],
            ["-n", machine.namespace, "link", "set", name, "up"],
        ):
            subprocess.run(["ip", *arguments], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        os.close(device)
        raise NamespaceError(f"no TUN device on a machine of its own: {error}") from None
    return device
