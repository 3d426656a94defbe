"""The network: libp2p behind a small interface, the protocols apart from it. Importing this imports neither libp2p nor trio."""
