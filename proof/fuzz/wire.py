"""Targets: the frames and messages of the connection itself, before anything of a peer's meaning is read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from functools import cache
from typing import Final, cast

from goop2.folder.identity import Identity, _peer_id, _public_key
from goop2.net import address, frames, negotiation
from goop2.net.admission import Admission
from goop2.net.connection import Connection
from goop2.net.faults import AddressError
from goop2.net.gossip import messages, rpc
from goop2.net.limits import HostLimits
from goop2.net.muxer import MuxedStream, MuxedStreamError, Muxer
from goop2.net.noise_handshake import HandshakeKeys, SecureHandshake
from goop2.protocols import autonat, base58, circuit, dcutr, identify, multiaddr, peer_ids, protobuf
from goop2.protocols.errors import RemoteProtocolError
from proof.fuzz.target import Choices, in_pieces, target

SEED: Final = bytes(range(32))
OTHER_SEED: Final = bytes(range(1, 33))
PEER: Final = _peer_id(_public_key(SEED))
PEER_BYTES: Final = peer_ids.to_bytes(PEER)
ADDRESS: Final = "/ip4/192.0.2.7/tcp/4001"
TOPIC: Final = "/goop2/presence"


@target(RemoteProtocolError, seeds=(b"\x01", b"\xff\x7f", b"\xff" * 9 + b"\x01", b"\x80" * 12))
def varint(data: bytes) -> None:
    """Numbers of Protocol Buffers and multistream"""
    value, at = protobuf.read_varint(data)
    assert 0 < at <= len(data)
    assert protobuf.read_varint(protobuf.varint(value)) == (value, len(protobuf.varint(value)))


@target(RemoteProtocolError, seeds=(b"\x08\x01\x12\x02hi", b"\x15abcd\x19abcdefgh", b"\x03abc"))
def protobuf_message(data: bytes) -> None:
    """Protocol Buffers: fields, and messages with their size, in pieces and whole"""
    whole, pieces = protobuf.DelimitedReader("it", 64), protobuf.DelimitedReader("it", 64)
    assert _told(lambda: whole.receive(data)) == _told(lambda: [each for piece in in_pieces(data) for each in pieces.receive(piece)])
    fields = protobuf.parse("it", data, {1: protobuf.NUMBER, 2: protobuf.CONTENT}, 16)
    assert len(fields.numbers(1)) + len(fields.contents(2)) <= 16
    assert sum(map(len, fields.contents(2))) <= len(data)


class _Talk:
    """A stream on which everything has come already."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.written = b""

    @property
    def waiting(self) -> bytes:
        return self.data

    async def read(self, size: int) -> bytes:
        if not self.data:
            raise EOFError
        part, self.data = self.data[:size], self.data[size:]
        return part

    async def write(self, data: bytes) -> None:
        self.written += data


def _at_once(work: Coroutine[object, None, object]) -> object:
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waits, though everything is there")


@target(
    RemoteProtocolError, EOFError, seeds=(negotiation.proposal("/a/1"), negotiation.proposal("/b") + negotiation.message("/a/1") + b"x")
)
def multistream(data: bytes) -> None:
    """Multistream-select, as the side that accepts and as the one that chooses"""
    accepting = _Talk(data)
    try:
        wanted = _at_once(negotiation.accept(accepting, {"/a/1"}))
        assert cast("tuple[str, bytes]", wanted)[0] == "/a/1"
    finally:
        assert len(accepting.written) <= (negotiation.TRIES_MAX + 2) * 32
        assert _at_once(negotiation.choose(_Talk(data), ["/a/1", "/b"])) in ("/a/1", "/b", None)


@target(RemoteProtocolError, seeds=(frames.write(0, 1, 1, 0, b"hello"), frames.write(1, 1, 1, 5), frames.write(2, 1, 0, 7) * 3))
def yamux_frames(data: bytes) -> None:
    """Yamux frames, in pieces and whole"""
    whole = frames.MuxerFrameReader(1024)
    cut = frames.MuxerFrameReader(1024)
    both = [_told(lambda: whole.receive(data)), _told(lambda: [each for piece in in_pieces(data) for each in cut.receive(piece)])]
    contents = [b"".join(frame.data for frame in cast("list[frames.MuxerFrame]", each)) for each in both if isinstance(each, list)]
    assert len(contents) != 1, "the pieces make a difference"
    assert not contents or contents[0] == contents[1]


