"""A lease on a NATS server: one key of a JetStream bucket, changed only by whoever knows its last revision.

bucket goop2-lease    PEER            the record (lease.py)
                      PEER.standby.K  what the standby with the key K says of itself, heard as it is said

It must not know who may have the lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from goop2.cluster.bus import ClusterError
from goop2.cluster.lease import UNREADABLE, FoundLease, LeaseRecord, StandbyBeat
from goop2.cluster.limits import LEASE_ASK_SECONDS, LEASE_MAX_BYTES
from goop2.cluster.nats_bus import NatsBus, ServerUnreachableError
from goop2.protocols.untrusted_json import Decoder, InvalidJsonError

if TYPE_CHECKING:
    from nats.js.kv import KeyValue

BUCKET: Final = "goop2-lease"
_record = Decoder(LeaseRecord)
_beat = Decoder(StandbyBeat)


class LeaseMovedError(Exception):
    """Somebody else has changed the lease since it was read."""


class LeaseStore(Protocol):
    """Where a lease is kept. The methods raise `ClusterError`."""

    async def read(self) -> FoundLease | None:
        """Return the record, None when there is none."""

    async def write(self, record: LeaseRecord, revision: int) -> int:
        """Change the record with this last revision, 0 for none; return the new one. Raises `LeaseMovedError`."""

    async def remove(self, revision: int) -> None:
        """Remove the record with this last revision. Raises `LeaseMovedError`."""

    def say(self, key: str, beat: StandbyBeat) -> None:
        """Tell the owner how a standby is."""

    async def hear(self, heard: Callable[[str, StandbyBeat], None]) -> None:
        """Be told what standbys say from now on: the key of each, and how it is."""


class NatsLeaseStore:
    """`LeaseStore` on a connection to a server."""

    def __init__(self, bus: NatsBus, peer: str) -> None:
        self._bus = bus
        self._peer = peer
        self._stream = bus.client.jetstream(timeout=LEASE_ASK_SECONDS)
        self._bucket: KeyValue | None = None

    async def read(self) -> FoundLease | None:
        """Return the record, None when there is none. Raises `ClusterError`."""
        try:
            async with self._asking():
                entry = await self._get()
        except LeaseMovedError:  # the bucket is gone
            return None
        if entry is None:
            return None
        try:
            return FoundLease(_record.decode(entry.value or b""), entry.revision or 0)
        except InvalidJsonError:
            raise ClusterError(UNREADABLE) from None

    async def _get(self) -> KeyValue.Entry | None:
        from nats.errors import NoRespondersError
        from nats.js.errors import KeyNotFoundError, ServiceUnavailableError

        for again in (True, False):
            bucket = await self._open()
            if bucket is None:
                return None
            try:
                return await bucket.get(self._peer)
            except KeyNotFoundError:
                return None
            except (ServiceUnavailableError, NoRespondersError):  # nobody answers for a bucket that was removed, nor without JetStream
                self._bucket = None
                if not again:
                    raise
        return None

    async def write(self, record: LeaseRecord, revision: int) -> int:
        """Change the record with this last revision, 0 for none; return the new one. Raises `LeaseMovedError`, `ClusterError`."""
        content = msgspec.json.encode(record)
        if len(content) > LEASE_MAX_BYTES:
            raise ClusterError(f"a lease of {len(content)} bytes is too large: give the place of the backup a shorter name")
        async with self._asking():
            bucket = await self._open() or await self._make()
            if revision:
                return await bucket.update(self._peer, content, last=revision)
            return await bucket.create(self._peer, content)

    async def remove(self, revision: int) -> None:
        """Remove the record with this last revision. Raises `LeaseMovedError`, `ClusterError`."""
        async with self._asking():
            bucket = await self._open()
            if bucket is not None:
                await bucket.delete(self._peer, last=revision)

    def say(self, key: str, beat: StandbyBeat) -> None:
        """Tell the owner how a standby is."""
        self._bus.send(f"$KV.{BUCKET}.{self._peer}.standby.{key}", msgspec.json.encode(beat))

    async def hear(self, heard: Callable[[str, StandbyBeat], None]) -> None:
        """Be told what standbys say from now on: the key of each, and how it is."""

        def take(subject: str, content: bytes, nobody: bool) -> None:
            if nobody or len(content) > LEASE_MAX_BYTES:
                return
            try:
                heard(subject.rpartition(".")[2], _beat.decode(content))
            except InvalidJsonError:
                return

        await self._bus.listen(f"$KV.{BUCKET}.{self._peer}.standby.*", take)

    async def _open(self) -> KeyValue | None:
        from nats.js.errors import BucketNotFoundError, NotFoundError

        if self._bucket is None:
            try:
                self._bucket = await self._stream.key_value(BUCKET)
            except (BucketNotFoundError, NotFoundError):
                return None
        return self._bucket

    async def _make(self) -> KeyValue:
        from nats.js.api import KeyValueConfig

        self._bucket = await self._stream.create_key_value(KeyValueConfig(bucket=BUCKET, description="who may speak as a peer of goop2"))
        return self._bucket

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """Turn what the client raises into errors of ours."""
        from nats import errors
        from nats.js.errors import (
            APIError,
            FetchTimeoutError,
            KeyWrongLastSequenceError,
            NoStreamResponseError,
            NotFoundError,
            ServiceUnavailableError,
        )

        url = self._bus.url
        try:
            async with asyncio.timeout(2 * LEASE_ASK_SECONDS):
                yield
        except KeyWrongLastSequenceError:
            raise LeaseMovedError from None
        except (NoStreamResponseError, NotFoundError):  # the bucket was removed, and is made anew with the next change
            self._bucket = None
            raise LeaseMovedError from None
        except (ServiceUnavailableError, errors.NoRespondersError):
            self._bucket = None
            remedy = "start it with the configuration that goop2 cluster init wrote"
            raise ClusterError(f"the server at {url} keeps nothing (JetStream is off or not ready): {remedy}") from None
        except (TimeoutError, errors.TimeoutError, FetchTimeoutError):
            raise ServerUnreachableError(f"the server at {url} does not answer") from None
        except APIError as error:
            raise ClusterError(f"the server at {url} refuses the lease: {error.description or error}") from None
        except errors.Error as error:
            raise ServerUnreachableError(f"the server at {url} is not reached: {error or type(error).__name__}") from None
