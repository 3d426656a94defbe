"""What a peer that is kept by a lease needs of it: why it may not serve now, and where its backup stands.

Loaded by each peer, with a lease or without, so it must load no client of NATS by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goop2.cluster.lease_client import OwnerLease
    from goop2.services.backup.service import Backup


def fence_of(lease: OwnerLease | None) -> Callable[[], str] | None:
    """Return what says why a peer that is kept by a lease may serve nothing now, None for a peer without one."""
    if lease is None:
        return None
    from goop2.storage.write_fence import MOVING

    is_up = lease.hold.is_up
    return lambda: MOVING if is_up() else ""


def tell_lease(lease: OwnerLease, backup: Backup, place: str) -> None:
    """Have the lease say where the backup stands, for whoever takes the peer's place."""
    from goop2.cluster.lease_client import WriterState

    def writes() -> WriterState:
        position = backup.position
        return WriterState(term=position.term, txid=position.txid, copied_at=position.copied_at, place=place)

    lease.writes = writes
