"""Relay messages: as the specification writes them, byte by byte, and who is to blame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.protocols import circuit
from goop2.protocols.circuit import Connect, MessageReader, RelayRefusedError, Reserve
from goop2.protocols.errors import RemoteProtocolError

PEER = b"\x00\x24\x08\x01\x12\x20" + bytes(range(32))
ADDRESS = "/ip4/192.0.2.9/tcp/4001"


def whole(sent: bytes, size: int = 1) -> bytes:
    reader = MessageReader()
    for at in range(0, len(sent), size):
        message = reader.receive(sent[at : at + size])
        if message is not None:
            return message
    raise AssertionError


def test_messages_are_what_the_specification_says() -> None:
    assert circuit.reserve() == b"\x02\x08\x00"
    assert circuit.connect(PEER) == b"\x2c\x08\x01\x12\x28\x0a\x26" + PEER
    assert circuit.hop_refusal(circuit.NO_RESERVATION) == b"\x05\x08\x02\x28\xcc\x01"
    assert circuit.take() == b"\x04\x08\x01\x20\x64"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_both_sides_read_what_the_other_writes(size: int) -> None:
    assert circuit.hop_asked(whole(circuit.reserve(), size)) == Reserve()
    assert circuit.hop_asked(whole(circuit.connect(PEER), size)) == Connect(PEER)
    assert circuit.reserved(whole(circuit.give_place(2_000_000_000, [ADDRESS]), size)) == 2_000_000_000
    circuit.connected(whole(circuit.give_circuit(60, 1000), size))
    assert circuit.brought(whole(circuit.bring(PEER, 60, 1000), size)) == Connect(PEER)
    circuit.taken(whole(circuit.take(), size))


@pytest.mark.parametrize("status", [circuit.REFUSED, circuit.LIMIT, circuit.NO_RESERVATION, 0, 77])
def test_a_no_is_a_refusal_with_its_number(status: int) -> None:
    for read in (circuit.reserved, circuit.connected):
        with pytest.raises(RelayRefusedError) as refused:
            read(whole(circuit.hop_refusal(status)))
        assert refused.value.status == status
    with pytest.raises(RelayRefusedError):
        circuit.taken(whole(circuit.take(status)))


@pytest.mark.parametrize(
    ("read", "sent"),
    [
        (circuit.reserved, circuit.give_circuit(1, 1)),
        (circuit.reserved, circuit.reserve()),
        (circuit.connected, circuit.connect(PEER)),
        (circuit.hop_asked, circuit.hop_refusal(circuit.OK)),
        (circuit.hop_asked, circuit.connect(b"")),
        (circuit.hop_asked, circuit.connect(b"x" * 65)),
        (circuit.brought, circuit.take()),
        (circuit.taken, circuit.bring(PEER, 1, 1)),
    ],
    ids=["no reservation", "no status", "no answer", "nothing asked", "no peer", "a long peer", "nothing brought", "nothing taken"],
)
def test_what_is_another_message_is_the_other_sides_fault(read: object, sent: bytes) -> None:
    assert callable(read)
    with pytest.raises(RemoteProtocolError):
        read(whole(sent))


def test_what_comes_after_a_message_is_kept() -> None:
    reader = MessageReader()
    assert reader.receive(circuit.give_circuit(1, 1) + b"noise") is not None
    assert reader.rest() == b"noise"


@pytest.mark.parametrize(("sent", "why"), [(b"\xff\xff\xff", "has no size"), (b"\x81\x20", "4097 bytes; the most is 4096")])
def test_a_size_nobody_sends_is_refused_at_once(sent: bytes, why: str) -> None:
    with pytest.raises(RemoteProtocolError, match=why):
        MessageReader().receive(sent)


def test_a_message_that_ends_early_is_said_so() -> None:
    reader = MessageReader()
    assert reader.receive(b"\x05\x08") is None
    with pytest.raises(RemoteProtocolError, match="ended after 2 bytes"):
        reader.end()


@given(st.binary(max_size=120), st.sampled_from([circuit.hop_asked, circuit.reserved, circuit.connected, circuit.brought, circuit.taken]))
def test_any_bytes_are_a_message_or_a_fault(sent: bytes, read: object) -> None:
    """Invariant: any bytes give what a message says within its bounds, or RemoteFault, and nothing else."""
    assert callable(read)
    try:
        found = read(sent)
    except RemoteProtocolError:
        return
    if isinstance(found, Connect):
        assert 0 < len(found.peer) <= circuit.ID_MAX_BYTES


@given(st.binary(max_size=300), st.integers(1, 7))
def test_any_stream_gives_one_message_whatever_the_pieces(sent: bytes, size: int) -> None:
    """Invariant: the pieces a stream comes in change neither the message nor the fault, and no more than a message is held."""

    def read(step: int) -> tuple[str, bytes]:
        reader = MessageReader()
        try:
            for at in range(0, len(sent), step):
                message = reader.receive(sent[at : at + step])
                if message is not None:
                    return "message", message
        except RemoteProtocolError as fault:
            return "fault", str(fault).encode()
        return "more", b""

    assert read(size) == read(1000)
