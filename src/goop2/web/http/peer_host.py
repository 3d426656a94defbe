"""A peer id as a host name: base58 depends on case and host names do not, so the label is a base36 CIDv1.

    12D3Koo…  ──  k51qzi5uqu5…  (62 characters, one label of a host name has room for 63)

It knows the form of peer ids (an Ed25519 key in an identity multihash) and nothing of HTTP.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from goop2.protocols import base58, peer_ids

LABEL_CHARS: Final = 62
DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_MULTIBASE_BASE36: Final = "k"
_CID_V1_LIBP2P_KEY: Final = b"\x01\x72"
_LABEL = re.compile(rf"k[0-9a-z]{{{LABEL_CHARS - 1}}}")


def is_peer_id(peer_id: str) -> bool:
    """Return whether this is a peer id in its canonical spelling."""
    return _id_bytes(peer_id) is not None


def peer_path(peer_id: str) -> str:
    """Return the path at which a site is shown: pages read from it whose site they are."""
    return f"/p/{peer_id}/"


@lru_cache(maxsize=256)
def host_label(peer_id: str) -> str:
    """Return the label of a peer id, 62 characters. Raises ValueError when it is no peer id."""
    content = _id_bytes(peer_id)
    if content is None:
        raise ValueError(f"{peer_id!r} is not a peer id")
    return _MULTIBASE_BASE36 + _base36(int.from_bytes(_CID_V1_LIBP2P_KEY + content))


@lru_cache(maxsize=256)
def peer_of_label(label: str) -> str | None:
    """Return the peer id `12D3Koo…` of a label in lower case; None when it is no peer's label."""
    if not _LABEL.fullmatch(label):
        return None
    number = int(label[1:], 36)
    # Long enough for any label; the bytes of the id are the last ones.
    content = number.to_bytes(LABEL_CHARS)
    content = content[-(len(_CID_V1_LIBP2P_KEY) + peer_ids.ID_BYTES) :]
    peer_id = base58.encode(content[len(_CID_V1_LIBP2P_KEY) :])
    # The way back must give the same label, or one peer would have several origins.
    return peer_id if is_peer_id(peer_id) and host_label(peer_id) == label else None


def _id_bytes(peer_id: str) -> bytes | None:
    try:
        content = peer_ids.to_bytes(peer_id)
    except ValueError:
        return None
    return content if base58.encode(content) == peer_id else None


def _base36(number: int) -> str:
    digits = []
    while number:
        number, digit = divmod(number, 36)
        digits.append(DIGITS[digit])
    return "".join(reversed(digits))
