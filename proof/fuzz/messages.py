"""Targets: what peers, servers, machines and workers say, once the connection carries it."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import msgspec

from goop2.cluster import messages as far
from goop2.net.faults import AddressError
from goop2.protocols import (
    avatar,
    calls,
    content,
    data_answers,
    diagnosis,
    encrypted_payload,
    event_stream,
    keys,
    listen,
    mq,
    presence,
    rooms,
    shared_files,
    site,
    tolerant_json,
    topics,
    untrusted_json,
)
from goop2.protocols import data as data_protocol
from goop2.protocols.errors import LocalProtocolError, RemoteProtocolError
from goop2.rendezvous.registry import AnnouncementRateError, Registry, RegistryFullError
from goop2.sandbox.framing import MessageFrameReader, WorkerProtocolError, frame, from_worker
from goop2.sandbox.messages import FromWorker, Log
from goop2.services.groups.records import GroupInfo
from goop2.services.groups.state import GroupState
from goop2.services.listen import flac, mpeg, ogg, wav
from goop2.services.rooms.errors import RoomFloodError
from goop2.services.rooms.state import Room
from proof.fuzz.target import Choices, in_pieces, target
from proof.fuzz.wire import ADDRESS, PEER

MEMBER: Final = "12D3KooWMember"
BOX: Final = encrypted_payload.PayloadBox(
    bytes(range(32)), bytes.fromhex("358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254")
)
_HALF: Final = b'{"a": "\\ud800", "b": [1, {"c": null}], "d": 1e400, "e": "\\u00e4"}'


@target(untrusted_json.InvalidJsonError, seeds=(_HALF, b'{"a":' * 9 + b"1" + b"}" * 9, b'[1,2.5,"x",null,true]', b"[" * 300))
def untrusted_json_text(data: bytes) -> None:
    """JSON of others: what is accepted reads the same with Python's parser"""
    whole = tolerant_json.without_halves(data)
    tolerant = _or_none(lambda: tolerant_json.decode(data, dict[str, Any], absent=True))
    assert tolerant is None or isinstance(tolerant, dict)
    value: object = untrusted_json.decode(whole)
    mark = whole.removeprefix(b"\xef\xbb\xbf")
    assert _same(value, json.loads(mark)), "another value than json.loads gives"
    assert untrusted_json.doubled_key(json.loads(mark, object_pairs_hook=untrusted_json.with_doubled_keys)) is not None


def _same(one: object, other: object) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _or_none(read: Callable[[], object]) -> object:
    with contextlib.suppress(untrusted_json.InvalidJsonError, RemoteProtocolError):
        return read()
    return None


_ONLINE: Final = presence.Presence(type="online", peer_id=PEER, label="Ann", addrs=(ADDRESS,), ts=1)


@target(
    RemoteProtocolError, AddressError, seeds=(presence.write(_ONLINE), b'{"type":"punch","peerId":"x","target":"y"}', b'{"type":"online"}')
)
def presence_message(data: bytes) -> None:
    """Announcements of peers, and a rendezvous server that takes them"""
    said = presence.read(data)
    assert presence.read(presence.write(said)) == said
    registry = Registry(clock=lambda: 0.0)
    with contextlib.suppress(AnnouncementRateError, RegistryFullError):
        registry.admit("192.0.2.1")
        handed_on = registry.post("192.0.2.1", said)
        assert handed_on is None or not handed_on.verified
    assert len(registry.present()) <= 1


@target(RemoteProtocolError, seeds=(b"id: 4f-1\ndata: {}\n\n", b"\xef\xbb\xbfdata: a\ndata: b\r\n\r\n: c\nid: \xc3\xa4\n\n"))
def event_stream_bytes(data: bytes) -> None:
    """Server-sent events of a rendezvous server, in pieces and whole; the id goes into a header"""
    whole, pieces = event_stream.ServerSentEventReader(), event_stream.ServerSentEventReader()
    assert list(whole.receive(data)) == [event for piece in in_pieces(data) for event in pieces.receive(piece)]
    assert whole.last_id == pieces.last_id
    assert whole.last_id.isascii()
    assert not whole.last_id or whole.last_id.isprintable()


_TOPICS: Final = ("chat", "chat.ack", "chat.broadcast", "identity", "identity.response", "group.invite", "x", "listen:g:state", "call:x")
_GROUP_TYPES: Final = ("join", "welcome", "members", "meta", "msg", "state", "leave", "close", "error", "ping", "pong", "")
_MESSAGE: Final = mq.Message("i", 1, "chat", msgspec.Raw(b'{"content":"x"}'))


@target(
    RemoteProtocolError,
    mq.MessageRefusedError,
    seeds=(mq.send(_MESSAGE).rstrip(), mq.send_ack(_MESSAGE).rstrip(), b'{"type":"msg","id":"1"}'),
)
def message_queue(data: bytes) -> None:
    """Direct messages, acknowledgements and refusals"""
    try:
        ack = mq.ack(data, _MESSAGE)
        assert ack.id == _MESSAGE.id
    except (RemoteProtocolError, mq.MessageRefusedError):
        pass
    message = mq.message(data)
    assert mq.message(mq.send(message).removesuffix(b"\n")) == message
    topics.read(message.topic, bytes(message.payload))


