"""The rendezvous server `goop2 rendezvous`, where peers that cannot hear each other leave announcements, and a relay beside it.

It must not know a peer's database or scripts, and it keeps nothing on disk.
"""
