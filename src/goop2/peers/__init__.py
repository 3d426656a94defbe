"""A peer joined to the network: between `peer.py`, which has the parts, and `p2p/`, which knows libp2p. `network.py` is the way in."""
