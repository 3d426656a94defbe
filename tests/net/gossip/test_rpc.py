"""What neighbours send each other, to and from bytes; whatever comes, reading ends and is worth its bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.net.gossip.authors import TOPIC
from tests.protocols.nearly import nearly

from goop2.net.gossip.rpc import (
    CONTROL,
    PUBLISH,
    SUBSCRIPTIONS,
    Control,
    Rpc,
    read_control,
    read_rpc,
    write_control,
    write_messages,
    write_subscription,
)
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.protobuf import content, number, read_varint

ALL = Control((b"one", b"two"), (b"three",), graft=True, prune=60)
IDS = st.lists(st.binary(max_size=50), max_size=4).map(tuple)
CONTROLS = st.builds(Control, IDS, IDS, st.booleans(), st.none() | st.integers(0, 2**64 - 1))


def bare(frame: bytes) -> bytes:
    """Without its size."""
    size, at = read_varint(frame)
    assert size == len(frame) - at
    return frame[at:]


def control_of(frame: bytes) -> bytes:
    return read_rpc(bare(frame)).control


def test_a_subscription_is_read_as_it_was_written() -> None:
    assert read_rpc(bare(write_subscription(TOPIC))) == Rpc(((TOPIC, True),))
    assert read_rpc(bare(write_subscription(TOPIC, False))) == Rpc(((TOPIC, False),))


def test_messages_are_handed_over_in_their_order_and_unread() -> None:
    assert read_rpc(bare(write_messages((b"one", b"\xff")))) == Rpc(messages=(b"one", b"\xff"))


def test_a_subscription_is_written_as_go_and_js_write_it() -> None:
    assert write_subscription("t") == bytes.fromhex("07 0a05 0801 1201 74".replace(" ", ""))


def test_a_control_is_written_as_go_and_js_write_it() -> None:
    graft = write_control(Control(graft=True), "t")
    assert graft == bytes.fromhex("07 1a05 1a03 0a01 74".replace(" ", ""))
    prune = write_control(Control(prune=60), "t")
    assert prune == bytes.fromhex("09 1a07 2205 0a01 74 183c".replace(" ", ""))


@given(CONTROLS)
def test_a_control_is_read_as_it_was_written(control: Control) -> None:
    assert read_control(control_of(write_control(control, TOPIC)), TOPIC) == control


def test_what_is_said_of_other_topics_is_not_read() -> None:
    control = control_of(write_control(ALL, "other"))
    assert read_control(control, TOPIC) == Control(iwant=ALL.iwant)


def test_a_control_in_pieces_is_one() -> None:
    pieces = content(CONTROL, control_of(write_control(Control(graft=True), TOPIC)))
    pieces += content(CONTROL, control_of(write_control(Control(iwant=(b"one",)), TOPIC)))
    assert read_control(read_rpc(pieces).control, TOPIC) == Control(iwant=(b"one",), graft=True)


def test_unknown_fields_are_skipped() -> None:
    assert read_rpc(content(10, b"partial messages") + number(6492434, 1)) == Rpc()
    assert read_control(content(5, content(1, b"an IDONTWANT")), TOPIC) == Control()


@pytest.mark.parametrize("field", [SUBSCRIPTIONS, PUBLISH, CONTROL])
def test_an_rpc_of_a_million_empty_parts_is_refused_before_they_become_objects(field: int) -> None:
    with pytest.raises(RemoteProtocolError, match="too many"):
        read_rpc(content(field, b"") * 500_000)


@pytest.mark.parametrize(
    "part", [content(1, b""), content(3, b""), content(1, content(2, b"") * 100_000), content(2, content(1, b"") * 100_000)]
)
def test_a_control_of_a_million_empty_parts_is_refused_before_they_become_objects(part: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="too many"):
        read_control(part * (1_000_000 // len(part)), TOPIC)


def test_a_thousand_topics_of_a_neighbour_are_read() -> None:
    """What other implementations send to whoever they meet."""
    hello = b"".join(bare(write_subscription(f"a-topic-{number}")) for number in range(1000))
    assert len(read_rpc(hello).subscriptions) == 1000


@given(
    st.binary(max_size=200)
    | nearly([bare(write_subscription(TOPIC)), bare(write_messages((b"one", b"two"))), bare(write_control(ALL, TOPIC))])
)
def test_whatever_comes_is_an_rpc_or_breaks_the_protocol(data: bytes) -> None:
    try:
        rpc = read_rpc(data)
        control = read_control(rpc.control, TOPIC)
    except RemoteProtocolError:
        return
    parts = len(rpc.subscriptions) + len(rpc.messages) + len(control.ihave) + len(control.iwant)
    assert parts <= len(data)
    assert control.prune is None or 0 <= control.prune < 2**64
