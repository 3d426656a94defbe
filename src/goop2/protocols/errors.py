"""Whose fault it is when an exchange does not go as the protocol says. What went wrong is in the message, for logs and pages."""

from __future__ import annotations


class RemoteProtocolError(Exception):
    """The other side broke the protocol: its stream is of no more use, the connection is."""


class LocalProtocolError(Exception):
    """We were about to break the protocol; nothing was sent. `code` is an error class of behaviour.md: what was asked cannot be sent."""

    code = "bad_request"
