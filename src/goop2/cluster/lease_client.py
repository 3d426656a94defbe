"""A machine's part in a lease: hold it and renew it, or wait for it, over a connection that may come and go.

`OwnerLease` is that of a running peer, `StandbyLease` that of a standby. Whether a machine still holds the lease is never left to a timer
that may come late: `hold` is asked by whoever is about to answer or to write (storage/write_fence.py). It must not know what is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

import msgspec
import structlog

from goop2.cluster.bus import ClusterError
from goop2.cluster.keys import ClusterKey
from goop2.cluster.lease import (
    FoundLease,
    LeaseRecord,
    LeaseWatch,
    StandbyBeat,
    Step,
    owners_step,
    passed_sentence,
    standbys_step,
)
from goop2.cluster.lease_store import LeaseMovedError, LeaseStore, NatsLeaseStore
from goop2.cluster.limits import HOLD_SECONDS, LEASE_RETRY_SECONDS, RENEW_SECONDS, STANDBY_HEARD_SECONDS, STANDBYS_MAX
from goop2.cluster.nats_bus import NatsBus, stay_connected
from goop2.services.cluster_view import LeaseView, StandbyView
from goop2.storage.write_fence import now_ns

_NS: Final = 1_000_000_000

log = structlog.get_logger(__name__)


def now_seconds() -> float:
    """Return seconds of the clock that only goes forward, sleep included."""
    return now_ns() / _NS


class Hold(Protocol):
    """Until when this machine may speak as the peer; `FenceKeeper` is one that other processes see too."""

    def hold_until(self, moment_ns: int) -> None:
        """Say so, by `now_ns`; 0 ends it."""

    def is_up(self) -> bool:
        """Return whether that moment has passed."""


class OwnHold:
    """A `Hold` of one process."""

    def __init__(self) -> None:
        self._until = 0

    def hold_until(self, moment_ns: int) -> None:
        """Say until when, by `now_ns`; 0 ends it."""
        self._until = moment_ns

    def is_up(self) -> bool:
        """Return whether that moment has passed."""
        return self._until <= now_ns()


class LeaseMember(msgspec.Struct, frozen=True, kw_only=True):
    """Who takes part: the folder's name among the writers of the backup, its machine, and the peer's name for people."""

    writer: str
    host: str
    label: str


class WriterState(msgspec.Struct, frozen=True, kw_only=True):
    """Where the own folder's backup stands."""

    term: int
    txid: int = 0
    copied_at: float = 0.0
    place: str = ""


