"""What carries messages between machines, as the cluster sees it; nats_bus.py is one, tests have another."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

Heard = Callable[[str, bytes, bool], None]
"""heard(subject, content, nobody): `nobody` is the server's own word that nobody listens where something was sent. Must not raise."""


class ClusterError(Exception):
    """The cluster cannot be used as it is set up; the message says why and what to do, in one sentence."""

    owner_code: ClassVar = "cluster"
    code: ClassVar = "unavailable"


class Bus(Protocol):
    """A connection to the server, which comes back by itself when it was lost."""

    @property
    def connected(self) -> bool:
        """Return whether the server is reached now, as far as is known."""

    @property
    def max_bytes(self) -> int:
        """Return how large a message the server takes."""

    def send(self, subject: str, content: bytes, reply: str = "") -> None:
        """Send a message without waiting; with `reply`, where the server answers when nobody listens there."""
