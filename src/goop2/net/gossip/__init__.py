"""GossipSub v1.1 on one topic: small signed messages that reach every peer that listens, connected or not.

    rpc            what neighbours send each other, to and from bytes
    messages       a signed message; signing and checking it
    caches         messages that were seen, and those that can be asked for
    intake         which messages are read, checked and forwarded
    router         which neighbour gets what: mesh, back-off, IHAVE and IWANT; without I/O
    neighbour      the two streams of one neighbour, and what waits to be written
    service        `open_gossip`: all of it on a host

It must not know what a message means.
"""

from goop2.net.gossip.intake import Heard
from goop2.net.gossip.service import Gossip, open_gossip

__all__ = ["Gossip", "Heard", "open_gossip"]
