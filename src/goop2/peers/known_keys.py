"""The payload keys of other peers, over restarts: saved in data/peers.json when they are learned, and loaded into the key ring at the
start.

A Go peer keeps our key for ever and encrypts its answer to `identity` with its own. A peer of ours that had lost that key could never read
anything from it again (network.md, "Payload keys").
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from goop2.net.faults import NetworkError
from goop2.peers.discovery.peers_file import RememberedPeers

SAVE_PAUSE_SECONDS: Final = 5.0
"""Between two writes. The first key is saved at once; a flood of strangers with keys costs one write in this time."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class KnownKeys:
    """Saves the keys that `learned` is called with, while `run` runs."""

    def __init__(self, remembered: RememberedPeers) -> None:
        self._remembered = remembered
        self._unsaved: dict[str, str] = {}
        self._changed = asyncio.Event()

    def load(self) -> dict[str, str]:
        """Return peer → key of earlier starts. Blocking. A file that cannot be read gives none; discovery tells the owner."""
        try:
            return self._remembered.keys()
        except NetworkError:
            return {}

    def learned(self, peer: str, key: str) -> None:
        """Save the key of a peer soon."""
        self._unsaved[peer] = key
        self._changed.set()

    async def run(self) -> None:
        """Save keys as they are learned, until cancelled."""
        while True:
            await self._changed.wait()
            await self.save()
            await asyncio.sleep(SAVE_PAUSE_SECONDS)

    async def save(self) -> None:
        """Write the keys that are not saved yet. A failure is logged: encryption works without the file until the next start."""
        self._changed.clear()
        unsaved, self._unsaved = self._unsaved, {}
        if not unsaved:
            return
        try:
            # Shielded: whoever is cancelled here must not lose what is already taken out of `_unsaved`.
            await asyncio.shield(asyncio.to_thread(self._remembered.add_keys, unsaved))
        except (NetworkError, OSError) as error:
            _log.warning("the keys of other peers are not saved", why=str(error))
