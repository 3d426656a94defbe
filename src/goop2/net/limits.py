"""Every number of the network, named with its unit and the reason for its value."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE_BYTES = 1024 * 1024

# Time-outs: nothing waits for a stranger without an end.

HANDSHAKE_SECONDS = 10.0
"""From a TCP connection to a peer with a name; three round trips over the slowest link that is any use."""

DIAL_SECONDS = 10.0
"""Trying all addresses of a peer."""

CLOSE_SECONDS = 2.0
"""Saying goodbye to every peer at the end."""

HEAD_START_SECONDS = 0.25
"""Of an address before the next is tried beside it (RFC 8305)."""

NEGOTIATE_SECONDS = 10.0
"""Agreeing on a stream's protocol."""

REQUEST_SECONDS = 10.0
"""A request, from the stream's opening to its last byte: one byte a second is no request."""

ANSWER_SECONDS = 65.0
"""An answer's next bytes. A script runs at most 60 s (lua.timeout_seconds), and its time-out must arrive too."""

PROBE_SECONDS = 5.0
"""A label, which a peer writes without being asked."""

AVATAR_SECONDS = 60.0
"""A picture, from the stream's opening to its last byte: a megabyte at 18 kB/s."""

ACK_SECONDS = 2.0
"""A message's acknowledgement (network.md)."""

RESEND_AFTER_SECONDS = 0.3
"""Until a message that was not acknowledged is sent once more (network.md)."""

WRITE_SECONDS = 30.0
"""A reader that takes nothing for so long is gone, or wants us to wait."""

EXCHANGE_SECONDS = 600.0
"""A whole exchange: 50 MB at 90 kB/s. Whoever is slower comes again."""

RELAY_ANSWER_SECONDS = 15.0
"""A relay's answer: behind a CONNECT it asks the peer, which may be far from it."""

CIRCUIT_HEAD_START_SECONDS = 2.0
"""Of a peer's own addresses before a relay is tried: what goes through one is bounded, and costs somebody else."""

LINGER_SECONDS = 60.0
"""After our last byte, until the other side closes its end: it may still be reading, and a reset would take that from it."""

KEPT_IDLE_SECONDS = 30.0
KEPT_WAIT_SECONDS = 60.0
"""A kept stream without a question is let go by who asks, and later by who answers, so that the two seldom cross."""

TIDY_SECONDS = 10.0
"""Between two looks at kept streams."""

KEPT_LIFE_SECONDS = 600.0
"""Of a kept stream; it ends between two questions, and the next opens another."""

PING_SECONDS = 30.0
SILENCE_SECONDS = 90.0
"""A connection is asked for a sign of life, and lost when none comes for so long: its other side is gone without a word."""

MUXER_CLOSE_SECONDS = 1.0
"""For the last frames of a connection."""

RETRY_FIRST_SECONDS = 1.0
RETRY_MAX_SECONDS = 60.0
"""Reconnecting: doubled from the first to the last, then kept up; a peer that is back is found within a minute."""

PATIENCE_SECONDS = 24 * 3600.0
"""A peer that was reached once, or typed in, is dialled again for so long."""

HEARSAY_PATIENCE_SECONDS = 60.0
"""A peer somebody told of: a few tries. It is told of again if it is there."""

DIALS_AT_ONCE = 4
"""Looking for peers must not be what the machine is busy with."""

CONNECTIONS_SOUGHT = 64
"""Half of what there may be: the other half is for those who come to us. Gossip reaches the rest, and a visit dials on its own."""

REDIALLED_MAX = 1024
"""Peers that are wanted at a time."""

REMEMBERED_MAX = 256
"""Peers an owner has typed in."""

# Sizes and counts.

READ_MAX_BYTES = 65_535 - 16 - 12
"""One read, and one piece of a file: what a frame of Yamux carries that fills a message of Noise (its tag, and the frame's head)."""

SOCKET_READ_BYTES = 256 * 1024
"""One read of a connection's socket: a few of the longest messages of Noise."""

WINDOW_MAX_BYTES = 1 * MEGABYTE_BYTES
"""What a stream may hold unread. The library lets it grow to 16 MB, and does not hold the sender to it."""

UNSENT_MAX_BYTES = 256 * 1024
"""What a connection's streams may have handed over and the system not taken yet; then they wait."""

