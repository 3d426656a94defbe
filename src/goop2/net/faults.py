"""Why the network did not do what it was asked, by whose fault it is. Messages are for the owner's eyes and for pages."""

from __future__ import annotations


class NetworkFault(Exception):
    """Something of the network failed; the message names the peer and what was tried."""


class Unreachable(NetworkFault):
    """The peer cannot be reached now; later it may be."""


class AnotherPeer(Unreachable):
    """At every address of the peer that answers is another one: the id is mistyped, or the address is somebody else's now."""


class NotSpoken(NetworkFault):
    """The peer is there and does not speak the protocol."""


class Broken(NetworkFault):
    """The stream ended before the exchange did: the peer reset it, went away, or was too slow. Asking again may help."""


class Busy(NetworkFault):
    """We have too much open with this peer already."""


class PortTaken(NetworkFault):
    """The port of p2p.listen_port cannot be had; the message says what to do."""


class NoMulticast(NetworkFault):
    """This machine's network takes no multicast: peers near by are not found by themselves. Everything else works."""


class NotAnAddress(NetworkFault):
    """What was given is no address of a peer; the message shows what one looks like."""