class _NoCarrier:
    def wake(self) -> None:
        pass

    def finish(self) -> bool:
        return False

    def end(self) -> None:
        pass


@cache
def _loop() -> asyncio.Runner:
    return asyncio.Runner()


@target(RemoteProtocolError, EOFError, seeds=(frames.write(1, 1, 1, 0) + frames.write(0, 0, 1, 0, b"hello") + frames.write(0, 4, 1),))
def yamux(data: bytes) -> None:
    """A whole multiplexer: streams opened, filled, read, reset and ended; its memory is free again afterwards"""

    async def work() -> None:
        admission = Admission(HostLimits(), asyncio.get_running_loop().time)
        streams: list[MuxedStream] = []
        muxer = Muxer(PEER, _NoCarrier(), admission, opened_by_us=False, accept=streams.append, ended=lambda: None)
        Connection(muxer, remote="")
        try:
            for piece in in_pieces(data):
                muxer.receive(piece)
                for stream in streams:
                    with contextlib.suppress(MuxedStreamError):
                        if stream.readable:
                            stream.read_now(7)
                muxer.outgoing()
                muxer.sent()
        finally:
            muxer.end()
            for stream in streams:
                stream.drop()
            assert not muxer.streams, "a stream is left"
            assert admission.memory.held == 0, "memory is not free again"

    _loop().run(work())


@cache
def _keys(seed: bytes) -> HandshakeKeys:
    return HandshakeKeys(Identity(_peer_id(_public_key(seed)), seed))


@target(RemoteProtocolError, seeds=(b"\x00\x20" + bytes(32), b"\x01\x00\x03\x01\xff", b"\x00" * 64))
def noise(data: bytes) -> None:
    """The Noise handshake: any bytes, and one of the right messages with some bytes changed; nobody is proved by it"""
    choices = Choices(data)
    initiator, responder = SecureHandshake(_keys(SEED), is_initiator=True), SecureHandshake(_keys(OTHER_SEED), is_initiator=False)
    changed = choices.number(3)
    message = initiator.begin()
    for turn, side in enumerate((responder, initiator, responder)):
        if turn == changed:
            message = _bent(message, choices)
        message = side.receive(message)
    if not responder.is_done:
        return
    for piece in (packets := responder.packets()).receive(_bent(initiator.packets().send(b"hello"), choices)):
        assert piece == b"hello"
    packets.receive(choices.rest())


def _bent(message: bytes, choices: Choices) -> bytes:
    while choices.number(1):
        at = choices.number(255) % (len(message) + 1)
        message = message[:at] + choices.piece(8) + message[at + choices.number(8) :]
    return message


@target(RemoteProtocolError, seeds=(identify.write(_public_key(SEED), identify.Identified("a", frozenset(("/x",)), (ADDRESS,), ADDRESS)),))
def identify_message(data: bytes) -> None:
    """Identify"""
    said = identify.read(data, PEER)
    identify.write(_public_key(SEED), said)


@target(ValueError, RemoteProtocolError, seeds=(PEER.encode(), PEER_BYTES, peer_ids.key_message(_public_key(SEED)), b"z1QmX"))
def peer_id(data: bytes) -> None:
    """Ids of peers and keys: base58, multihashes, CIDs; the way back gives the same"""
    assert base58.decode(base58.encode(data)) == data
    text = data.decode("utf-8", "replace")
    for read in (_of_bytes, _of_key_message):
        with contextlib.suppress(ValueError, RemoteProtocolError):
            assert peer_ids.to_bytes(read(data)) is not None
    with contextlib.suppress(AddressError):
        assert address.typed_id(address.typed_id(text)) == address.typed_id(text)
    assert peer_ids.from_bytes(peer_ids.to_bytes(text)) == text


def _of_bytes(data: bytes) -> str:
    return peer_ids.from_bytes(data)


