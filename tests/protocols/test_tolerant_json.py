"""JSON as other implementations write it."""

from __future__ import annotations

import msgspec
import pytest

from goop2.protocols.tolerant_json import decode
from goop2.protocols.untrusted_json import InvalidJsonError, UnexpectedJsonError


class Thing(msgspec.Struct, frozen=True):
    """Of every kind of key."""

    name: str
    label: str = "none"
    number: int = 7
    share: float = 0.5
    shown: bool = True
    free: msgspec.Raw = msgspec.Raw(b"")


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (b'{"name":"a"}', Thing("a")),
        (b'{"name":"a","label":null,"number" : null ,"share":null,"shown":null}', Thing("a")),
        (b'{"name":"a","number":5.0,"share":2}', Thing("a", number=5, share=2.0)),
        (b'{"name":"a","number":-0.0}', Thing("a", number=0)),
        (b'{"name":"a","free":null}', Thing("a", free=msgspec.Raw(b"null"))),
    ],
)
def test_null_is_left_out_and_a_whole_number_is_whole(sent: bytes, read: Thing) -> None:
    assert decode(sent, Thing) == read


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (rb"a\ud83d", "a\ufffd"),
        (rb"\ude00\uD83Db", "\ufffd\ufffdb"),
        (rb"\ud83d\ud83d\ude00", "\ufffd😀"),
        (rb"\\ud83d \ud83d", "\\ud83d \ufffd"),
        (rb"\ud83d\n\u00e9\"", '\ufffd\né"'),
    ],
)
def test_half_of_a_pair_is_a_character_nobody_knows(sent: bytes, name: str) -> None:
    assert decode(b'{"name":"%s","label":null}' % sent, Thing) == Thing(name)


@pytest.mark.parametrize("sent", [b'{"name":"a', rb'{"name":"\ud83', rb'{"name":"\ud83d', b"", b"\xff"])
def test_what_is_no_json_stays_none(sent: bytes) -> None:
    with pytest.raises(InvalidJsonError):
        decode(sent, Thing)


@pytest.mark.parametrize(
    "sent", [b'{"name":null}', b'{"name":"a","number":5.5}', b'{"name":"a","number":"5"}', b'{"name":7}', b"null", b"[]"]
)
def test_what_is_of_another_kind_is_refused(sent: bytes) -> None:
    with pytest.raises(UnexpectedJsonError):
        decode(sent, Thing)


def test_null_may_stand_for_an_object_without_keys() -> None:
    class Keys(msgspec.Struct, frozen=True):
        label: str = ""

    assert decode(b" null\n", Keys, absent=True) == Keys()
    with pytest.raises(UnexpectedJsonError):
        decode(b"null", Keys)
