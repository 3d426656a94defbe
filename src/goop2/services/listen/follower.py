"""The listener's side of another peer's session, by its host's messages; without messages or sound of its own.

    nothing ── ask ──► asked ── let_in ──► in it: load, play, pause, seek, sync ── close, end ──► nothing

A sync with a track that we do not have is a load and a play.

A position is the host's at the moment its message arrived, and moves on from there. Messages can only be late. So of two that differ a
little, the larger position was the faster; a larger difference is a jump of the host. Names and tracks are another peer's text.
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
    """The session of another peer that we are in, or have asked to join."""

    host: str
    session: Session
    listeners: int = 0
    joined: bool = False
    """False while the host has not answered."""
    run: int = 0
    """Another one whenever sound that is under way is of no use any more: another track, a seek, a pause."""


Heard = Callable[[Followed | None], None]


class Following:
    """The listener of at most one session. `clock` gives seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._subscribers: Subscribers[Followed | None] = Subscribers()
        self.followed: Followed | None = None

    def subscribe(self, callback: Heard) -> Callable[[], None]:
        """Call `callback` at every change, with None when the session is over; return the function that unsubscribes."""
        return self._subscribers.add(callback)

    def at(self) -> float:
        """Return the current position in the track in seconds; 0 without one."""
        return self.followed.session.at(self._clock()) if self.followed is not None else 0.0

    def ended(self) -> bool:
        """Return whether the track is over, by its length."""
        return self.followed is not None and self.followed.session.ended(self._clock())

    def beginning(self) -> Callable[[], float]:
        """Yield the second of the track at which sound that begins now starts, and again when the host's position is known better."""
        begun, run, known = self._clock(), self.followed.run if self.followed is not None else -1, self.at()

        def second() -> float:
            nonlocal known
            now = self.followed
            if now is not None and now.run == run and now.session.playing and not self.ended():
                # The host's latest word, counted back to the moment the sound began.
                known = self.at() - (self._clock() - begun)
            return known

        return second

    def ask(self, host: str, group: str) -> None:
        """Ask to join a session. Raises `ListenError` if we are in one."""
        if self.followed is not None:
            raise ListenError(f"this peer listens to {self.followed.session.name or self.followed.host} already: goop.listen.close() first")
        self.followed = Followed(host, Session(id=group, name=""))

    def let_in(self, name: str, listeners: int) -> None:
        """Note that the host has admitted us, or that the session has changed."""
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
        before = self.followed.session
        session = _after(before, action, track, position, now)
        if session is not None:
            goes_on = (
                action == "sync" and before.playing and session.track == before.track and abs(session.at(now) - self.at()) <= JUMP_SECONDS
            )
            self._become(replace(self.followed, session=session, run=self.followed.run + (not goes_on)))

    def end(self) -> None:
        """Forget the session, because it is over or we leave."""
        if self.followed is not None:
            self._become(None)

    def _become(self, followed: Followed | None) -> None:
        self.followed = followed
        self._subscribers.notify(followed)


def _after(session: Session, action: str, track: Track | None, position: float | None, now: float) -> Session | None:
    """Return the session after that message; None if it says nothing."""
    if action == "load":
        return None if track is None else replace(session, track=track, playing=False, position=position or 0.0, updated=now)
    if action == "sync" and track is not None and not _is_same(track, session.track):
        # All that some hosts tell whoever joins while they play; or the word of the load was lost.
        return replace(session, track=track, playing=True, position=position or 0.0, updated=now)
    if session.track is None:
        return None
    there = session.at(now) if position is None else position
    if action == "sync":
        return replace(session, playing=True, position=_synced(session, there, now), updated=now)
    if action == "seek":
        return replace(session, position=there, updated=now)
    return replace(session, playing=action == "play", position=there, updated=now)


def _is_same(track: Track, other: Track | None) -> bool:
    """Return whether two words of a host are about one track; its bitrate may be known better by the second."""
    return other is not None and (track.name, track.format, track.duration) == (other.name, other.format, other.duration)


def _synced(session: Session, there: float, now: float) -> float:
    """Return the host's position from our estimate and its message."""
    thought = session.at(now)
    if not session.playing or abs(there - thought) > JUMP_SECONDS or there > thought:
        return there
    return thought + (there - thought) * SLOWER_BY
