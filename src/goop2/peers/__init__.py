"""Other peers: the requests sent to them and answered, who is online, and the encryption of payloads.

It must not know HTTP or browsers, nor libp2p itself, which stands behind `net`.
"""
