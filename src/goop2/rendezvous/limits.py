"""Every number of the rendezvous server, with its reason."""

from __future__ import annotations

from typing import Final

PUBLISHED_PER_MINUTE: Final = 60
"""By one address: five peers behind one router, an announcement every 5 s each (network.md)."""
SILENT_SECONDS: Final = 20.0
"""A peer is gone so long after its last announcement, as everywhere (network.md)."""
UNCHANGED_SECONDS: Final = 7.5
"""An announcement that says nothing new is handed on so long after the last one. Peers announce themselves every 5 s, so that is every
second time, every 10 s; half a period is left for announcements that come early or late. With any pause below this one a peer is heard of
before SILENT_SECONDS are over."""
PEERS_MAX: Final = 8192
"""Here at a time, a kilobyte each as a rule; beyond it a new one is told to come again, and those that are here stay."""
PEERS_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of their texts and addresses, however long they are."""
SOURCES_MAX: Final = 4
"""Addresses that speak for one peer at a time: its home, its phone, and whoever pretends."""
CONNECTIONS_PER_PEER: Final = 2
"""One to publish, one to read."""
PAGES_MAX: Final = 128
"""Connections beside those of peers: people who look at the page."""
CONNECTIONS_MAX: Final = PEERS_MAX * CONNECTIONS_PER_PEER + PAGES_MAX
ACCEPTED_AT_ONCE: Final = 16
"""New connections in a round of the loop: with one, a server that had a fifth of a core for 3,400 peers let in no more."""
CONNECTIONS_PER_NETWORK_MAX: Final = 64
"""Some thirty peers behind one router."""
ANNOUNCEMENTS_KEPT: Final = 2 * PEERS_MAX
"""The newest of each peer, and goodbyes for readers that were away."""
TAKEN_AT_ONCE: Final = 256
"""Announcements written to a reader at a time, a hundred kilobytes as a rule; meanwhile newer ones replace those that wait."""
READERS_MAX: Final = PEERS_MAX
ASKED_FOR_MAX: Final = 256
"""Peers that a reader may name: some thirteen kilobytes of address, below what a request's head may have."""
PHASES: Final = 8
"""Readers are woken in so many groups, each together: what a group takes is put together once, and no group holds others up for long."""
DESCRIPTORS_KEPT: Final = 128
"""File descriptors that connections leave free, for the relay and for what the system opens."""
READERS_PER_ADDRESS_MAX: Final = 32
"""Peers behind one router, and pages."""
FULL_RETRY_SECONDS: Final = 10
"""When to try again, in `Retry-After`: a place is free 20 s after a peer has gone silent."""
KEEP_ALIVE_SECONDS: Final = 15.0
"""Routers in between forget a silent connection after a minute or so."""
PONG_SECONDS: Final = 20.0
"""A WebSocket's client that does not answer a ping for so long is gone."""
DROPPED_PER_SOCKET_MAX: Final = 120
"""Announcements of one WebSocket that are dropped, invalid or too many a minute, before it is closed."""
FLUSH_SECONDS: Final = 0.1
READERS_PER_SECOND: Final = 2000.0
"""Readers that are written to in a second: with more of them each is written to less often, and hears the newest all the same."""
PAGE_PEERS_MAX: Final = 500
"""Shown on the page."""
BUS_BEAT_SECONDS: Final = 5.0
"""How often a server tells the others on a bus that it is there, as often as a peer."""
BUS_SILENT_SECONDS: Final = 20.0
"""A server is missed so long after its last word: four beats, and its peers are gone then too."""
BUS_FLUSH_SECONDS: Final = 0.05
"""What is announced within this time goes to the other servers as one message."""
BUS_LINES_MAX: Final = 256
"""Announcements in a message: some five milliseconds of work for who hears it."""
BUS_MESSAGE_BYTES: Final = 128 * 1024
"""Of announcements in a message as we send it, as a rule four hundred bytes each."""
BUS_MESSAGE_MAX_BYTES: Final = 256 * 1024
"""Of a message that is read."""
BUS_PER_MINUTE: Final = 16 * PEERS_MAX
"""Announcements of one server that are heard: its peers every 7.5 s at most, and as many changes. What comes beyond is dropped."""
BUS_SERVERS_MAX: Final = 64
"""Servers that are heard on a bus; each may bring as many peers as it has room for itself."""
BUS_TOLD_MAX: Final = 8 * BUS_SERVERS_MAX
"""Things of which the owner was told that are remembered, so that none is told twice."""
BUS_WAITING_MAX: Final = 2048
"""Messages that wait to be read; beyond it the oldest is dropped, and what it said comes again within ten seconds."""
BUS_ANSWER_SECONDS: Final = 5.0
"""One server is told who is here at most so often, however often it asks."""
BUS_PEERS_MAX: Final = 16 * PEERS_MAX
"""Announcements kept on a bus beside our own: a hundred thousand peers and more."""
RELAY_SECONDS_MAX: Final = 7 * 24 * 3600
"""Of any time that another server tells of its relay; ours are hours."""
RELAY_PLACES_MAX: Final = 1_000_000
"""Free places that another server may tell of its relay."""
RELAY_BYTES_MAX: Final = 2**53
"""That another server may tell of a circuit: what every implementation reads as a whole number."""