def _of_key_message(data: bytes) -> str:
    return peer_ids.peer_of(peer_ids.read_key_message(data))


_ADDRESSES: Final = (
    ADDRESS,
    f"{ADDRESS}/p2p/{PEER}",
    f"{ADDRESS}/p2p/{PEER}/p2p-circuit/p2p/{PEER}",
    "/ip6/fe80::1/tcp/1",
    "/dns4/ä.de/tcp/1",
)


@target(multiaddr.MultiaddrError, AddressError, seeds=(*map(str.encode, _ADDRESSES), *map(multiaddr.to_bytes, _ADDRESSES[:4])))
def multiaddress(data: bytes) -> None:
    """Addresses, as bytes and as text; the way back gives the same"""
    try:
        text = multiaddr.from_bytes(data)
        assert multiaddr.from_bytes(multiaddr.to_bytes(text)) == text
    except multiaddr.MultiaddrError:
        pass
    text = data.decode("utf-8", "replace")
    try:
        assert multiaddr.join(multiaddr.parse(multiaddr.join(multiaddr.parse(text)))) == multiaddr.join(multiaddr.parse(text))
        assert multiaddr.from_bytes(multiaddr.to_bytes(text)) == multiaddr.join(multiaddr.parse(text))
    except multiaddr.MultiaddrError:
        pass
    parsed = address.parse(text)
    assert address.parse(f"{parsed.transport}/p2p/{parsed.peer}") == parsed


_CIRCUIT_READERS: Final = (circuit.hop_asked, circuit.reserved, circuit.connected, circuit.brought, circuit.taken)


@target(
    RemoteProtocolError, seeds=(circuit.connect(PEER_BYTES)[1:], circuit.give_place(9, [ADDRESS])[1:], circuit.bring(PEER_BYTES, 1, 2)[1:])
)
def relay(data: bytes) -> None:
    """Messages of the relay protocol, hop and stop"""
    reader = circuit.MessageReader()
    _told(lambda: [reader.receive(piece) for piece in in_pieces(data)])
    for read in _CIRCUIT_READERS:
        _told(lambda read=read: read(data))


_NAT_READERS: Final = (
    autonat.read_dial_request,
    autonat.read_dial_response,
    autonat.read_dial_back,
    autonat.read_v1_dial,
    autonat.read_v1_response,
)


@target(
    RemoteProtocolError,
    seeds=(autonat.dial_request([ADDRESS], 7)[1:], autonat.v1_dial(PEER_BYTES, [ADDRESS])[1:], dcutr.connect([ADDRESS])[1:]),
)
def hole_punching(data: bytes) -> None:
    """Hole punching (DCUtR) and AutoNAT, both versions"""
    for read in (*_NAT_READERS, autonat.read_dial_back_response, dcutr.read_connect, dcutr.read_sync):
        _told(lambda read=read: read(data))


_SIGNED: Final = messages.sign(SEED, b"hello", 1, TOPIC)


@target(
    RemoteProtocolError,
    seeds=(
        rpc.write_messages([_SIGNED.write()])[2:],
        rpc.write_control(rpc.Control((_SIGNED.id,), (_SIGNED.id,), True, 3), TOPIC)[2:],
        rpc.write_subscription(TOPIC)[1:],
    ),
)
def gossip(data: bytes) -> None:
    """GossipSub: RPCs, control, messages; none is authentic that its author did not sign"""
    read = rpc.read_rpc(data)
    assert len(read.messages) + len(read.subscriptions) <= 64 + len(data) // 16
    control = rpc.read_control(read.control, TOPIC)
    for id_ in (*control.ihave, *control.iwant):
        if messages.can_be_id(id_):
            messages.name_of_id(id_)
    for each in read.messages:
        message = messages.read_message(each)
        if message is not None and message.is_authentic():
            assert (message.data, message.topic, message.seqno) == (_SIGNED.data, _SIGNED.topic, _SIGNED.seqno)


def _told(read: object) -> object:
    """Return what reading gives, or the refusal."""
    try:
        return read()  # type: ignore[operator]
    except RemoteProtocolError as error:
        return type(error)
