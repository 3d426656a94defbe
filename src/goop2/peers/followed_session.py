"""Follow a listening session of another peer over the network: join its group, apply its controls and fetch its sound.

It is the other side of hosted_session.py, and like it stands between `services/listen/` and `net/`. The form of the host's messages has
been checked before; their text is untrusted.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog

from goop2.net.faults import NetworkError, StreamBrokenError
from goop2.net.host import Host
from goop2.peers.client import PeerClient
from goop2.peers.payload_crypto import KeyRing
from goop2.peers.server import read_line
from goop2.protocols import data, listen
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.services.groups.records import GroupChange
from goop2.services.groups.service import GroupService
from goop2.services.listen.follower import Followed
from goop2.services.listen.service import ListenService
from goop2.services.listen.session import NAME_MAX_CHARS, ListenError, Track

QUIET_SECONDS: Final = 15.0
"""Without a word of the host before it is asked for a sign; it says where it is every 5 s while it plays."""
HEADER_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 15.0
"""Without sound, while it should play: the stream is given up, and the player asks anew."""
OVER_MAX: Final = 256
"""Closed sessions that are remembered: pages of so many sites at most still listen."""
STATE: Final = "listen-state"
"""Data operation of ours: the session that is open, as pages have it, or null. Of other peers' sessions an invitation tells."""
_NULL: Final = b"null"
FORMATS: Final = frozenset(("mp3", "ogg", "opus", "flac", "wav", "aac", "m4a", "webm"))
"""What browsers play. Another peer does not choose what else its bytes are taken for."""


class PlayState(msgspec.Struct, frozen=True):
    """Whether the session plays, and its position when that was asked."""

    playing: bool
    position: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class RemoteSound:
    """The sound of the session from a moment on."""

    format: str
    beginning: Callable[[], float]
    """Seconds into the track where it begins, as far as we know by now."""
    pieces: AsyncIterator[bytes]
    """Ends with the track, and when the host pauses, seeks or loads. Raises `StreamBrokenError`."""


class Offered(msgspec.Struct, frozen=True, omit_defaults=True):
    """A session of another peer that we are not in, as that peer describes it; for its own pages."""

    id: str
    name: str = ""
    listeners: int = 0
    track: listen.TrackPayload | None = None
    play_state: PlayState | None = None


