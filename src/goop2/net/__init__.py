"""The network: libp2p behind a small interface, with our own muxer, gossip, relay and limits.

It must not know a peer's folder or the meaning of a message; importing the package loads neither libp2p nor trio.
"""
