"""Calls between peers, on mq topics `call:<id>`: what is read of an offer, and the answer that ends it.

    call:<id>   {"type": "call-request", …}   an offer, which rings until somebody answers
    call:<id>   {"type": "call-hangup"}       the end

Calls themselves are not supported. An offer that nobody answers rings without end (network.md), so each is hung up. No I/O.
"""

from __future__ import annotations

from typing import Final

import msgspec

from goop2.protocols.untrusted_json import InvalidJsonError, decode

PREFIX: Final = "call:"
OFFER: Final = "call-request"
HANGUP: Final = "call-hangup"
ID_MAX_CHARS: Final = 128
_KINDS: Final = ("type", "action")
"""Keys under which a message of a call says what it is."""
_NAMES: Final = ("channel_id", "call_id")
"""Keys under which it may repeat the id; the answer repeats it too."""


class CallOffer(msgspec.Struct, frozen=True):
    """An offer: the id of the call, and the payload that ends it, JSON."""

    id: str
    hangup: bytes


def offer(topic: str, payload: bytes) -> CallOffer | None:
    """Return the offer in a message; None when it is none."""
    id_ = topic.removeprefix(PREFIX)
    if not topic.startswith(PREFIX) or not 0 < len(id_) <= ID_MAX_CHARS:
        return None
    try:
        said = decode(payload, dict[str, msgspec.Raw])
    except InvalidJsonError:
        return None
    kind = next((key for key in _KINDS if bytes(said.get(key, b"")) == msgspec.json.encode(OFFER)), "")
    if not kind:
        return None
    repeated = {key: id_ for key in _NAMES if bytes(said.get(key, b"")) == msgspec.json.encode(id_)}
    return CallOffer(id_, msgspec.json.encode({kind: HANGUP, **repeated}))
