"""Other peers: what is asked of them and answered, who is here, and what the owner asks of the network. network.py is the way in."""