class LeaseClient:
    """What owner and standby have in common. Times are `now_seconds`."""

    def __init__(self, me: LeaseMember, hold: Hold) -> None:
        self.me = me
        self.hold = hold
        self.held = asyncio.Event()
        """Set once this machine has held the lease."""
        self.lost = asyncio.Event()
        """Set when it holds it no more."""
        self.verdict = ""
        """Why it was lost, or will never be had: a sentence."""
        self.for_good = False
        """Whether waiting for it again would be of no use."""
        self.trouble = "the server is being connected to"
        """Why the server is not used now, "" when it is."""
        self.record: LeaseRecord | None = None
        self.renewed_at = 0.0
        self._store: LeaseStore | None = None
        self._revision = 0
        self._watch = LeaseWatch()
        self._busy = asyncio.Lock()
        self._waiting_told = ""

    # ── each look ────────────────────────────────────────────────────────────────────────────

    async def use(self, store: LeaseStore) -> None:
        """Look after the lease for as long as this connection lasts."""
        self._store = store
        self._watch.forget()
        try:
            await self._begin(store)
            while not self.lost.is_set():
                await self.look()
                renewed = self.held.is_set() and now_seconds() - self.renewed_at < LEASE_RETRY_SECONDS
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RENEW_SECONDS if renewed else LEASE_RETRY_SECONDS):
                        await self.lost.wait()
            if self.must_be_given_back:
                await asyncio.Event().wait()  # the connection is needed once more, when all is closed
        finally:
            self._store = None

    @property
    def must_be_given_back(self) -> bool:
        """Return whether the lease is to be given to somebody else once all is closed here."""
        return False

    async def _begin(self, store: LeaseStore) -> None:
        """Do what each new connection needs."""

    async def look(self) -> None:
        """Renew the lease, take it, or see who has it; what fails is tried again at the next look."""
        store = self._store
        if store is None or self.lost.is_set():
            return
        async with self._busy:
            try:
                await self._look(store)
                self._fine()
            except LeaseMovedError:
                self._revision = 0  # read at the next look
            except ClusterError as error:
                self.fail(error)

    async def _look(self, store: LeaseStore) -> None:
        if self.is_held and self._revision and self.record is not None:
            with contextlib.suppress(LeaseMovedError):
                await self._write(store, self.record, self._revision)
                return
            # What was changed may have been our own, of a renewal whose answer was lost.
        found = await store.read()
        self._watch.see(found.revision if found else 0, now_seconds())
        self._revision = found.revision if found else 0
        self.record = found.record if found else None
        await self._decide(store, found)

    async def _decide(self, store: LeaseStore, found: FoundLease | None) -> None:
        raise NotImplementedError

    def _renewed(self, record: LeaseRecord) -> LeaseRecord:
        raise NotImplementedError

    @property
    def is_held(self) -> bool:
        """Return whether this machine may speak as the peer now."""
        return self.held.is_set() and not self.lost.is_set() and not self.hold.is_up()

    async def _write(self, store: LeaseStore, record: LeaseRecord, revision: int) -> None:
        """Take the lease, or renew it. Raises `LeaseMovedError`, `ClusterError`."""
        asked = now_ns()  # before it is sent: the others count from when they see it, which is later
        new = self._renewed(record)
        self._revision = await store.write(new, revision)
        self._watch.see(self._revision, now_seconds())
        if self.lost.is_set():
            return
        self.record, self.renewed_at = new, asked / _NS
        self.hold.hold_until(asked + int(HOLD_SECONDS * _NS))
        if not self.held.is_set() and not self.hold.is_up():
            self.held.set()

    def _taken(self, record: LeaseRecord | None) -> LeaseRecord:
        """Return the record with this machine as its holder."""
        me = self.me
        if record is None:
            record = LeaseRecord(holder="", host="", label=me.label, writer=me.writer, term=0)
        if record.holder == me.writer:
            return msgspec.structs.replace(record, renewals=record.renewals + 1, host=me.host, wanted_by="")
        return msgspec.structs.replace(
            record, holder=me.writer, host=me.host, since=time.time(), wanted_by="", renewals=record.renewals + 1
        )

    # ── the end ──────────────────────────────────────────────────────────────────────────────

    async def guard(self) -> None:
        """Set `lost` once the lease could not be renewed in time."""
        await self.held.wait()
        while not self.lost.is_set():
            if self.hold.is_up():
                self.lose(f"this peer's lease could not be renewed for {HOLD_SECONDS:g} s: {self.trouble or 'the machine stood still'}")
                return
            await asyncio.sleep(LEASE_RETRY_SECONDS / 2)

    def lose(self, why: str, *, for_good: bool = False) -> None:
        """Hold the lease no more, from this moment on."""
        if not self.lost.is_set():
            self.hold.hold_until(0)
            self.verdict, self.for_good = why, for_good
            self.lost.set()

    def fail(self, error: ClusterError) -> None:
        """Take note of why the server is not used now, and say it once."""
        if str(error) != self.trouble:
            self.trouble = str(error)
            log.warning("the lease cannot be asked for", why=self.trouble)

    def _fine(self) -> None:
        self.trouble = ""