CONTROL_FRAMES_MAX = 1024
"""Frames a connection makes us answer while it reads none of the answers."""

CONTROL_FRAME_COSTS_BYTES = 64
"""What a frame without data counts for beside bytes: a few microseconds of work. A call is three."""

STREAMS_PER_DIRECTION = 256
"""Of one connection, whoever opens them; Yamux's usual number. Ours end sooner, below."""

ADDRESSES_MAX = 16
"""Addresses of one peer that are tried."""

CIRCUITS_TRIED = 2
"""Relays that are dialled for one peer: who tells of it names them."""

CIRCUITS_PER_RELAY = 64
"""A stream each, of the 256 a connection has."""

PUNCH_TRIES = 3
"""Holes that are tried beside one relayed connection (the specification's number)."""

PUNCH_SECONDS = 6.0
"""Both dial: a first packet that came too early is sent again after 1 s and 3 s, and then comes a handshake."""

PUNCH_ANSWER_SECONDS = 15.0
"""Agreeing on a hole: three messages through the relay."""

REDIAL_PAUSE_SECONDS = 0.5
"""Between two dials at one address while a hole is punched, where the first was refused."""

PUNCH_ADDRESSES_MAX = 8
"""Addresses of one peer that are dialled at once, and told it."""

PUNCHES_AT_ONCE = 4
"""Peers a direct way is looked for to at a time, of those who called us; the next wait, and are served through their relay."""

PUNCHES_PER_MINUTE_AND_PEER = 12
"""Tries a peer may cost us: those of four relayed connections."""

LATENCY_FRESH_SECONDS = 10.0
"""How long a measured latency is shown before the next ping: a page that is open asks every three seconds."""

PINGS_AT_ONCE = 16
"""Peers that are pinged at the same time; one that does not answer holds its place for PROBE_SECONDS."""

REACHABILITY_LOOK_SECONDS = 15.0
"""How soon a new connection's other side is asked to dial us back."""

REACHABILITY_SECONDS = 15 * 60.0
"""Until the same peer is asked again about the same address."""

REACHABILITY_SERVERS = 3
"""Peers that are asked about an address in that time."""

PROOF_SECONDS = 40 * 60.0
"""How long an address counts as one we are reached at, or not: until it was asked about twice again."""

DIAL_BACK_SECONDS = 5.0
"""Dialling somebody who asks for it, and the handshake; a port that refuses takes as long as one that drops."""

DIALLED_BACK_WITHIN_SECONDS = 4 * DIAL_BACK_SECONDS
"""The whole answer of a server: other implementations dial for ten seconds."""

DIAL_BACKS_AT_ONCE = 8
DIAL_BACKS_PER_MINUTE = 60
DIAL_BACKS_PER_MINUTE_AND_NETWORK = 12
"""Each is a handshake, and a packet to whoever asked: a peer asks about two addresses each quarter of an hour."""

OUTGOING_STREAMS_PER_PEER = 128
"""Half of what a connection has; gossip and identify open a few too."""

QUESTIONS_AT_ONCE = 48
"""Calls to one peer that are under way, and so streams kept for them; the next waits. Three quarters of the streams it lets us open:
messages and files find room."""

KEPT_WAITING_MAX = 256
"""Kept streams of all peers that wait for a question: half of the streams there may be. The next is let go after its answer."""

ENCRYPTED_FILES_BYTES = 256 * MEGABYTE_BYTES
"""Files that are encrypted or decrypted at a time, with every copy of them: one of 50 MB, the largest, and smaller ones beside it."""

# Gossip: a peer gives a sign every 5 s, and any of them may come through one neighbour.

GOSSIP_MESSAGE_MAX_BYTES = 16 * 1024
"""A presence (protocols/presence.py)."""

GOSSIP_RPC_MAX_BYTES = 1 * MEGABYTE_BYTES
"""What a neighbour sends at a time: sixty of the largest messages."""

AUTHOR_MESSAGES_PER_MINUTE = 60
"""A sign every 5 s, and as many changes."""

NEIGHBOUR_MESSAGES_PER_MINUTE = 12_000
"""A thousand peers' signs, all handed on by one."""

GOSSIP_MESSAGES_PER_MINUTE = 24_000
"""All together: two minutes of it are remembered, and each costs a signature's check, 4 % of a core."""

