"""Every number of outbound requests, with its unit and the reason for its value."""

from __future__ import annotations

MEGABYTE_BYTES = 1024 * 1024

REQUESTS_PER_INVOCATION = 3
"""Requests one call of a script may make (manual: "goop.http"); refused ones count."""

REDIRECTS_MAX = 5
"""Hops of one request beyond its first address."""

BODY_MAX_BYTES = 1 * MEGABYTE_BYTES
"""A body as the script gets it, decompressed (manual: "goop.http")."""

RECEIVED_MAX_BYTES = 2 * MEGABYTE_BYTES
"""What may come from the headers on: a whole body and its framing. It ends chunk extensions and trailers without end."""

BODY_PIECES_MAX = 10_000
"""Pieces a body may come in, members of a gzip file among them. Each costs the peer some 50 µs whatever it
holds; honest servers send kilobytes at a time."""

PIECES_A_TURN = 100
"""Pieces taken in before others have their turn: 5 ms."""

READ_BYTES = 16 * 1024
"""Taken from a socket at a time: what is parsed before others have their turn."""

READ_COST_BYTES = 128
"""What a read counts at least, so that a server that trickles byte by byte is ended too."""

HEADERS_MAX_BYTES = 64 * 1024
"""All that comes before a body, interim answers included; browsers stop between 16 and 256 KB."""

URL_MAX_BYTES = 8192
"""An address. Servers refuse longer ones."""

REQUEST_HEADERS_MAX = 50
REQUEST_HEADERS_MAX_BYTES = 16 * 1024
"""Headers a script adds. Servers refuse more."""

ANSWER_SECONDS = 0.2
"""Kept back from an invocation's time, so that its script can still say that the request took too long."""

LOOKUP_SECONDS = 5.0
"""A name is looked up within this, however much time the invocation has; the system's resolver would try for half a minute."""

CONNECT_SECONDS = 1.5
"""One address of several may take this long to accept a connection before the next is tried."""

# What strangers may have under way. The owner is bounded by the number of workers alone.

REQUESTS_AT_ONCE = 64
"""Requests of all strangers: each can hold a body and its copy on the way to the worker, 3 MB, so 200 MB at the very worst."""

REQUESTS_AT_ONCE_PER_CALLER = REQUESTS_AT_ONCE // 4
"""The share one caller has of the workers too."""

LOOKUPS_AT_ONCE = 32
"""Names of all strangers. Each holds a thread, for half a minute after we gave up when its name server is silent."""

LOOKUPS_AT_ONCE_PER_CALLER = LOOKUPS_AT_ONCE // 4

WAITING_MAX = 256
"""Who waits beyond that is told so; there are no more workers than this."""
