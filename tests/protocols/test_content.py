"""The content protocol: a label on one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.nearly import nearly

from goop2.protocols import content
from goop2.protocols.errors import RemoteProtocolError

LABELS = [
    (b"Alice\n", "Alice"),
    ("Ærlig Åse\n".encode(), "Ærlig Åse"),
    (b"\n", ""),
    (b"\xff\xfe\n", "��"),
    (b"\x1b[31mred\x07\n", "[31mred"),
    (b"Alice\r\n", "Alice"),
    ("right\u202eleft\n".encode(), "rightleft"),
]


@pytest.mark.parametrize(("sent", "label"), LABELS)
@pytest.mark.parametrize("size", [1, 1000])
def test_a_label_is_read_byte_by_byte_and_whole(sent: bytes, label: str, size: int) -> None:
    reader = content.reader()
    lines = [reader.receive(sent[at : at + size]) for at in range(0, len(sent), size)]
    assert lines[-1] is not None
    assert content.label(lines[-1]) == label


def test_a_label_without_end_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="the label is longer than 1024 bytes"):
        content.reader().receive(b"x" * 1025)


@pytest.mark.parametrize(
    ("label", "sent"), [("Alice", b"Alice\n"), ("two\nlines", b"two lines\n"), ("é" * 600, "é".encode() * 512 + b"\n")]
)
def test_what_a_peer_answers(label: str, sent: bytes) -> None:
    assert content.answer(label) == sent


@given(st.text(max_size=1500))
def test_every_label_can_be_sent_and_read(label: str) -> None:
    """Invariant: whatever the owner is called, what we send is one line a reader takes, and nothing in it can move a cursor."""
    line = content.reader().receive(content.answer(label))
    assert line is not None
    assert content.label(line).isprintable()


@given(st.binary(max_size=60) | nearly([sent for sent, _ in LABELS]))
def test_any_bytes_are_a_label_or_a_fault(sent: bytes) -> None:
    """Invariant: any bytes give a label of bounded length that cannot move a cursor, no label yet, or RemoteFault, and nothing else."""
    reader = content.reader()
    try:
        line = reader.receive(sent)
        if line is None:
            reader.end()
    except RemoteProtocolError:
        return
    assert line is not None
    label = content.label(line)
    assert len(label.encode()) <= 3 * content.LABEL_MAX_BYTES  # a byte that is no UTF-8 becomes three
    assert not label or label.isprintable()