_WELCOME: Final = b'\x02\x00\x01{"type":"welcome","group":"g","payload":{"group_name":"n","members":[{"peer_id":"a","role":"viewer"}]}}'


@target(
    RemoteProtocolError, seeds=(b'\x00{"content":"x","timestamp":1}', b'\x05{"group_id":"g","group_name":"n"}', b"\x20\x01{}", _WELCOME)
)
def topics_and_groups(data: bytes) -> None:
    """Payloads by topic, and a host and a member of groups that take them: the lists stay within their bounds"""
    choices = Choices(data)
    chosen = choices.number(40)
    topic = _TOPICS[chosen] if chosen < len(_TOPICS) else topics.group_topic(choices.pick(("g", "other", "")), choices.pick(_GROUP_TYPES))
    payload = choices.rest()
    calls.offer(topic, payload)
    event = topics.read(topic, payload)
    if isinstance(event, topics.Group):
        state = _groups()
        for sender in (MEMBER, "host", "stranger"):
            for sent in state.received(sender, event):
                assert isinstance(topics.read(sent.topic, sent.payload), topics.Group)
        assert all(len(group.members) <= 1000 for group in (*state.hosted(), *state.joined()))


def _groups() -> GroupState:
    state = GroupState(PEER, lambda: 1_700_000_000_000)
    state.host("Ours", "chat", group="g", take_part=True)
    state.join("host", "other")
    joined = topics.read("group:g:join", b'{"type":"join","group":"g"}')
    assert isinstance(joined, topics.Group)
    state.received(MEMBER, joined)
    return state


_ROOM: Final = GroupInfo(id="g", host=PEER, name="n", kind="chat", members=(PEER, MEMBER))


@target(
    RemoteProtocolError, RoomFloodError, seeds=(b'\x00{"action":"msg","message":{"id":"1","from":"m","text":"x","timestamp":1}}', b"\x01{}")
)
def room(data: bytes) -> None:
    """Messages in chat rooms, taken by a host and by a member"""
    choices = Choices(data)
    topic = rooms.topic("g", choices.pick(sorted(rooms.ACTIONS)))
    told = rooms.read(topic, choices.rest())
    assert told is not None
    for own in (PEER, MEMBER):
        here = Room(group=_ROOM)
        for sender in (MEMBER, PEER, "stranger"):
            message, outgoing = here.take(sender, own, told[1], 1_700_000_000_000)
            assert message is None or sender in (MEMBER, PEER)
            assert message is None or sender == PEER or message.sender == MEMBER
            assert all(rooms.read(sent.topic, sent.payload) is not None for sent in outgoing)


_SITE_SEEDS: Final = (
    b"OK text/html 5\nhello",
    b"ERR gone\n",
    b"EOK text/html 400\n\0\0\0\1a",
    b"GET /index.html",
    b"OK  9999999999999999999\n",
)


@target(RemoteProtocolError, seeds=_SITE_SEEDS)
def site_answer(data: bytes) -> None:
    """Files of a site: the request, and the answer in pieces and whole"""
    path = site.requested(data)
    assert path is None or path.startswith("/")
    whole, cut = site.AnswerReader(), site.AnswerReader()
    events = whole.receive(data)
    pieces = [event for piece in in_pieces(data) for event in cut.receive(piece)]
    assert _bodies(events) == _bodies(pieces)
    assert whole.done == cut.done
    whole.end()


def _bodies(events: list[site.Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, site.BodyChunk))


@target(
    RemoteProtocolError,
    LocalProtocolError,
    seeds=(b'{"op":"query","table":"t","where":"a = 1"}', b'{"ok":true,"data":[]}', b'{"ok":false,"error":"x","code":"y"}'),
)
def data_protocol_line(data: bytes) -> None:
    """Requests for data and their answers, of the newest peers and of older ones"""
    try:
        asked = data_protocol.requested(data)
        assert data_protocol.requested(data_protocol.request(asked).removesuffix(b"\n")) == asked
    except RemoteProtocolError:
        pass
    for operation in ("query", "describe", "insert", "role", "tables"):
        _or_none(lambda operation=operation: data_answers.newest(operation, data))  # type: ignore[misc]
    data_protocol.answered(data)


_LINES: Final[tuple[Callable[[bytes], object], ...]] = (
    keys.identity,
    avatar.header,
    avatar.picture_of,
    content.label,
    listen.requested,
    listen.answered,
    listen.controlled,
    shared_files.requested,
    shared_files.listed,
    shared_files.piece,
)


