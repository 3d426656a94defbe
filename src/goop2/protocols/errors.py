"""The errors of an exchange that breaks its protocol, by whose fault it is. The message says what went wrong, for logs and pages."""

from __future__ import annotations


class RemoteProtocolError(Exception):
    """The other side broke the protocol: its stream cannot be used any more, the connection can."""


class LocalProtocolError(Exception):
    """We were about to break the protocol; nothing was sent. `code` is an error class of behaviour.md: the request cannot be sent."""

    code = "bad_request"
