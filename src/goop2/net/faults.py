"""The errors of the network, named by cause. Messages are written for the owner and for pages."""

from __future__ import annotations

from typing import ClassVar


class NetworkError(Exception):
    """An operation of the network failed; the message names the peer and what was tried.

    `code` is an error class of behaviour.md, "Data functions", for whoever asked for it.
    """

    code = "unavailable"


class UnreachableError(NetworkError):
    """The peer cannot be reached now; it may be reachable later."""


class WrongPeerError(UnreachableError):
    """Another peer answers at every address of this peer: the id is mistyped, or the address belongs to somebody else now."""


class ProtocolNotSupportedError(NetworkError):
    """The peer is there and does not support the protocol."""


class StreamBrokenError(NetworkError):
    """The stream ended before the exchange did: the peer reset it, went away, or was too slow. A retry may help."""


class PeerBusyError(NetworkError):
    """This peer has too much open with the other one already."""


class PortInUseError(NetworkError):
    """The port of p2p.listen_port cannot be used; the message says what to do."""

    owner_code: ClassVar = "unavailable"


class MulticastError(NetworkError):
    """This machine's network has no multicast: peers near by are not found automatically. Everything else works."""


class AddressError(NetworkError):
    """The text is no address of a peer; the message shows what one looks like."""

    code = "bad_request"