@target(
    RemoteProtocolError,
    seeds=(
        b'{"peerId":"a","publicKey":"b","encryptionSupported":true}',
        b'{"op":"get","group_id":"g","file":"a.txt","offset":0,"length":9}',
        b'{"ok":true,"files":[{"name":"a","size":1,"hash":"sha256:00"}]}',
        b'{"ok":true,"mime":"text/plain","size":9}',
        listen.header("mp3", 128, 9.5).rstrip(),
        listen.control("play", None, 1.5),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1",
        b"OK image/png 5 abc",
    ),
)
def one_line(data: bytes) -> None:
    """The one-line protocols: keys, avatars, names, listening, shared files; names of files that are accepted stay in their folder"""
    for read in _LINES:
        try:
            said = read(data)
        except RemoteProtocolError:
            continue
        if isinstance(said, shared_files.FileRequest) and said.file:
            assert "/" not in said.file
            assert said.file not in (".", "..")


@target(
    RemoteProtocolError,
    seeds=(b"\0" + encrypted_payload.frame(BOX, b"hello"), b"\1" + encrypted_payload.payload(BOX, b"{}"), b"\2" + BOX.seal(b"x")),
)
def payload_keys(data: bytes) -> None:
    """Encrypted payloads, lines and frames: what opens was sealed with the key"""
    encrypted_payload.public_key(data.decode("latin-1"))
    encrypted_payload.text_of_line(data)
    text = encrypted_payload.text_of_payload(data[1:])
    choices = Choices(data)
    if choices.number(2):
        assert BOX.open(text if text is not None else choices.rest()) in (b"{}", b"x", b"hello")
    reader = encrypted_payload.EncryptedFrameReader(BOX)
    for piece in in_pieces(choices.rest()):
        for opened in reader.receive(piece):
            assert opened in (b"hello", b"x", b"{}")
    reader.end()


_BEAT: Final = far.Beat(1, "0.2", ("luajit",), bytes(8), 2, "host")


_NO_MESSAGE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What those who decode take for a breach (cluster/node.py, cluster/far_runner.py)."""


@target(
    *_NO_MESSAGE,
    seeds=(far.encode(far.Cancel(1)), far.encode(_BEAT), far.encode(far.Ended("ok", b"1", 1, 1.0)), far.encode(far.Logged("info", "x"))),
)
def cluster(data: bytes) -> None:
    """Messages between machines over NATS, and their subjects"""
    node, what, call = far.places(data.decode("latin-1"))
    assert (what == "call") == (call is not None)
    assert node or not what or "." in data.decode("latin-1")
    for decoder in (far.to_node, far.of_call, far.beat):
        with contextlib.suppress(*_NO_MESSAGE):
            message: Any = decoder.decode(data)
            assert decoder.decode(far.encode(message)) == message


@target(WorkerProtocolError, seeds=(frame(Log("info", "x")), frame(Log("info", "x")) * 3, b"\xff\xff\xff\xff"))
def worker(data: bytes) -> None:
    """Messages of a worker, which a script may have taken over, in pieces and whole"""
    whole: MessageFrameReader[FromWorker] = from_worker()
    cut: MessageFrameReader[FromWorker] = from_worker()
    messages = whole.feed(data)
    assert messages == [each for piece in in_pieces(data) for each in cut.feed(piece)]


@cache
def _sounds() -> tuple[Callable[[bytes], object], ...]:
    return (
        lambda data: mpeg.scan(io.BytesIO(data)),
        lambda data: list(mpeg.frames(io.BytesIO(data))),
        lambda data: ogg.codec(data),
        lambda data: ogg.duration(io.BytesIO(data)),
        lambda data: ogg.is_chained(io.BytesIO(data)),
        lambda data: flac.duration(io.BytesIO(data)),
        lambda data: flac.next_start(data, 0, flac.layout(io.BytesIO(data))),
        lambda data: wav.layout(io.BytesIO(data)).duration,
    )


@target(
    seeds=(
        b"ID3\x03\0\0\0\0\0\x0a" + bytes(10) + b"\xff\xfb\x90\x00" + bytes(413) + b"\xff\xfb\x90\x00" + bytes(413),
        b"OggS\0\2" + bytes(20) + b"\1\x1e\1vorbis" + bytes(23) + b"OggS\0\4" + b"\1" * 21 + b"\1\1x",
        b"fLaC\x80\0\0\x22" + b"\x10\0\x10\0" + bytes(30) + b"\xff\xf8\xc9\x18\0\xc2",
        b"RIFF\x30\0\0\0WAVEfmt \x10\0\0\0\1\0\2\0\x44\xac\0\0\x10\xb1\2\0\4\0\x10\0data\4\0\0\0abcd",
    )
)
def sound_file(data: bytes) -> None:
    """Starts and frames of sound files: mp3, Ogg, FLAC, WAV"""
    for read in _sounds():
        with contextlib.suppress(ValueError, EOFError, mpeg.NoMpegFramesError):
            read(data)


@target(msgspec.MsgspecError, seeds=(b'{"relay":{"addr":"x"}}', b"{}"))
def diagnosis_answer(data: bytes) -> None:
    """Diagnosis and relay refresh, as another peer answers them"""
    for type_ in (diagnosis.DiagnosisAnswer, diagnosis.RefreshAnswer):
        with contextlib.suppress(untrusted_json.InvalidJsonError, RemoteProtocolError):
            answer: Any = untrusted_json.decode(data, type_)
            diagnosis.line(answer)