class FollowedSession:
    """Follows the session of at most one other peer."""

    def __init__(self, listening: ListenService, grouping: GroupService, host: Host, client: PeerClient, key_ring: KeyRing) -> None:
        self._listening = listening
        self._following = listening.following
        self._grouping = grouping
        self._host = host
        self._client = client
        self._key_ring = key_ring
        self._place: tuple[str, str] | None = None
        """Host and group, while we are there or have asked."""
        self._word = False
        """Whether the host has said anything lately."""
        self._over: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Sessions that their host has closed: a page that still listens must not join them again."""
        self._log = structlog.get_logger("goop2.services.listen").bind()
        self._ends = (
            grouping.groups.subscribe(self._group_changed),
            self._following.subscribe(self._changed),
            grouping.subscribe_invites(lambda invited: self._opened_again(invited.host, invited.group)),
        )

    def stop(self) -> None:
        """Leave the session, if one is followed."""
        self._following.end()
        for end in self._ends:
            end()

    async def join(self, host: str, group: str) -> None:
        """Listen to that session; do nothing if we already do. Raises `ListenError`: another session is open, or we are not admitted."""
        followed = self._following.followed
        if followed is not None and followed.joined and (followed.host, followed.session.id) == (host, group):
            return
        if not listen.is_session(group):
            raise ListenError(f"{group[:80]!r} is no session's id: listen- and 16 hexadecimal digits")
        if self.is_over(host, group):
            raise ListenError("this session is over: its host has closed it")
        self._listening.follow_elsewhere(host, group)
        # Set before the wait: the host's first messages may come before its `welcome` is handled.
        self._place = (host, group)
        try:
            await self._grouping.join(host, group)
        except BaseException as error:
            self._following.end()
            if isinstance(error, NetworkError):
                raise ListenError(str(error)) from None
            raise

    def is_over(self, host: str, group: str) -> bool:
        """Return whether the host has closed that session, and has not said since that it is open."""
        return (host, group) in self._over

    async def session_of(self, host: str) -> Offered | None:
        """Return the session that is open at a peer, if it reports one. Raises `NetworkError`."""
        answer = await self._client.ask(host, data.DataRequest(STATE))
        if isinstance(answer, data.SuccessAnswer):
            with contextlib.suppress(InvalidJsonError):
                offered = decode(answer.json, Offered) if answer.json != _NULL else None
                if offered is not None:
                    self._opened_again(host, offered.id)
                return offered
        # Other implementations do not have our operation; their sessions are known by their invitations.
        invites = [one for one in self._grouping.invites() if one.host == host and listen.is_session(one.group)]
        invites = [one for one in invites if not self.is_over(host, one.group)]
        return Offered(invites[-1].group, invites[-1].name) if invites else None

    def leave(self) -> None:
        """Leave the session of another peer."""
        self._following.end()

    async def keep_in_touch(self) -> None:
        """Ask a host that has been quiet for a sign of life, so that one that is gone is noticed; until cancelled."""
        while True:
            self._word = False
            await asyncio.sleep(QUIET_SECONDS)
            if self._place is not None and not self._word:
                with contextlib.suppress(NetworkError):
                    self._grouping.ping(*self._place)

    @contextlib.asynccontextmanager
    async def sound(self) -> AsyncIterator[RemoteSound]:
        """Open the sound from the host's current position. Raises `ListenError` when there is none, and `NetworkError`."""
        followed = self._followed()
        async with await self._host.open(followed.host, listen.PROTOCOL) as stream:
            await stream.finish(listen.request(followed.session.id))
            reader = listen.header_reader()
            try:
                answer = listen.answered(await read_line(stream, reader, HEADER_SECONDS))
            except RemoteProtocolError as fault:
                raise StreamBrokenError(f"{followed.host} does not keep to the protocol: {fault}") from None
            except TimeoutError:
                raise StreamBrokenError(f"{followed.host} sends no sound") from None
            if isinstance(answer, listen.SoundRefusal):
                raise ListenError(f"the host gives no sound: {answer.reason[:100]}")
            # The format becomes a content type on our own pages, so a host may not choose it freely.
            if answer.format not in FORMATS:
                raise ListenError(f"the session plays {answer.format}, which no browser is known to play")
            pieces = self._pieces(followed, stream.read, reader.rest())
            plain = self._opened(followed.host, pieces) if answer.encrypted else pieces
            yield RemoteSound(answer.format, self._following.beginning(), plain)

    async def _pieces(self, followed: Followed, read: Callable[[float], Awaitable[bytes]], first: bytes) -> AsyncIterator[bytes]:
        if first:
            yield first
        # A seek or another track begins a new run; bytes of the old one would be played at the wrong place.
        while self._goes_on(followed) and (piece := await read(SILENCE_SECONDS)):
            yield piece

    async def _opened(self, host: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the sound from the host's encrypted frames."""
        try:
            frames = self._key_ring.frames(host)
            async for piece in pieces:
                for frame in frames.receive(piece):
                    yield frame
        except RemoteProtocolError as fault:
            # The host may have restarted with another key; ask for it, so that the next stream can be read.
            self._key_ring.want(host)
            raise StreamBrokenError(f"{host} does not keep to the protocol: {fault}") from None

    def _goes_on(self, followed: Followed) -> bool:
        now = self._following.followed
        return now is not None and (now.host, now.session.id, now.run) == (followed.host, followed.session.id, followed.run)

    def _followed(self) -> Followed:
        followed = self._following.followed
        if followed is None or not followed.joined:
            raise ListenError("this peer is in no session of another peer")
        if followed.session.track is None:
            raise ListenError("nothing is loaded in the session")
        return followed

    # What the host says.

    def _group_changed(self, change: GroupChange) -> None:
        if self._place is None or (change.group.host, change.group.id) != self._place:
            return
        self._word = True
        if change.what in ("joined", "members", "meta"):
            self._following.let_in(change.group.name[:NAME_MAX_CHARS], max(0, len(change.group.members) - 1))
        elif change.what == "msg":
            self._heard(change.payload)
        elif change.what in ("refused", "ended"):
            place, self._place = self._place, None
            if change.what == "ended" and change.sender:
                self._closed(place)
            self._following.end()

    def _heard(self, payload: bytes) -> None:
        try:
            said = listen.controlled(payload)
        except RemoteProtocolError as fault:
            self._log.info("a session host sent an invalid control", why=str(fault))
            return
        if said is not None and said.action == "close" and self._place is not None:
            self._closed(self._place)
        if said is not None:
            self._following.heard(said.action, _track(said.track), said.position)

    def _closed(self, place: tuple[str, str]) -> None:
        self._over[place] = None
        if len(self._over) > OVER_MAX:
            self._over.popitem(last=False)

    def _opened_again(self, host: str, group: str) -> None:
        """Note that the host says the session is open: one of ours goes on with it after a restart."""
        self._over.pop((host, group), None)

    def _changed(self, followed: Followed | None) -> None:
        """Leave the group when the session is over; if the group did not tell us so, it does not know."""
        if followed is None and self._place is not None:
            place, self._place = self._place, None
            with contextlib.suppress(NetworkError):
                self._grouping.leave(*place)


def _track(said: listen.TrackPayload | None) -> Track | None:
    return (
        None
        if said is None
        else Track(name=said.name[: 3 * NAME_MAX_CHARS], duration=said.duration, bitrate=said.bitrate, format=said.format[:NAME_MAX_CHARS])
    )
