"""Every number of what strangers may store in the chat, with its unit and reason.

Together they stay below the 64 MB the peer's own tables may use beyond `storage.max_mb`.
"""

from __future__ import annotations

from typing import Final

MEGABYTE_BYTES: Final = 1024 * 1024

MESSAGE_OVERHEAD_BYTES: Final = 512
"""Of a kept message beside its text: ids, indexes and its row in the budget. Without it a million empty messages would be free."""

SENDER_BYTES: Final = 4 * MEGABYTE_BYTES
"""Of one sender: some seven thousand usual messages, or sixty of the longest."""

ORIGIN_BYTES: Final = 8 * MEGABYTE_BYTES
"""Of all strangers from one network: ids cost nothing, addresses do. A family behind one router has room for two full senders."""

STRANGERS_BYTES: Final = 24 * MEGABYTE_BYTES
"""Of all strangers together."""

CONTACTS_BYTES: Final = 24 * MEGABYTE_BYTES
"""Of all peers the owner has written to, together; no stranger's flood reaches these."""

PER_CALLER_A_MINUTE: Final = 60
"""Messages of one id that is not the owner."""

PER_ORIGIN_A_MINUTE: Final = 180
"""The same from one network, however many ids it makes up."""

PER_ID_IN_A_CROWD_A_MINUTE: Final = 3
"""Of one id although its network has sent all it may: somebody honest behind the same router is heard. An address makes 120 ids a minute
known at most (net/limits.py, handshakes), so this is no way round the bound."""

OF_ALL_A_MINUTE: Final = 1200
"""The same of all callers: twenty a second, each takes about a millisecond. Seven networks at their limit fill it."""

BUSY_RETRY_SECONDS: Final = 5.0
"""A queue of a thousand messages, or of 256 commands, is mostly over by then."""

STORAGE_RETRY_SECONDS: Final = 60.0
"""A full disk or a damaged file waits for the owner; asking more often is of no use."""

REFUSALS_TOLD_SECONDS: Final = 600.0
"""Between two log lines about refused strangers."""
