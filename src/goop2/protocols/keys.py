"""`/goop-py/keys/1.0.0`, a protocol of ours: two peers exchange their keys for payload encryption.

On open, the client writes its identity as one JSON line, in the form of `identity.response`; the other side answers with its own and
closes. A Go peer must not learn our key before we know its own (network.md, "Payload keys"). It does not support this protocol, so only
peers of this program learn a key here.
"""

from __future__ import annotations

from typing import Final

import msgspec

from goop2.protocols import tolerant_json
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.line import LineReader, line
from goop2.protocols.topics import IdentityPayload
from goop2.protocols.untrusted_json import InvalidJsonError

PROTOCOL: Final = "/goop-py/keys/1.0.0"
IDENTITY_MAX_BYTES: Final = 4096
"""A label, an e-mail address and a key are a few hundred bytes."""
_WHAT: Final = "the identity"


def reader() -> LineReader:
    """Return a reader for the other side's line; then `identity`."""
    return LineReader(_WHAT, IDENTITY_MAX_BYTES)


def identity(content: bytes) -> IdentityPayload:
    """Return the identity of a peer. Raises `RemoteProtocolError`."""
    try:
        return tolerant_json.decode(content, IdentityPayload)
    except InvalidJsonError as error:
        raise RemoteProtocolError(f"{_WHAT} is invalid: {error}") from None


def message(own: IdentityPayload) -> bytes:
    """Return the line to send. Raises `LocalProtocolError` when it is too long."""
    return line(_WHAT, msgspec.json.encode(own), IDENTITY_MAX_BYTES)
