"""The lease of a peer that a standby may take the place of: wait for it before anything is opened, and stop when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from goop2.cli import output
from goop2.cli.errors import CommandError

if TYPE_CHECKING:
    from goop2.cluster.lease_client import OwnerLease
    from goop2.config import Settings


@contextlib.asynccontextmanager
async def open_lease(folder: Path, settings: Settings, told_to_end: asyncio.Event) -> AsyncIterator[OwnerLease | None]:
    """Give the lease in the block, held unless `told_to_end` came first; None for a peer that is kept by none.

    Raises `CommandError` for one that another folder has passed.
    """
    from goop2.storage.write_fence import FenceKeeper, remove_fence

    if not settings.cluster.lease:
        with contextlib.suppress(OSError):
            remove_fence(folder)
        yield None
        return
    if not settings.cluster.nats or not settings.backup.to:
        what = "cluster.nats" if not settings.cluster.nats else "backup.to"
        raise CommandError(f"this peer is kept by a lease (cluster.lease), which needs {what}: set it, or set cluster.lease to false")
    from goop2.cluster.lease_client import LeaseMember, OwnerLease, WriterState, taking_part
    from goop2.cluster.setup_files import owner_key
    from goop2.folder.identity import load_or_create
    from goop2.services.backup import standby, state

    me = LeaseMember(writer=standby.own_writer(folder), host=socket.gethostname(), label=settings.profile.label)
    try:
        fence = FenceKeeper(folder)
    except OSError as error:
        raise CommandError(f"the lease of this peer cannot be kept in {folder / 'data'}: {error.strerror or error}") from None
    term = state.load(folder).term
    lease = OwnerLease(me, fence, lambda: WriterState(term=term, place=settings.backup.to), settings.cluster.nats)
    peer = load_or_create(folder, settings.identity.key_file).peer_id
    try:
        async with taking_part(lease, settings.cluster.nats, lambda: owner_key(folder, settings.cluster.key), peer, "goop2 lease"):
            await _until_held(lease, told_to_end)
            yield lease
            await lease.give_back()
    finally:
        fence.close()


async def _until_held(lease: OwnerLease, told_to_end: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (lease.held, lease.lost, told_to_end)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    if lease.lost.is_set():
        raise CommandError(lease.verdict)


def lost(lease: OwnerLease | None) -> bool:
    """Return whether the peer is to wait for its lease again. Raises `CommandError` when it would wait for nothing."""
    if lease is None or not lease.lost.is_set():
        return False
    if lease.for_good:
        raise CommandError(lease.verdict)
    output.warn(f"{lease.verdict}; nothing is served until it holds the lease again")
    return True
