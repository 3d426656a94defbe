"""The one session of a peer, hosted here or followed elsewhere: its file, clock and subscribers. A hosted session outlives restarts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from goop2.folder.regular_files import read_regular, shown
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.scripting.subscribers import Subscribers
from goop2.services.listen.cover import Cover
from goop2.services.listen.follower import Following
from goop2.services.listen.session import ListenError, Session, Track, create
from goop2.services.listen.tracks import Library

FILE: Final = "data/listen.json"
FILE_MAX_BYTES: Final = 64 * 1024
"""A session and one track, whose path the system bounds."""
KEPT_EVERY_SECONDS: Final = 10.0
"""While it plays: what a crash costs of the position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The session as others see it."""

    id: str
    name: str
    track: Track | None
    playing: bool
    position: float
    """Seconds, now."""
    updated_at: float
    """Wall clock, seconds since 1970: when that was."""


class _Kept(msgspec.Struct, frozen=True):
    """The session as it is saved in its file."""

    id: str
    name: str
    position: float = 0.0
    track: Track | None = None


class ListenService:
    """Host of at most one session, or listener (`following`). `clock` gives seconds and never goes back."""

    def __init__(self, folder: Path, library: Library, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = folder / FILE
        self._library = library
        self._clock = clock
        self.following = Following(clock)
        self._session: Session | None = None
        self._subscribers: Subscribers[State | None] = Subscribers()
        self._changing = asyncio.Lock()
        self._ticking: asyncio.Task[None] | None = None
        self._serving: Subscribers[list[str]] = Subscribers()
        self.counts: Subscribers[int] = Subscribers()
        """Told how many listen, whenever somebody comes or goes."""

    def subscribe(self, callback: Callable[[State | None], None]) -> Callable[[], None]:
        """Call `callback` at every change, with None when the session is closed; return the function that unsubscribes."""
        return self._subscribers.add(callback)

    def serves(self, who: Callable[[], Iterable[str]]) -> Callable[[], None]:
        """Count those that `who` returns as listeners; return the function that ends that."""
        return self._serving.add(lambda found: found.extend(who()))

    def who(self) -> list[str]:
        """Return the ids of those that listen now, over the web and the network; one with several pages several times."""
        found: list[str] = []
        self._serving.notify(found)
        return found

    def listeners(self) -> int:
        """Return how many listeners the session has."""
        return len(self.who())

    def recount(self) -> None:
        """Notify subscribers that the number of listeners may have changed."""
        self.counts.notify(self.listeners())

    def restore(self) -> None:
        """Restore the session of the last run, paused where it was; without its track when that is gone. Blocking."""
        try:
            kept = decode(read_regular(self._file, self._file.parent.parent, FILE_MAX_BYTES), _Kept)
        except (OSError, InvalidJsonError):
            return
        now = self._clock()
        self._session = Session(id=kept.id, name=kept.name, updated=now)
        if kept.track is not None:
            with contextlib.suppress(ListenError):
                track = self._library.again(kept.track)
                self._session = self._session.load(track, now).seek(min(max(0.0, kept.position), track.duration), now)

    def state(self) -> State | None:
        """Return the session as it is now, None without one."""
        session = self._session
        if session is None:
            return None
        now = self._clock()
        playing = session.playing and not session.ended(now)
        return State(
            id=session.id,
            name=session.name,
            track=session.track,
            playing=playing,
            position=round(session.at(now), 3),
            updated_at=time.time(),
        )

    def follow_elsewhere(self, host: str, group: str) -> None:
        """Be a listener of another peer's session, once it lets us in. Raises `ListenError` when a session is open."""
        if self._session is not None:
            raise ListenError(f"this peer plays {self._session.name} itself: goop.listen.close() first")
        self.following.ask(host, group)

    async def create(self, name: str) -> State:
        """Open a session. Raises `ListenError` when one is open, here or elsewhere."""
        async with self._changing:
            self._hosts_only()
            if self._session is not None:
                raise ListenError(f"the session {self._session.name} is open: goop.listen.close() first")
            return await self._become(create(name, self._clock()))

    async def load(self, path: str) -> Track:
        """Load a file. Raises `ListenError` naming it."""
        wanted = self._open()
        # What takes its time holds up nobody: meanwhile the track before plays on, and can be paused.
        track = await asyncio.to_thread(self._library.load, path)
        async with self._changing:
            if self._open().id != wanted.id:
                raise ListenError(f"the session {wanted.name} was closed meanwhile")
            await self._become(self._open().load(track, self._clock()))
            return track

    async def play(self) -> None:
        """Play from the current position. Raises `ListenError`, also when the track's file is not what was loaded."""
        async with self._changing:
            track = self._open().play(self._clock()).track
            if track is not None:
                # Opened before the session says it plays: a track that is gone must be an error of `play`.
                (await asyncio.to_thread(self.open, track)).close()
            await self._become(self._open().play(self._clock()))

    async def pause(self) -> None:
        """Pause the session. Raises `ListenError`."""
        async with self._changing:
            await self._become(self._open().pause(self._clock()))

    async def seek(self, seconds: float) -> None:
        """Move the session to a second of its track. Raises `ListenError`."""
        async with self._changing:
            await self._become(self._open().seek(seconds, self._clock()))

    async def close(self) -> None:
        """End the session, or leave the one of another peer. Raises `ListenError` without one."""
        async with self._changing:
            if self.following.followed is not None:
                self.following.end()
                return
            self._open()
            self._session = None
            self._tick()
            self._subscribers.notify(None)
            await asyncio.to_thread(self._file.unlink, missing_ok=True)

    async def stop(self) -> None:
        """Save where the session is, for the next start."""
        session, self._session = self._session, None
        self._tick()
        if session is not None and session.playing:
            await asyncio.to_thread(self._write, session)

    def follow(self, session_id: str) -> tuple[Track, Callable[[], float | None]] | None:
        """Return the track of that session and a function for its position in seconds, which is None while paused and from the next change
        on. Return None without a track.

        Raises `ListenError` when there is no such session.
        """
        session = self._session
        if session is None or session.id != session_id:
            raise ListenError("no such session is open")

        def position() -> float | None:
            # A session is replaced at every change.
            return session.at(self._clock()) if self._session is session and session.playing else None

        return (session.track, position) if session.track is not None else None

    def track(self, session_id: str) -> Track:
        """Return what is loaded in that session. Raises `ListenError`."""
        session = self._session
        if session is None or session.id != session_id or session.track is None:
            raise ListenError("no such track is playing")
        return session.track

    def cover(self, track: Track) -> Cover | None:
        """Return the picture in a track's file. Blocking. Raises `ListenError`."""
        return self._library.cover(track) if track.has_cover else None

    def files(self) -> list[str]:
        """Return the audio files that can be loaded, as `load` takes them. Blocking."""
        return self._library.files()

    def open(self, track: Track) -> BinaryIO:
        """Return a track's file, to be closed. Blocking. Raises `ListenError`."""
        return self._library.open(track)

    def _hosts_only(self) -> None:
        followed = self.following.followed
        if followed is not None:
            name = followed.session.name or followed.host
            raise ListenError(f"this peer listens to {name}, which its host plays: goop.listen.close() leaves")

    def _open(self) -> Session:
        self._hosts_only()
        if self._session is None:
            raise ListenError('no session is open: goop.listen.create("name") first')
        return self._session

    async def _become(self, session: Session) -> State:
        # Told before it is written: whoever asked may be cancelled meanwhile, and then others must know all the same.
        self._session = session
        self._tick()
        state = self.state()
        assert state is not None
        self._subscribers.notify(state)
        await asyncio.to_thread(self._write, session)
        return state

    def _tick(self) -> None:
        """Keep the clock of a playing track, from its current position."""
        # The end of a track is noted by the ticking task itself, which must not cancel itself then.
        if self._ticking is not None and self._ticking is not asyncio.current_task():
            self._ticking.cancel()
        playing = self._session is not None and self._session.playing
        self._ticking = asyncio.create_task(self._play_on()) if playing else None

    async def _play_on(self) -> None:
        """Wait for the end of the track, which is a pause there, or until its file is gone."""
        while (session := self._session) is not None and session.playing and session.track is not None:
            left = session.track.duration - session.at(self._clock())
            await asyncio.sleep(max(0.0, min(left, KEPT_EVERY_SECONDS)))
            async with self._changing:
                # Changed while this task waited; the change started a new task for the new state.
                if self._session is not session:
                    continue
                if session.ended(self._clock()) or not await asyncio.to_thread(self._can_be_heard, session.track):
                    await self._become(session.pause(self._clock()))
                else:
                    await asyncio.to_thread(self._write, session)

    def _can_be_heard(self, track: Track) -> bool:
        """Return whether its file is still what was loaded; otherwise nobody who comes now hears anything."""
        with contextlib.suppress(ListenError):
            self.open(track).close()
            return True
        return False

    def _write(self, session: Session) -> None:
        kept = _Kept(session.id, session.name, session.at(self._clock()), self._kept_track(session.track))
        with contextlib.suppress(OSError):  # what is not kept is only not there after a restart
            self._file.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".listen.", dir=self._file.parent)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(msgspec.json.encode(kept))
                Path(name).replace(self._file)
            finally:  # on a full disk it would be one more every ten seconds
                Path(name).unlink(missing_ok=True)

    def _kept_track(self, track: Track | None) -> Track | None:
        """Return the track with its path in the peer folder, whose name need not be UTF-8; None where the rest of it is not text."""
        if track is None:
            return None
        home = Path(os.path.realpath(self._file.parent.parent))
        path = Path(track.path)
        kept = str(path.relative_to(home)) if path.is_relative_to(home) else track.path
        # Relative, so that a folder that moves keeps its session; JSON has no place for names that are not UTF-8.
        return replace(track, path=kept) if shown(kept) == kept else None


def plain(track: Track | None) -> dict[str, object] | None:
    """Return a track for scripts and pages: without its path."""
    if track is None:
        return None
    fields = asdict(track)
    del fields["path"], fields["stamp"], fields["has_cover"]
    return fields


@contextlib.asynccontextmanager
async def open_listening(folder: Path, library: Library) -> AsyncIterator[ListenService]:
    """Restore the session of the peer in `folder`, and end its tasks when the block is left."""
    listening = ListenService(folder, library)
    await asyncio.to_thread(listening.restore)
    try:
        yield listening
    finally:
        await listening.stop()
