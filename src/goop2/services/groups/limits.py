"""Every number of groups, with its reason.

A host answers every member, so each limit bounds what one peer can make it store or send.
"""

from __future__ import annotations

from typing import Final

HOSTED_MAX: Final = 64
JOINED_MAX: Final = 64
"""Groups at a time; an owner opens a few."""
JOINED_PER_HOST_MAX: Final = 8
"""Of one host: its pages may ask, and must leave room for others."""
ID_BYTES: Final = 8
ID_MAX_CHARS: Final = 128
NAME_MAX_CHARS: Final = 200
LISTED_NAME_MAX_CHARS: Final = 64
"""Of what a member calls itself, in the list of members: a thousand of them must fit into one message."""
PAYLOAD_MAX_BYTES: Final = 64 * 1024
"""A message to a group: it goes to every member. A game's board is a few lines."""
LIST_EVERY_MS: Final = 1000
BUDGET_PER_MINUTE: Final = 1200
"""Of one peer, over all groups: twenty messages a second, a drawing hand."""
CHANGE_COSTS: Final = 40
"""Joining or leaving, of the same: everybody is told."""
ROLE_NAMES_MAX: Final = 32
"""Of a group: a list that a person chooses from."""
JOIN_AGAIN_MS: Final = (3_000, 10_000, 30_000, 60_000)
"""After asking to be let in, until the next time: a host may acknowledge a `join` and lose it (network.md). The last one goes on."""
ASKED_JUST_NOW_MS: Final = 1_000
"""A host that is back is told of by its presence and by its connection, within a moment."""
REMOVED_MAX: Final = 1024
"""Remembered of a group; the last ones."""
