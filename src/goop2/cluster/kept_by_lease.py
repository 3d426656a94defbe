"""What a peer that is kept by a lease needs of it: why it may not serve now, and where its backup stands.

It must not know how the lease is kept.
"""

from __future__ import annotations

from collections.abc import Callable

from goop2.cluster.lease_client import OwnerLease, WriterState
from goop2.services.backup.service import Backup
from goop2.storage.write_fence import MOVING


def fence_of(lease: OwnerLease) -> Callable[[], str]:
    """Return what says why the peer may serve nothing now, "" while it may."""
    is_up = lease.hold.is_up
    return lambda: MOVING if is_up() else ""


def tell_lease(lease: OwnerLease, backup: Backup, place: str) -> None:
    """Have the lease say where the backup stands, for whoever takes the peer's place."""

    def writes() -> WriterState:
        position = backup.position
        return WriterState(term=position.term, txid=position.txid, copied_at=position.copied_at, place=place)

    lease.writes = writes
