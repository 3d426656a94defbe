"""Presence messages: `goop.presence.v1` over gossip, the same JSON to and from a rendezvous server.

    {"type": "online" | "update" | "offline" | "punch", "peerId": "12D3Koo…", "content": "the label", "addrs": ["/ip4/…"], "ts": ms, …}

Unset keys are left out. Nothing in a message proves who wrote it; see peers/discovery/roster.py for what is believed.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from goop2.protocols import tolerant_json
from goop2.protocols.errors import LocalProtocolError, RemoteProtocolError
from goop2.protocols.untrusted_json import InvalidJsonError

TOPIC: Final = "goop.presence.v1"
PRESENCE_MAX_BYTES: Final = 16 * 1024
"""A label, an address list and two keys; sixteen addresses are two kilobytes."""
TEXT_MAX_CHARS: Final = 256
"""Label, e-mail, template: they stand in lists."""
ADDRESSES_MAX: Final = 16
TS_MAX_MS: Final = 2**53
"""What every implementation reads as a whole number; another is no time, and is not handed on."""

_WIRE_NAMES: Final = {
    "peer_id": "peerId",
    "label": "content",
    "avatar_hash": "avatarHash",
    "video_disabled": "videoDisabled",
    "active_template": "activeTemplate",
    "verification_token": "verificationToken",
    "public_key": "publicKey",
    "encryption_supported": "encryptionSupported",
}


class Presence(msgspec.Struct, frozen=True, omit_defaults=True, rename=_WIRE_NAMES):
    """An announcement of a peer, by itself or by somebody in its name."""

    type: Literal["online", "update", "offline", "punch"]
    peer_id: str
    label: str = ""
    email: str = ""
    avatar_hash: str = ""
    video_disabled: bool = False
    active_template: str = ""
    target: str = ""
    addrs: tuple[str, ...] = ()
    verification_token: str = ""
    public_key: str = ""
    encryption_supported: bool = False
    ts: int = 0
    """Milliseconds since 1970 by its writer's clock."""
    verified: bool = False


_SHOWN: Final = ("label", "email", "active_template")
_EXACT: Final = ("avatar_hash", "target", "verification_token", "public_key")


def read(payload: bytes) -> Presence:
    """Return the presence in a payload, its texts and lists cut to their limits. Raises `RemoteProtocolError`."""
    if len(payload) > PRESENCE_MAX_BYTES:
        raise RemoteProtocolError(f"the presence is {len(payload)} bytes; the most is {PRESENCE_MAX_BYTES}")
    try:
        said = tolerant_json.decode(payload, Presence)
    except InvalidJsonError as error:
        raise RemoteProtocolError(f"the presence is invalid: {error}") from None
    texts = {name: cut(getattr(said, name)) for name in _SHOWN}
    # A key or a token that is cut is another one: too long, it is left out.
    whole = {name: value for name in _EXACT if len(value := getattr(said, name)) <= TEXT_MAX_CHARS}
    addrs = tuple(address for address in said.addrs if len(address) <= TEXT_MAX_CHARS)[:ADDRESSES_MAX]
    ts = said.ts if 0 <= said.ts <= TS_MAX_MS else 0
    return msgspec.structs.replace(said, **(dict.fromkeys(_EXACT, "") | texts | whole), addrs=addrs, ts=ts)


def write(said: Presence) -> bytes:
    """Return a presence as bytes. Raises `LocalProtocolError`."""
    payload = msgspec.json.encode(said)
    if len(payload) > PRESENCE_MAX_BYTES:
        raise LocalProtocolError(f"the presence is {len(payload)} bytes; the most is {PRESENCE_MAX_BYTES}")
    return payload


def cut(text: str) -> str:
    """Return text as one line of bounded length without control characters."""
    return "".join(character for character in text[:TEXT_MAX_CHARS] if character.isprintable())
