"""A lease: which machine may speak as a peer, and when another may take its place. Without I/O; lease_client.py asks the server.

The server keeps one record and takes a change only from whoever knows the last one (compare and swap), so of two that write at once one
fails. The record has no time in it that anybody relies on: the owner stops HOLD_SECONDS after it asked for its last renewal, and the others
begin LEASE_SECONDS after they saw it, each by a clock of its own that only goes forward. A clock that is an hour off changes nothing.

Two names stand in it. `holder` may speak as the peer now. `writer` is the folder with the newest rows, that of `term` at the place of the
backup: no other folder may ever begin with older ones, whoever holds the lease.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Annotated, Final

import msgspec

from goop2.cluster.limits import LEASE_SECONDS

Name = Annotated[str, msgspec.Meta(max_length=256)]
Text = Annotated[str, msgspec.Meta(max_length=2048)]
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


class LeaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the server keeps of a peer's lease."""

    holder: Name
    """The folder that may speak as the peer; "" when it was given back."""
    host: Name
    """The holder's machine, for people."""
    label: Name
    """The peer's name, for people."""
    writer: Name
    """The folder with the newest rows."""
    term: Count
    """Where `writer` writes at the place of the backup; 0 before its first copy."""
    txid: Count = 0
    """The last transaction of `writer` that had surely arrived there, in Litestream's counting."""
    place: Text = ""
    """The place of the backup, as the writer names it."""
    copied_at: float = 0.0
    """When everything had last arrived there, seconds since 1970 by the writer's clock: for people."""
    since: float = 0.0
    """Since when it has this holder, by the holder's clock: for people."""
    wanted_by: Name = ""
    """The standby to which the holder is asked to give it."""
    renewals: Count = 0


class FoundLease(msgspec.Struct, frozen=True):
    """A record as the server has it, and the number of its last change."""

    record: LeaseRecord
    revision: int


class StandbyBeat(msgspec.Struct, frozen=True, kw_only=True):
    """What a standby says of itself."""

    name: Name
    host: Name
    behind_seconds: float
    """For how long the owner's copied rows have not been here; 0 when they are."""
    trouble: Text = ""


class Step(Enum):
    """What a machine does next about a lease."""

    WRITE = auto()
    """Take it, or renew it."""
    WAIT = auto()
    FENCED = auto()
    """Stop for good: another folder has newer rows."""
    HAND_OVER = auto()
    """Stop, then give it back: its owner has promoted a standby."""


class LeaseWatch:
    """How long a lease has not been renewed, as seen from here. `now` is seconds of a clock that only goes forward, sleep included."""

    def __init__(self) -> None:
        self._revision: int | None = None
        self._since = 0.0

    def see(self, revision: int, now: float) -> None:
        """Take note of the last change there is now, 0 for no record at all; `now` is after the server's answer."""
        if revision != self._revision:
            self._revision, self._since = revision, now

    def forget(self) -> None:
        """Begin to count anew: the server was away, and the owner must be let renew first."""
        self._revision = None

    def is_over(self, now: float) -> bool:
        """Return whether the holder must have stopped."""
        return self._revision is not None and now - self._since >= LEASE_SECONDS


def owners_step(found: FoundLease | None, me: str, *, holding: bool, is_new: bool, is_over: bool) -> Step:
    """Return what the owner does. `is_new`: its folder has never written a backup, so it cannot have been passed."""
    if found is None:
        # Somebody has removed the record. Who holds it writes it anew at once; anybody else lets that one be first.
        return Step.WRITE if holding or is_new or is_over else Step.WAIT
    record = found.record
    if record.writer != me:
        return Step.FENCED
    if record.wanted_by and not is_over:
        return Step.HAND_OVER if holding else Step.WAIT
    return Step.WRITE if record.holder in (me, "") or is_over else Step.WAIT


def standbys_step(found: FoundLease | None, me: str, *, is_over: bool) -> Step:
    """Return what a standby does."""
    if is_over:
        return Step.WRITE
    if found is None:
        return Step.WAIT
    record = found.record
    return Step.WRITE if record.holder == me or (not record.holder and record.wanted_by == me) else Step.WAIT


def passed_sentence(record: LeaseRecord, join: str) -> str:
    """Return what the owner of a folder is told that another has passed."""
    who = record.host or "another machine"
    return (
        f"{who} has taken the place of this peer (term {record.term} of its backup), so nothing is served or written from this folder any "
        f'more: look for what it alone may have, then remove it and begin a standby ("goop2 standby NEW --join {join} --key FILE"); '
        'if that machine is gone for good, "goop2 cluster release DIR"'
    )


UNREADABLE: Final = "the lease on the server is none this version can read: is another machine's goop2 newer?"
