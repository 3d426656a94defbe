"""Every number of the cluster, with its unit and the reason for its value (cluster.md has the measurements)."""

from __future__ import annotations

from typing import Final

BEAT_SECONDS: Final = 0.5
"""How often a node says that it is there."""

LOST_SECONDS: Final = 1.6
"""A node that was not heard for so long is lost: three beats, and a little for a busy machine. Its calls are told within two seconds."""

ECHO_SECONDS: Final = 0.2
"""How often the owner asks the server for an echo; the loss clock goes on only when one comes back."""

ECHO_STEP_MAX_SECONDS: Final = 0.4
"""What one echo lets the loss clock go on at most: a peer that stood still for a minute has not missed a minute of beats."""

WORK_LEAST_MS: Final = 0.5
"""Median of the last runs of a script version from which it is worth sending elsewhere: the way there and back takes 0.3 ms."""

RUNS_LOOKED_AT: Final = 9
"""Last runs of a version whose median counts."""

VERSIONS_JUDGED_MAX: Final = 4096
"""Script versions whose runs are remembered; the ones not run for the longest go first."""

SLOTS_MAX: Final = 256
"""Slots of a node, as many as a peer may have workers."""

NODES_MAX: Final = 256
"""Nodes of one owner. Each beat costs the owner some ten microseconds."""

SOURCES_KEPT: Final = 1024
"""Script versions a node keeps the source of."""

SOURCES_KEPT_BYTES: Final = 64 * 1024 * 1024
"""The same in bytes."""

MESSAGE_MAX_BYTES: Final = 8 * 1024 * 1024
"""`max_payload` that `goop2 cluster init` writes: the largest message to a worker has 4 MB, and a call has its source and its argument."""

MESSAGE_NEEDED_BYTES: Final = 4 * 1024 * 1024 + 64 * 1024
"""`max_payload` below which a server cannot be used: a frame of a worker and what is around it."""

SERVER_LEAST: Final = (2, 11)
"""The oldest nats-server that is used: an older one gave a lease to two holders at once."""

CONNECT_SECONDS: Final = 1.0
"""Until a connection to the server must stand: the kernel asks once more after a second at the earliest, we ask anew before."""

HANDSHAKE_SECONDS: Final = 5.0
"""Until the server must have let us in, encryption and key included: one that stands still says nothing."""

RECONNECT_SECONDS: Final = 0.25
"""Between two attempts to reach the server again, so that a healed network is noticed within two seconds."""

QUICK_ATTEMPTS: Final = 40
"""Attempts in a row at that pace: ten seconds. A server that is away for longer is asked once a second."""

SLOW_RECONNECT_SECONDS: Final = 1.0
"""Between two attempts after these: still within two seconds of its return."""

REFUSED_SECONDS: Final = 5.0
"""Until a server is asked again that cannot be used as it is set up: a person has to do something first."""

PING_SECONDS: Final = 1.0
"""How often the connection is asked whether it lives; two unanswered in a row end it."""

UNSENT_MAX_BYTES: Final = 32 * 1024 * 1024
"""What waits to be sent to the server before the sender waits."""

FAREWELL_SECONDS: Final = 2.0
"""How long a node that leaves waits for the owner to say that nothing more comes."""

DRAIN_SECONDS: Final = 65.0
"""How long a node that leaves waits for its calls: the longest time-out of a call, and a little."""

SETTLE_SECONDS: Final = 1.0
"""How long a command waits for the beats of the nodes: two beats."""

NAME_MAX_CHARS: Final = 40
"""Name of a node: it stands in tables."""

CERTIFICATE_DAYS: Final = 3650
"""How long the certificate of the server lasts. It is made by its owner, for machines of the owner that hold a copy."""

LEASE_SECONDS: Final = 10.0
"""A lease that was not renewed for so long may be taken by another, who counts by its own clock from when it saw the last renewal."""

RENEW_SECONDS: Final = 3.0
"""Between two renewals: two may fail before the owner stops."""

HOLD_SECONDS: Final = 8.0
"""How long the owner serves after it asked for its last renewal: two seconds less than the others wait, for its last copy to arrive."""

LEASE_ASK_SECONDS: Final = 2.0
"""Until the server must have answered about a lease; then it is asked again."""

LEASE_RETRY_SECONDS: Final = 0.5
"""Between two attempts to renew after one that failed, and between two looks of a machine that waits for the lease."""

STANDBY_HEARD_SECONDS: Final = 10.0
"""A standby that was not heard for so long is shown as away: it speaks with each third look at the least."""

STANDBYS_MAX: Final = 64
"""Standbys of one peer that are shown."""

HAND_OVER_SECONDS: Final = 30.0
"""How long a standby that is promoted by hand waits for the owner to stop, its last copy included."""

LEASE_MAX_BYTES: Final = 16 * 1024
"""Of what stands in a lease: names, a place and numbers."""
