"""A standby that takes its peer's place: by itself when the lease is over, or by hand; then this process becomes the peer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from goop2.cli import logs, output
from goop2.cli.errors import CommandError

if TYPE_CHECKING:
    from goop2.cluster.keys import ClusterKey
    from goop2.cluster.lease import LeaseRecord, StandbyBeat
    from goop2.cluster.lease_client import StandbyLease
    from goop2.services.backup.standby import Promoted, StandbyState

KEY_FILE: Final = "data/cluster.nk"
"""Of the standby's folder, and the setting cluster.key of the peer it becomes."""
PREPARE_AGAIN_SECONDS: Final = 2.0
"""Until the place is asked again where the next owner's first copy has not arrived."""
TAKE_AGAIN_SECONDS: Final = 15.0
"""Until a standby that could not become the peer tries again: long enough for the old owner to come back first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyPlan:
    """What a standby with a lease is told on its command line."""

    folder: Path
    join: str
    key: ClusterKey
    source: str
    """The place of the backup; "" for the one in the lease."""
    peer: str
    """The id of the peer, by the key that was brought."""


def plan_of(folder: Path, join: str, key_file: Path, source: str, peer: str) -> StandbyPlan:
    """Return the plan of a standby, its key read. Raises `ClusterError`."""
    from goop2.cluster.keys import read_key

    return StandbyPlan(folder=folder, join=join, key=read_key(key_file), source=source, peer=peer)


def keep_key(plan: StandbyPlan) -> None:
    """Keep the key of this machine in the standby's folder, for its next start and for the peer it becomes. Raises `ClusterError`."""
    from goop2.cluster.keys import write_key

    write_key(plan.folder / KEY_FILE, plan.key)


async def source_in_lease(plan: StandbyPlan) -> str:
    """Return the place of the backup that the peer's lease names. Raises `CommandError`, `ClusterError`."""
    record = await read_lease(plan.join, plan.key, plan.peer)
    if record is None or not record.place:
        raise CommandError(
            f"the peer {plan.peer} keeps no lease at {plan.join} yet: start it with cluster.lease true, or name the place of its backup "
            "by --from"
        )
    return record.place


async def read_lease(url: str, key: ClusterKey, peer: str) -> LeaseRecord | None:
    """Return the lease of a peer as the server has it, None when there is none. Raises `ClusterError`."""
    from goop2.cluster.lease_store import NatsLeaseStore
    from goop2.cluster.nats_bus import connected_to

    async with connected_to(url, key, "goop2 lease") as bus:
        found = await NatsLeaseStore(bus, peer).read()
    return found.record if found is not None else None


async def stand_by(plan: StandbyPlan, state: StandbyState) -> bool:
    """Follow the backup and wait for the lease; return whether DIR has become the peer, False when told to end."""
    from goop2.cli.peer import end_on_signals

    told_to_end = asyncio.Event()
    end_on_signals(told_to_end.set)
    logs.set_up()
    while True:
        taken = await _once(plan, state, told_to_end)
        if taken is not None:
            return taken
        state = await _prepared_anew(plan, state, told_to_end)


