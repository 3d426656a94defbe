"""The peer's folder: identity, lock, creating a peer, the files of its site and scripts, and how any file in it is opened."""
