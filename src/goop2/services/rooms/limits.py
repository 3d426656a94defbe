"""Every number of chat rooms, with its reason."""

from __future__ import annotations

from typing import Final

SEEN_MAX: Final = 1024
"""Messages of a room by which repeats are known. In a room of others each member hands on what it hears, for seconds."""
PER_MEMBER_A_MINUTE: Final = 120
"""Messages of one peer in a room: it is handed to all others, and nobody types faster."""
HISTORY_MAX_BYTES: Final = 512 * 1024
"""Of the last messages, to who joins: half of what one message over the network may have. The newest ones fit."""
DESCRIPTION_MAX_CHARS: Final = 500
"""A room's description: some sentences, which every list of rooms carries."""
REPEATS_MAX: Final = 1024
"""Messages whose repeat was logged, and is not logged again."""
