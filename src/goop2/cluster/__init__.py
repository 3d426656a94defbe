"""Other machines of the owner, which run scripts for this peer over a NATS server; never loaded unless it is set up.

It must not know HTTP, libp2p or a script's meaning, and the peer's identity key never goes there.
"""
