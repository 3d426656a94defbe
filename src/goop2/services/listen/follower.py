"""A session of another peer, as its host tells of it: the listener's side, apart from messages and the sound.

    nothing ── ask ──► asked ── let_in ──► in it: load, play, pause, seek, sync ── close, end ──► nothing

A position is the host's at the moment its word came, and goes on from there. Word is only ever late, so of two that differ a little the one
that says more was the faster; what differs more is a jump of the host's. Names and tracks are another peer's text.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from goop2.scripting.subscribers import Subscribers
from goop2.services.listen.session import ListenError, Session, Track

JUMP_SECONDS: Final = 0.5
"""Beyond it a sync is a jump of the host's, and no jitter of the way."""
SLOWER_BY: Final = 0.1
"""Of the difference to a later word: our clock may be the faster one, by a little every sync."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The session of another peer we are in, or have asked to be in."""

    host: str
    session: Session
    listeners: int = 0
    joined: bool = False
    """False while the host has not answered."""
    run: int = 0
    """Another one whenever sound that is under way is of no use any more: another track, a seek, a pause."""


Heard = Callable[[Followed | None], None]


class Following:
    """Listener of at most one session. `clock` gives seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._subscribers: Subscribers[Followed | None] = Subscribers()
        self.followed: Followed | None = None

    def subscribe(self, callback: Heard) -> Callable[[], None]:
        """Hear of every change, None when it is over; gives the function that ends it."""
        return self._subscribers.add(callback)

    def at(self) -> float:
        """Return the seconds into the track, now; 0 without one."""
        return self.followed.session.at(self._clock()) if self.followed is not None else 0.0

    def ended(self) -> bool:
        """Return whether the track is over, as far as its length tells."""
        return self.followed is not None and self.followed.session.ended(self._clock())

    def beginning(self) -> Callable[[], float]:
        """For sound that begins now: which second of the track that is, said anew as we learn better where the host is."""
        begun, run, known = self._clock(), self.followed.run if self.followed is not None else -1, self.at()

        def second() -> float:
            nonlocal known
            now = self.followed
            if now is not None and now.run == run and now.session.playing and not self.ended():
                known = self.at() - (self._clock() - begun)
            return known

        return second

    def ask(self, host: str, group: str) -> None:
        """We ask to be let in. Raises `ListenError` when we are in one."""
        if self.followed is not None:
            raise ListenError(f"this peer listens to {self.followed.session.name or self.followed.host} already: goop.listen.close() first")
        self.followed = Followed(host, Session(id=group, name=""))

    def let_in(self, name: str, listeners: int) -> None:
        """We are in it, or what is known of it has changed."""
        if self.followed is not None:
            session = replace(self.followed.session, name=name)
            self._become(replace(self.followed, session=session, listeners=listeners, joined=True))

    def heard(self, action: str, track: Track | None = None, position: float | None = None) -> None:
        """Apply a message of the session's host."""
        if self.followed is None or not self.followed.joined:
            return
        if action == "close":
            self.end()
            return
        now = self._clock()
        session = _after(self.followed.session, action, track, position, now)
        if session is not None:
            goes_on = action == "sync" and self.followed.session.playing and abs(session.at(now) - self.at()) <= JUMP_SECONDS
            self._become(replace(self.followed, session=session, run=self.followed.run + (not goes_on)))

    def end(self) -> None:
        """Forget the session, which is over or which we leave."""
        if self.followed is not None:
            self._become(None)

    def _become(self, followed: Followed | None) -> None:
        self.followed = followed
        self._subscribers.notify(followed)


def _after(session: Session, action: str, track: Track | None, position: float | None, now: float) -> Session | None:
    """Return the session after that word; None when it says nothing."""
    if action == "load":
        return None if track is None else replace(session, track=track, playing=False, position=position or 0.0, updated=now)
    if session.track is None:
        return None
    there = session.at(now) if position is None else position
    if action == "sync":
        return replace(session, playing=True, position=_synced(session, there, now), updated=now)
    if action == "seek":
        return replace(session, position=there, updated=now)
    return replace(session, playing=action == "play", position=there, updated=now)


def _synced(session: Session, there: float, now: float) -> float:
    """Return where the host is, of what we thought and what it said."""
    thought = session.at(now)
    if not session.playing or abs(there - thought) > JUMP_SECONDS or there > thought:
        return there
    return thought + (there - thought) * SLOWER_BY
