"""Finding other peers: who is said to be here, on the local network, over gossip and through a rendezvous server."""
