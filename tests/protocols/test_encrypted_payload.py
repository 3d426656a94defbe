"""Payload encryption as it is on the wire, against PyNaCl alone."""

from __future__ import annotations

import base64
import json
from itertools import pairwise

import nacl.utils
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import Box as NaClBox
from nacl.public import PrivateKey

from goop2.protocols import encrypted_payload
from goop2.protocols.encrypted_payload import DecryptionError, EncryptedFrameReader, PayloadBox
from goop2.protocols.errors import RemoteProtocolError

ANN, BOB, EVE = (PrivateKey(bytes([number]) * 32) for number in (1, 2, 3))


def box(own: PrivateKey = ANN, other: PrivateKey = BOB) -> PayloadBox:
    return PayloadBox(bytes(own), bytes(other.public_key))


def theirs(text: bytes, own: PrivateKey = BOB, other: PrivateKey = ANN) -> bytes:
    """What a peer that knows the description and PyNaCl reads."""
    return NaClBox(own, other.public_key).decrypt(base64.b64decode(text, validate=True))


def sent(content: bytes, own: PrivateKey = BOB, other: PrivateKey = ANN) -> bytes:
    """What such a peer writes."""
    return base64.b64encode(NaClBox(own, other.public_key).encrypt(content, nacl.utils.random(24)))


def test_a_box_is_base64_of_nonce_and_box() -> None:
    text = box().seal(b"hello")
    raw = base64.b64decode(text, validate=True)
    assert len(raw) == 24 + 16 + 5
    assert NaClBox(BOB, ANN.public_key).decrypt(raw[24:], raw[:24]) == b"hello"
    assert box().open(sent(b"hello")) == b"hello"


def test_no_two_boxes_are_alike() -> None:
    texts = [box().seal(b"hello") for _ in range(50)]
    assert len({text[:32] for text in texts}) == 50


def test_a_line_is_sealed_without_its_newline() -> None:
    line = encrypted_payload.line(box(), b'{"op":"tables"}\n')
    assert line[:4] == b"ENC:"
    assert line[-1:] == b"\n"
    assert theirs(line[4:-1]) == b'{"op":"tables"}'
    assert encrypted_payload.line(None, b"GET /\n") == b"GET /\n"
    assert encrypted_payload.text_of_line(b"GET /ENC:x") is None
    assert encrypted_payload.text_of_line(b"ENC:abc\r") == b"abc"


def test_a_payload_is_an_object_with_the_box_in_it() -> None:
    payload = json.loads(encrypted_payload.payload(box(), b'{"content":"hi"}'))
    assert list(payload) == ["enc"]
    assert theirs(payload["enc"].encode()) == b'{"content":"hi"}'
    assert encrypted_payload.text_of_payload(b'{"enc": "%s"}' % sent(b"1")) is not None


@pytest.mark.parametrize(
    "payload",
    [b'{"enc":7}', b'{"enc":"QUFB","x":"y"}', b"null", b'"enc"', b'["enc"]', b'{"content":"\\"enc\\""}', b"\xff"],
)
def test_what_has_another_form_is_somebodys_own_payload(payload: bytes) -> None:
    assert encrypted_payload.text_of_payload(payload) is None


def test_a_frame_is_its_boxs_size_and_the_box() -> None:
    frame = encrypted_payload.frame(box(), b"sound")
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4 == encrypted_payload.size_of(5)
    assert theirs(frame[4:]) == b"sound"


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_frames_come_in_any_pieces(size: int) -> None:
    contents = [b"a" * 100, b"", b"c" * 50]
    stream = b"".join(len(text).to_bytes(4, "big") + text for text in map(sent, contents))
    reader = EncryptedFrameReader(box())
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [frame for piece in pieces for frame in reader.receive(piece)] == contents
    reader.end()


def test_a_frame_too_long_is_refused_at_its_size_and_one_cut_off_at_the_end() -> None:
    with pytest.raises(RemoteProtocolError, match="a frame is 2147483648 bytes; the most is"):
        list(EncryptedFrameReader(box()).receive((1 << 31).to_bytes(4, "big")))
    reader = EncryptedFrameReader(box())
    assert list(reader.receive(encrypted_payload.frame(box(), b"x")[:-1])) == []
    with pytest.raises(RemoteProtocolError, match="bytes into a frame"):
        reader.end()


@pytest.mark.parametrize(
    "text",
    [b"", b"AAAA", b"not base64!", sent(b"x", EVE), sent(b"x", EVE, BOB), sent(b"x")[:-4], b"\xff" * 60],
    ids=["empty", "short", "no base64", "of another", "for another", "cut", "no text"],
)
def test_what_is_not_a_box_between_the_two_does_not_open(text: bytes) -> None:
    with pytest.raises(DecryptionError):
        box().open(text)


def test_every_bit_counts() -> None:
    raw = base64.b64decode(sent(b"pay 10"))
    for bit in range(len(raw) * 8):
        tampered = bytearray(raw)
        tampered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DecryptionError):
            box().open_raw(bytes(tampered))


@pytest.mark.parametrize("key", [bytes(32), b"\x01" + bytes(31), b"", bytes(31)])
def test_a_key_with_which_everybody_has_the_same_secret_is_none(key: bytes) -> None:
    with pytest.raises(ValueError, match="no X25519 key"):
        PayloadBox(bytes(ANN), key)


@pytest.mark.parametrize(("text", "known"), [(base64.b64encode(bytes(32)).decode(), True), ("", False), ("AAAA", False), ("ü" * 44, False)])
def test_a_public_key_is_base64_of_32_bytes(text: str, known: bool) -> None:
    assert (encrypted_payload.public_key(text) is not None) == known


@given(st.integers(0, 300))
def test_sizes_are_known_before(size: int) -> None:
    """Invariant: size_of and line_size_of give what seal and line write, to the byte."""
    assert encrypted_payload.size_of(size) == len(box().seal(b"x" * size))
    assert encrypted_payload.line_size_of(size) + 1 == len(encrypted_payload.line(box(), b"x" * size + b"\n"))


@given(st.binary(max_size=200) | st.binary(min_size=40, max_size=120).map(base64.b64encode))
def test_any_bytes_open_or_are_refused(text: bytes) -> None:
    """Invariant: whatever comes where a box should be, it gives NotOpened and nothing else: nobody but the two can make one that opens."""
    with pytest.raises(DecryptionError):
        box().open(text)
    encrypted_payload.text_of_line(text)
    encrypted_payload.text_of_payload(b'{"enc":"' + text + b'"}')
    encrypted_payload.public_key(text.decode("latin-1"))


@given(st.lists(st.binary(max_size=60), max_size=5), st.lists(st.integers(0, 2000), max_size=8), st.binary(max_size=30))
def test_any_stream_gives_the_frames_sealed_for_it_or_a_fault(contents: list[bytes], cuts: list[int], noise: bytes) -> None:
    """Invariant: frames in any pieces give what was sealed, in order; anything after them gives nothing, or RemoteFault."""
    stream = b"".join(encrypted_payload.frame(box(BOB, ANN), content) for content in contents) + noise
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = EncryptedFrameReader(box())
    read: list[bytes] = []
    try:
        for begin, end in pairwise(places):
            read += reader.receive(stream[begin:end])
        reader.end()
    except RemoteProtocolError:
        assert noise
    assert read == contents
