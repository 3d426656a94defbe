"""The network: libp2p of our own (Noise, Yamux, identify, GossipSub, relay), behind a small interface, with limits.

It must not know a peer's folder or the meaning of a message; importing the package loads nothing of it.
"""