class OwnerLease(LeaseClient):
    """The lease of a running peer. `writes`: says where its backup stands."""

    def __init__(self, me: LeaseMember, hold: Hold, writes: Callable[[], WriterState], join: str) -> None:
        super().__init__(me, hold)
        self.writes = writes
        self._join = join
        self._is_new = writes().term == 0
        self._standbys: dict[str, tuple[StandbyBeat, float]] = {}
        self.handing_over = False

    async def _begin(self, store: LeaseStore) -> None:
        await store.hear(self._hear)

    def _hear(self, key: str, beat: StandbyBeat) -> None:
        if key in self._standbys or len(self._standbys) < STANDBYS_MAX:
            self._standbys[key] = beat, now_seconds()

    async def _decide(self, store: LeaseStore, found: FoundLease | None) -> None:
        is_over = self._watch.is_over(now_seconds())
        match owners_step(found, self.me.writer, holding=self.is_held, is_new=self._is_new, is_over=is_over):
            case Step.WRITE:
                await self._write(store, self._taken(found.record if found else None), self._revision)
            case Step.FENCED:
                assert found is not None
                self.lose(passed_sentence(found.record, self._join), for_good=True)
            case Step.HAND_OVER:
                assert found is not None
                self.handing_over = True
                self.lose("this peer is handed over to a standby that its owner has promoted, and stops here", for_good=True)
            case Step.WAIT:
                self._say_waiting(found)

    def _say_waiting(self, found: FoundLease | None) -> None:
        who = (found.record.host or "another machine") if found else "nobody, as far as the server knows"
        if who != self._waiting_told:
            self._waiting_told = who
            log.warning("waiting for the lease of this peer, and serving nothing until then", held_by=who)

    def _renewed(self, record: LeaseRecord) -> LeaseRecord:
        state = self.writes()
        record = self._taken(record)
        return msgspec.structs.replace(
            record, term=state.term, txid=state.txid, copied_at=state.copied_at, place=state.place or record.place
        )

    @property
    def must_be_given_back(self) -> bool:
        """Return whether the lease is to be given to somebody else once all is closed here."""
        return self.handing_over

    async def give_back(self) -> None:
        """Let the standby have the lease at once that was promoted by hand, after all was closed here and copied."""
        store, record = self._store, self.record
        if store is None or record is None or not self.handing_over:
            return
        with contextlib.suppress(LeaseMovedError, ClusterError):
            state = self.writes()
            record = msgspec.structs.replace(record, holder="", term=state.term, txid=state.txid, copied_at=state.copied_at)
            await store.write(record, self._revision)

    def view(self) -> LeaseView:
        """Return how it is now."""
        record, now = self.record, now_seconds()
        return LeaseView(
            held=self.is_held,
            holder=record.host if record is not None else "",
            since=record.since if record is not None else 0.0,
            age_seconds=now - self.renewed_at if self.renewed_at else None,
            term=record.term if record is not None else 0,
            trouble=self.trouble,
            standbys=tuple(
                StandbyView(
                    name=beat.name,
                    host=beat.host,
                    behind_seconds=beat.behind_seconds,
                    trouble=beat.trouble,
                    is_here=now - heard < STANDBY_HEARD_SECONDS,
                )
                for beat, heard in sorted(self._standbys.values(), key=lambda each: each[0].name)
            ),
        )


class StandbyLease(LeaseClient):
    """A standby's part: wait until nobody renews the lease, then take it and hold it while the standby becomes the peer.

    `how`: what it says of itself, given the record there is.
    """

    def __init__(self, me: LeaseMember, key: str, how: Callable[[LeaseRecord | None], StandbyBeat]) -> None:
        super().__init__(me, OwnHold())
        self._key = key
        self._how = how
        self._said_at = 0.0
        self.wanted = False
        """Whether the owner has promoted it: the holder is asked to stop."""

    async def _decide(self, store: LeaseStore, found: FoundLease | None) -> None:
        now = now_seconds()
        if now - self._said_at >= RENEW_SECONDS:
            self._said_at = now
            store.say(self._key, self._how(self.record))
        if standbys_step(found, self.me.writer, is_over=self._watch.is_over(now)) is Step.WRITE:
            await self._write(store, self._taken(found.record if found else None), self._revision)
        elif self.wanted and found is not None and not found.record.wanted_by:
            self._revision = await store.write(msgspec.structs.replace(found.record, wanted_by=self.me.writer), found.revision)

    def _renewed(self, record: LeaseRecord) -> LeaseRecord:
        return self._taken(record)

    async def become_writer(self, state: WriterState) -> None:
        """Say that this folder has the newest rows from now on. Raises `ClusterError` when the lease was lost meanwhile."""
        async with self._busy:
            store = self._store
            if store is None or self.record is None or not self.is_held:
                raise ClusterError(self.verdict or f"the lease was lost while this standby was made the peer: {self.trouble}")
            try:
                record = msgspec.structs.replace(self.record, writer=self.me.writer, term=state.term, txid=0, place=state.place)
                await self._write(store, record, self._revision)
            except LeaseMovedError:
                raise ClusterError("another machine has taken the lease while this standby was made the peer") from None

    async def give_back(self) -> None:
        """Let go of a lease that is of no use here: its folder cannot become the peer."""
        store, record = self._store, self.record
        if store is not None and record is not None and record.holder == self.me.writer:
            with contextlib.suppress(LeaseMovedError, ClusterError):
                await store.write(msgspec.structs.replace(record, holder=""), self._revision)


@asynccontextmanager
async def taking_part(lease: LeaseClient, url: str, key: Callable[[], ClusterKey], peer: str, name: str) -> AsyncIterator[None]:
    """Look after a lease while the block lasts. `key` is read when it is needed; it may raise `ClusterError`."""

    async def use(connection: NatsBus) -> None:
        await lease.use(NatsLeaseStore(connection, peer))

    async def stay() -> None:
        while not lease.lost.is_set():
            try:
                await stay_connected(url, key(), name, use=use, told=lease.fail, give_up=False)
            except ClusterError as error:
                lease.fail(error)
            await asyncio.sleep(RENEW_SECONDS)

    tasks = [asyncio.create_task(stay()), asyncio.create_task(lease.guard())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
