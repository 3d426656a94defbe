"""The wire formats between peers: bytes in, events out, and back.

It must not know any stream, clock or file; the meaning of each format is in its module.
"""