async def _once(plan: StandbyPlan, state: StandbyState, told_to_end: asyncio.Event) -> bool | None:
    """Follow one term of the backup; return as `stand_by` does, None when another term has begun or taking over has failed."""
    from goop2.services.backup import standby

    lag = _Lag(plan.folder)
    next_term = asyncio.Event()

    def how(record: LeaseRecord | None) -> StandbyBeat:
        if record is not None and record.term > state.term:
            next_term.set()
        return lag.beat(plan.key.name, record)

    async with _taking_part(plan, how) as lease:
        following = asyncio.create_task(standby.follow(plan.folder, state, output.warn))
        waits = [asyncio.ensure_future(event.wait()) for event in (told_to_end, lease.held, lease.lost, next_term)]
        try:
            await asyncio.wait((following, *waits), return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()
        finally:
            for each in (following, *waits):
                each.cancel()
            await asyncio.gather(following, *waits, return_exceptions=True)
        if told_to_end.is_set() and not lease.held.is_set():
            return False
        if not lease.held.is_set():
            return None
        output.note("nobody holds the lease of the peer any more: this standby takes its place")
        return await _take(plan, lease, told_to_end)


async def _take(plan: StandbyPlan, lease: StandbyLease, told_to_end: asyncio.Event) -> bool | None:
    from goop2.cluster.bus import ClusterError
    from goop2.services.backup.program import BackupError

    try:
        promoted = await become_peer(plan, lease, older=False)
    except (BackupError, ClusterError, OSError) as error:
        await lease.give_back()
        output.warn(f"this standby could not take the peer's place, and tries again: {error}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TAKE_AGAIN_SECONDS):
                await told_to_end.wait()
        return False if told_to_end.is_set() else None
    say_promoted(plan.folder, promoted)
    return True


async def _prepared_anew(plan: StandbyPlan, state: StandbyState, told_to_end: asyncio.Event) -> StandbyState:
    """Return what is to be followed now: the newest term of the place."""
    from goop2.services.backup.program import BackupError
    from goop2.services.backup.standby import prepare

    with contextlib.suppress(BackupError):
        state = await asyncio.to_thread(prepare, plan.folder, state.place, join=plan.join)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PREPARE_AGAIN_SECONDS):
            await told_to_end.wait()
    return state


@contextlib.asynccontextmanager
async def _taking_part(plan: StandbyPlan, how: Callable[[LeaseRecord | None], StandbyBeat]) -> AsyncIterator[StandbyLease]:
    from goop2.cluster.lease_client import LeaseMember, StandbyLease, taking_part
    from goop2.services.backup.standby import own_writer

    me = LeaseMember(writer=own_writer(plan.folder), host=socket.gethostname(), label="")
    lease = StandbyLease(me, plan.key.public, how)
    async with taking_part(lease, plan.join, lambda: plan.key, plan.peer, f"goop2 standby {plan.key.name}"):
        yield lease


async def become_peer(plan: StandbyPlan, lease: StandbyLease, *, older: bool) -> Promoted:
    """Make a peer of the standby, which holds the lease. Raises `BackupError`, `ClusterError`, OSError; it is a standby still then.

    `older`: go on with less than what the lease says had been copied.
    """
    from goop2.cluster.lease_client import WriterState
    from goop2.services.backup.standby import Least, promote, state_of

    record = lease.record
    least = Least(term=record.term, txid=record.txid) if record is not None and not older else None
    loop = asyncio.get_running_loop()
    place = state_of(plan.folder).place

    def may_begin(term: int) -> None:
        # The last moment at which it can be given up: from here on the old owner's folder is passed.
        asyncio.run_coroutine_threadsafe(lease.become_writer(WriterState(term=term, place=place)), loop).result()

    changes: dict[str, object] = {"cluster.nats": plan.join, "cluster.key": KEY_FILE, "cluster.lease": True}
    return await asyncio.to_thread(promote, plan.folder, least=least, changes=changes, may_begin=may_begin)


async def take_by_hand(plan: StandbyPlan, *, older: bool) -> Promoted:
    """Ask the owner to stop and take its place, or take it when nobody answers. Raises `CommandError`, `ClusterError`, `BackupError`."""
    from goop2.cluster.limits import HAND_OVER_SECONDS

    lag = _Lag(plan.folder)
    async with _taking_part(plan, lambda record: lag.beat(plan.key.name, record)) as lease:
        lease.wanted = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HAND_OVER_SECONDS):
                await lease.held.wait()
        if not lease.held.is_set():
            why = lease.trouble or f"{lease.record.host if lease.record else 'somebody'} holds it and does not stop"
            raise CommandError(
                f"the lease of this peer cannot be had: {why}; when the old peer is surely stopped, --without-lease goes on by hand"
            )
        try:
            return await become_peer(plan, lease, older=older)
        except BaseException:
            await lease.give_back()
            raise


def say_promoted(folder: Path, promoted: Promoted) -> None:
    """Say what became of a standby."""
    if not promoted.fresh:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(promoted.as_of))
        output.warn(f"the place of the backup cannot be reached: this is what was followed until {when}")
    output.answer(f"promoted  {promoted.label or folder.name}: {promoted.files} files, {promoted.tables} tables, in {folder}")


def run_as_peer(folder: Path) -> NoReturn:
    """Become `goop2 peer DIR`: this process keeps its number, terminal and supervisor."""
    from goop2.cli import streams

    sys.stdout.flush()
    streams.finish()
    os.execv(sys.executable, [sys.executable, "-m", "goop2", "peer", str(folder)])


class _Lag:
    """For how long the standby has not had what the owner had copied."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._since: float | None = None

    def beat(self, name: str, record: LeaseRecord | None) -> StandbyBeat:
        """Return what the standby says of itself."""
        from goop2.cluster.lease import StandbyBeat
        from goop2.services.backup.standby import followed

        is_behind = record is not None and followed(self._folder) < record.txid
        now = time.monotonic()
        self._since = (self._since or now) if is_behind else None
        return StandbyBeat(name=name, host=socket.gethostname(), behind_seconds=now - self._since if self._since is not None else 0.0)
