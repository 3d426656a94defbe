"""Every number of the rendezvous server, with its reason."""

from __future__ import annotations

from typing import Final

PUBLISHED_PER_MINUTE: Final = 60
"""By one address: five peers behind one router, a sign every 5 s each (network.md)."""
SILENT_SECONDS: Final = 20.0
"""A peer is gone so long after its last sign, as everywhere (network.md)."""
PEERS_MAX: Final = 4096
"""Kept at a time, a kilobyte each as a rule; the longest silent goes first."""
PEERS_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of their texts and addresses, however long they are."""
SOURCES_MAX: Final = 4
"""Addresses that speak for one peer at a time: its home, its phone, and whoever pretends."""
EVENTS_KEPT: Final = 1024
EVENTS_KEPT_BYTES: Final = 2 * 1024 * 1024
"""What a reader that was away may still hear: ten seconds of five hundred peers."""
READERS_MAX: Final = 400
READERS_PER_ADDRESS_MAX: Final = 16
"""Peers behind one router, and pages."""
KEEP_ALIVE_SECONDS: Final = 15.0
"""Routers in between forget a silent connection after a minute or so."""
FLUSH_SECONDS: Final = 0.1
PAGE_PEERS_MAX: Final = 500
"""Shown on the page."""
