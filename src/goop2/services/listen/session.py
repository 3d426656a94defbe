"""A listening session without files and clocks: what is loaded, whether it plays, and since when its position counts.

    none ── create ──► open ── load ──► paused ⇄ playing      seek in both; a new load is paused at the start; close ends it

The position is never incremented. It is the position of the last change plus the time since then while it plays, and never beyond the end.
`now` is passed in, seconds of a monotonic clock.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, replace
from typing import Final

from goop2.scripting.printable import printable

NAME_MAX_CHARS: Final = 100
ID_BYTES: Final = 8
ID_PREFIX: Final = "listen-"


class ListenError(Exception):
    """The request does not fit the session; the message says why. `code` is an error class of behaviour.md."""

    code = "bad_request"


class AudioUnreadableError(ListenError):
    """The system cannot open an audio file now: no descriptor left, a broken disk, no permission."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """An audio file that is loaded into a session."""

    name: str
    duration: float
    """Seconds."""
    bitrate: int
    """Bits a second, on average."""
    format: str
    """mp3, ogg, opus, flac or wav."""
    path: str = ""
    """Real path of the file; not for others."""
    stamp: tuple[int, int] = (0, 0)
    """The file's size and time of change when it was loaded; not for others."""
    has_cover: bool = False
    """Whether a picture is in it."""

    @property
    def length(self) -> float:
        """Return the seconds of the track; infinity if unknown, as for another peer's radio."""
        return self.duration or math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The state of a listening session at one moment."""

    id: str
    name: str
    track: Track | None = None
    playing: bool = False
    position: float = 0.0
    """Seconds into the track at `updated`."""
    updated: float = 0.0
    """When that was, on the clock of `now`."""

    def at(self, now: float) -> float:
        """Return how many seconds into the track the session is at `now`."""
        if self.track is None:
            return 0.0
        passed = now - self.updated if self.playing else 0.0
        return min(self.track.length, self.position + max(0.0, passed))

    def ended(self, now: float) -> bool:
        """Return whether the position is beyond the track's end."""
        return self.playing and self.track is not None and self.at(now) >= self.track.length

    def load(self, track: Track, now: float) -> Session:
        """Return the session with another track, paused at its start."""
        return replace(self, track=track, playing=False, position=0.0, updated=now)

    def play(self, now: float) -> Session:
        """Return the session playing from the current position, or from the start if it was at the end. Raises `ListenError` without a
        track.
        """
        track = self._track()
        position = self.at(now)
        return replace(self, playing=True, position=0.0 if position >= track.duration else position, updated=now)

    def pause(self, now: float) -> Session:
        """Return the session paused at its position. Raises `ListenError` without a track."""
        self._track()
        return replace(self, playing=False, position=self.at(now), updated=now)

    def seek(self, seconds: float, now: float) -> Session:
        """Return the session at another position, playing or paused as before. Raises `ListenError` outside the track."""
        track = self._track()
        if not 0 <= seconds <= track.duration:
            raise ListenError(f"the position is {seconds:g} seconds; the track has {track.duration:.1f}")
        return replace(self, position=float(seconds), updated=now)

    def _track(self) -> Track:
        if self.track is None:
            raise ListenError("no track is loaded: goop.listen.load(path) first")
        return self.track


def create(name: str, now: float) -> Session:
    """Return a new session. Raises `ListenError` for an invalid name."""
    name = " ".join(name.split())
    if not name or len(name) > NAME_MAX_CHARS:
        raise ListenError(f"a session's name has 1 to {NAME_MAX_CHARS} characters")
    return Session(id=f"{ID_PREFIX}{secrets.token_hex(ID_BYTES)}", name=printable(name, NAME_MAX_CHARS), updated=now)
