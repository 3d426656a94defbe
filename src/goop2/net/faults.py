"""Why the network did not do what it was asked, by whose fault it is. Messages are for the owner's eyes and for pages."""

from __future__ import annotations

from typing import ClassVar


class NetworkError(Exception):
    """Something of the network failed; the message names the peer and what was tried.

    `code` is an error class of behaviour.md, "Data functions", for whoever asked for it.
    """

    code = "unavailable"


class UnreachableError(NetworkError):
    """The peer cannot be reached now; later it may be."""


class WrongPeerError(UnreachableError):
    """At every address of the peer that answers is another one: the id is mistyped, or the address is somebody else's now."""


class ProtocolNotSupportedError(NetworkError):
    """The peer is there and does not speak the protocol."""


class StreamBrokenError(NetworkError):
    """The stream ended before the exchange did: the peer reset it, went away, or was too slow. Asking again may help."""


class PeerBusyError(NetworkError):
    """We have too much open with this peer already."""


class PortInUseError(NetworkError):
    """The port of p2p.listen_port cannot be had; the message says what to do."""

    owner_code: ClassVar = "unavailable"


class MulticastError(NetworkError):
    """This machine's network takes no multicast: peers near by are not found by themselves. Everything else works."""


class AddressError(NetworkError):
    """What was given is no address of a peer; the message shows what one looks like."""

    code = "bad_request"
