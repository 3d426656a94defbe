"""Peer ids as host names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goop2.protocols import base58
from goop2.web.http.peer_host import LABEL_CHARS, host_label, is_peer_id, peer_of_label

KNOWN_ID = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"  # from libp2p's specification of ids


def peer_id(key: bytes) -> str:
    return base58.encode(b"\x00\x24\x08\x01\x12\x20" + key)


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_every_id_has_one_label_of_62_characters_and_comes_back_from_it(key: bytes) -> None:
    label = host_label(peer_id(key))
    assert len(label) == LABEL_CHARS == 62
    assert label.isalnum()
    assert label == label.lower()
    assert peer_of_label(label) == peer_id(key)


def test_the_label_is_the_one_other_software_writes() -> None:
    # base36 digit by digit, as the multibase table defines it, by another way than the code's.
    content = b"\x01\x72" + base58.decode(KNOWN_ID)
    label = host_label(KNOWN_ID)
    assert label[0] == "k"
    value = 0
    for character in label[1:]:
        value = value * 36 + "0123456789abcdefghijklmnopqrstuvwxyz".index(character)
    assert value.to_bytes(40) == content
    assert label.startswith("k51qzi5uqu5d")  # what every Ed25519 name of IPNS begins with


@settings(deadline=None)
@given(st.text(alphabet="0123456789abcdefghijklmnopqrstuvwxyz", min_size=61, max_size=61))
def test_a_made_up_label_is_nobodys(digits: str) -> None:
    peer = peer_of_label("k" + digits)
    assert peer is None or host_label(peer) == "k" + digits


@pytest.mark.parametrize(
    "label", ["", "k", "localhost", "K" + "0" * 61, "k" + "0" * 61, "k" + "z" * 61, "x" * 62, "k51qzi5uqu5d" + "ä" * 50]
)
def test_what_is_no_label_is_nobodys(label: str) -> None:
    assert peer_of_label(label) is None


@pytest.mark.parametrize("text", ["", "12D3Koo", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", "1" * 52, "0OIl", "ä", "1" * 10000])
def test_what_is_no_id_has_no_label(text: str) -> None:
    assert not is_peer_id(text)
    with pytest.raises(ValueError, match="is not a peer id"):
        host_label(text)
