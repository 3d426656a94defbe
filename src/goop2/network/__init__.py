"""A peer joined to the network: between `peer.py`, which has the parts, and `p2p/`, which knows libp2p. `joining.py` is the way in."""
