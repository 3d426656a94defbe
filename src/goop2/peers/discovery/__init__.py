"""Find other peers: on the local network, over gossip, and through rendezvous servers."""
