"""The listening session hosted here, on the network: its listeners join a group, controls are messages, and the sound is a stream.

It stands between `services/listen/`, which knows no network, and `net/`, which knows no session. The group decides who joins. The sound
goes to whoever knows the session's id, as on pages, and was not removed from the group.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import BinaryIO, Final

from goop2.net.faults import StreamBrokenError
from goop2.net.host import Host
from goop2.net.stream import Stream
from goop2.peers.payload_crypto import KeyRing
from goop2.peers.server import read_line
from goop2.protocols import encrypted_payload, listen, topics
from goop2.protocols.encrypted_payload import PayloadBox
from goop2.protocols.errors import RemoteProtocolError
from goop2.services.groups.records import GroupChange, Outgoing
from goop2.services.groups.state import GroupState
from goop2.services.listen.boundaries import sound
from goop2.services.listen.pacing import paced
from goop2.services.listen.service import ListenService, State
from goop2.services.listen.session import ListenError, Track

SYNC_SECONDS: Final = 5.0
"""network.md."""
STREAM_SECONDS: Final = 24 * 3600.0
"""A stream lasts a track at most."""
STREAMS_MAX: Final = 64
STREAMS_PER_PEER: Final = 4
"""Being sent sound at a time: a thread's reads and a file each. A player that seeks has two for a moment."""


class HostedSession:
    """Keeps a group in step with the session. `post` sends; nothing here waits for it."""

    def __init__(
        self, listening: ListenService, groups: GroupState, post: Callable[[Iterable[Outgoing]], None], key_ring: KeyRing | None = None
    ) -> None:
        self._listening = listening
        self._groups = groups
        self._post = post
        self._key_ring = key_ring or KeyRing()
        self._told: State | None = None
        self._members: tuple[str, ...] = ()
        self._streams: Counter[str] = Counter()
        self._finding = asyncio.Lock()
        self._ends = (
            listening.subscribe(self._changed),
            listening.serves(lambda: (member for member in self._members if member != groups.own_id)),
            groups.subscribe(self._group_changed),
        )
        self._changed(listening.state())

    def stop(self) -> None:
        """End the session's group; its listeners are told that it is over."""
        for end in self._ends:
            end()
        self._end()

    async def attach(self, host: Host) -> None:
        """Answer requests for the sound on this host."""
        await host.serve(listen.PROTOCOL, self.answer, STREAM_SECONDS)

    async def keep_in_step(self) -> None:
        """Send listeners the position of the session every SYNC_SECONDS, until cancelled."""
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            self.sync()

    def sync(self) -> None:
        """Send the position while the session plays."""
        state = self._listening.state()
        if state is not None and state.playing and state.track is not None:
            # With the track: listeners that have missed its load take it from here.
            self._say(listen.control("sync", _track_payload(state.track), state.position))

    async def answer(self, stream: Stream) -> None:
        """Send the sound from the current position, at the pace it is heard."""
        try:
            group = listen.requested(await read_line(stream, listen.request_reader()))
        except RemoteProtocolError:
            group = None
        if group is None or self._streams.total() >= STREAMS_MAX or self._streams[stream.peer] >= STREAMS_PER_PEER:
            await stream.finish(listen.refusal(listen.BAD_REQUEST))
            return
        self._streams[stream.peer] += 1
        try:
            await self._answer(stream, group)
        finally:
            self._streams[stream.peer] -= 1
            # Adding drops the keys whose count is zero, so peers that left use no memory.
            self._streams += Counter()

    async def _answer(self, stream: Stream, group: str) -> None:
        try:
            followed = self._listening.follow(group)
        except ListenError:
            await stream.finish(listen.refusal(listen.NOT_FOUND))
            return
        if followed is None:
            await stream.finish(listen.refusal(listen.NO_TRACK))
            return
        # The same answer as for a session that does not exist: a removed peer learns nothing more.
        if self._groups.was_removed(group, stream.peer):
            await stream.finish(listen.refusal(listen.NOT_FOUND))
            return
        track, position = followed
        try:
            file = await asyncio.to_thread(self._listening.open, track)
        except ListenError:
            await stream.finish(listen.refusal(listen.NO_TRACK))
            return
        with file:
            await self._send(stream, track, file, lambda: None if self._groups.was_removed(group, stream.peer) else position())

    async def _send(self, stream: Stream, track: Track, file: BinaryIO, position: Callable[[], float | None]) -> None:
        box = self._key_ring.box(stream.peer)
        try:
            # One file at a time: finding the frames of an MP3 reads all of it.
            async with self._finding:
                heard = await asyncio.to_thread(sound, file, track)
        except ListenError:
            await stream.finish(listen.refusal(listen.NO_TRACK))
            return
        async with contextlib.aclosing(paced(heard, position)) as pieces:
            # Before the header: a listener takes its coming for the moment at which the sound begins.
            first = await anext(pieces, None)
            await stream.write(listen.header(track.format, track.bitrate, track.duration, encrypted=box is not None))
            if first is not None:
                await self._send_piece(stream, first, box)
            async for piece in pieces:
                await self._send_piece(stream, piece, box)
        await stream.finish()

    async def _send_piece(self, stream: Stream, piece: bytes, box: PayloadBox | None) -> None:
        try:
            await stream.write(piece if box is None else encrypted_payload.frame(box, piece))
        except StreamBrokenError:
            # It may have left, or have another key by now: nothing on this stream would say so.
            if box is not None:
                self._key_ring.want(stream.peer)
            raise

    def _changed(self, state: State | None) -> None:
        before = self._told
        if state is None or (before is not None and before.id != state.id):
            self._end()
            before = None
        if state is None:
            return
        if before is None:
            self._members = self._groups.host(state.name, listen.APP_TYPE, volatile=True, group=state.id, take_part=True).members
        self._told = state
        for payload in _said(before or replace(state, track=None), state):
            self._say(payload)

    def _end(self) -> None:
        if self._told is None:
            return
        self._say(listen.control("close"))
        self._post(self._groups.close(self._told.id))
        self._told, self._members = None, ()

    def _group_changed(self, change: GroupChange) -> None:
        if self._told is None or change.group.id != self._told.id or change.what != "members":
            return
        before, self._members = self._members, change.group.members
        self._listening.recount()
        state = self._listening.state()
        if state is None or state.track is None:
            return
        topic = topics.group_topic(state.id, "msg")
        for peer in set(self._members) - set(before):
            payloads = _said(replace(state, track=None), state, everything=True)
            # After the welcome, which the group sends when this returns.
            asyncio.get_running_loop().call_soon(self._post, [Outgoing(peer, topic, payload) for payload in payloads])

    def _say(self, payload: bytes) -> None:
        assert self._told is not None
        self._post(self._groups.send(self._groups.own_id, self._told.id, payload))


def _said(before: State, now: State, *, everything: bool = False) -> list[bytes]:
    """Return the controls that lead from one state to another, or all that a new listener must know."""
    said: list[bytes] = []
    if now.track is None:
        return said
    if before.track != now.track:
        said.append(listen.control("load", _track_payload(now.track), now.position))
    if everything or before.playing != now.playing or (said and now.playing):
        said.append(listen.control("play" if now.playing else "pause", position=now.position))
    elif not said:
        said.append(listen.control("seek", position=now.position))
    return said


def _track_payload(track: Track) -> listen.TrackPayload:
    return listen.TrackPayload(track.name, track.duration, track.bitrate, track.format)