GOSSIP_FORGERY_COSTS_MESSAGES = 3
"""Beside itself, what a message with a wrong signature takes from what its neighbour may send. No more: implementations differ about
curious signatures, and whoever hands one on in good faith must not be silenced for it."""

GOSSIP_SEEN_SECONDS = 120.0
"""So long a message is known by its number; the roster tells older ones by their time."""

GOSSIP_SEEN_MAX = 48_000
"""Two minutes of GOSSIP_MESSAGES_PER_MINUTE; 10 MB."""

GOSSIP_CACHE_BYTES = 4 * MEGABYTE_BYTES
"""Messages that can be asked for: five seconds of what may come, of half a kilobyte each, eight times over."""

GOSSIP_RPCS_PER_MINUTE = 24_000
"""Of a neighbour: a message each, and as many controls. Beyond it the stream is read more slowly, so that the other side waits."""

GOSSIP_CONTROL_BYTES_PER_MINUTE = 4 * MEGABYTE_BYTES
"""Of a neighbour: the ids of three seconds' messages every second, twice what
NEIGHBOUR_MESSAGES_PER_MINUTE make. What is more is not read."""

GOSSIP_IDS_PER_HEARTBEAT = 5000
"""Message ids we ask a neighbour for, and answer it; what other implementations ask for at a time."""

GOSSIP_IHAVES_PER_HEARTBEAT = 10
"""Offers of a neighbour that are looked at: one is usual."""

GOSSIP_PROMISES_MAX = 4096
"""Offers that were taken up and whose message is waited for; the oldest is forgotten."""

GOSSIP_QUEUE_BYTES = 256 * 1024
"""What waits to be written to a neighbour, our own words and others' each: seconds of what it may send us, and the longest control. One
that reads too slowly misses the newest; 128 that read nothing hold 64 MB for half a minute (WRITE_SECONDS)."""

GOSSIP_UNREAD_BYTES = 16 * MEGABYTE_BYTES
"""Parts of RPCs that are not whole yet, of all neighbours together: sixteen of the longest."""

GOSSIP_RPC_SECONDS = 10.0
"""From the first byte of an RPC to its last."""

GOSSIP_FLOOD_TOLD_SECONDS = 60.0
"""The owner is told of a flood at most so often."""

GOSSIP_BACK_OFF_SECONDS = 60.0
"""After a neighbour leaves the mesh, until it may come in again (the specification's number)."""

GOSSIP_BACK_OFF_MAX_SECONDS = 3600.0
"""The longest back-off of a neighbour's that is kept to."""

GOSSIP_FAULTS_PER_MINUTE = 100
"""Points of misconduct (net/gossip/router.py) of a neighbour that are put up with; beyond them it is ignored until they are used up."""

SEEN_MESSAGES = 4096
"""Ids of messages by which repeats are known: a retry comes within seconds."""

FORGETTING_AT_KEYS = 4096
"""Peers or addresses counted at a time; the longest silent is forgotten, and a stranger's new names cost it handshakes."""

PEERS_OF_A_NETWORK = 4
"""Peers that one network may be at their limits a minute: ids cost nothing, so they are counted by network too."""


@dataclass(frozen=True, slots=True)
class HostLimits:
    """The limits on what strangers may take of this peer, in total and each."""

    connections: int = 128
    dialled_connections: int = 256
    """To others: what discovery seeks, and a visit to many peers in an hour. Beside those that others make."""
    connections_per_address: int = 16
    """Peers behind one home router share its address."""
    connections_per_peer: int = 2
    """Both may dial at the same moment."""
    handshakes_per_minute_and_address: int = 120
    """A handshake costs a millisecond of CPU."""
    streams: int = 512
    """Open at a time, opened by others: a request each."""
    streams_per_peer: int = 64
    """A page with its pictures, in two tabs."""
    streams_per_network: int = 192
    """Three such readers behind one router; sixteen connections of one address must not have every stream there is."""
    streams_per_minute_and_peer: int = 6000
    """A hundred calls a second, for as long as anybody plays."""
    bytes_per_minute_and_peer: int = 64 * MEGABYTE_BYTES
    """Sent to us on streams they opened. Requests are small; what we asked for is not counted."""
    buffered_bytes: int = 64 * MEGABYTE_BYTES
    """Received and not yet read, of all streams of all peers."""


MALFORMED_TOLD_SECONDS = 60.0
"""The owner is told of a message that is none at most so often; each sender is told every time."""
