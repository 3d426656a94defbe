"""Direct messages: `_chat_messages`, as every peer of the network lays it out, and beside it what only we know of a message.

`_py_chat` holds the message's id on the wire, by which a repeat is known, and how its delivery stands. Blocking; whose thread it runs on
is for the caller to know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from goop2.storage.database import Database, Value
from goop2.storage.layout import make_missing

LAYOUT: Final = (
    "CREATE TABLE IF NOT EXISTS _chat_messages (id INTEGER PRIMARY KEY AUTOINCREMENT, peer_id TEXT NOT NULL, from_id TEXT NOT NULL, "
    "content TEXT NOT NULL, ts INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS _py_chat_peer ON _chat_messages (peer_id, id)",
    "CREATE TABLE IF NOT EXISTS _py_chat (message INTEGER PRIMARY KEY, wire_id TEXT NOT NULL, from_id TEXT NOT NULL, state TEXT NOT NULL)",
    "CREATE UNIQUE INDEX IF NOT EXISTS _py_chat_wire ON _py_chat (from_id, wire_id) WHERE wire_id <> ''",
)

KEPT_PER_PEER: Final = 10_000
"""Messages with one peer; the oldest go."""
PRUNED_EVERY: Final = 100
_COLUMNS: Final = "m.id, m.peer_id, m.from_id, m.content, m.ts, coalesce(p.state, '')"


@dataclass(frozen=True, slots=True)
class Message:
    """A message that is kept."""

    id: int
    peer: str
    """The other side."""
    sender: str
    content: str
    timestamp: int
    """Milliseconds since 1970, as its sender has them."""
    state: str
    """sending, sent, delivered or failed; for what came in "", or shown once a page of ours has it."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What there is with one peer."""

    peer: str
    messages: int
    last: Message


def lay_out(database: Database) -> None:
    """Make what is missing."""
    make_missing(database, LAYOUT)


def add(database: Database, peer: str, sender: str, content: str, timestamp: int, *, wire_id: str = "", state: str = "") -> Message | None:
    """Keep a message; None when its sender has sent one of this wire id before."""
    with database.atomic():
        if wire_id and database.scalar("SELECT 1 FROM _py_chat WHERE from_id = ? AND wire_id = ?", (sender, wire_id)) is not None:
            return None
        sql = "INSERT INTO _chat_messages (peer_id, from_id, content, ts) VALUES (?, ?, ?, ?)"
        database.changed(sql, (peer, sender, content, timestamp))
        number = database.last_id
        if wire_id or state:
            sql = "INSERT INTO _py_chat (message, wire_id, from_id, state) VALUES (?, ?, ?, ?)"
            database.changed(sql, (number, wire_id, sender, state))
        if number % PRUNED_EVERY == 0:
            _prune(database, peer)
    return Message(number, peer, sender, content, timestamp, state)


def mark(database: Database, number: int, state: str, unless: str | None = None) -> bool:
    """Say how the delivery of a message stands now; where it stands at `unless` already, it stays there. Whether it was said."""
    return database.changed("UPDATE _py_chat SET state = ? WHERE message = ? AND state IS NOT ?", (state, number, unless)) > 0


def mark_shown(database: Database, numbers: Iterable[int], state: str) -> list[str]:
    """Mark messages that came in; gives the wire ids of those that were not marked before."""
    sql = "UPDATE _py_chat SET state = ? WHERE message = ? AND state = '' AND wire_id <> '' RETURNING wire_id"
    with database.atomic():
        return [str(row[0]) for number in numbers for row in database.rows(sql, (state, number))]


def mark_by_wire_id(database: Database, sender: str, peer: str, wire_id: str, state: str) -> Message | None:
    """The same by the wire id of a message of `sender` to `peer`; the message, None when there is none."""
    sql = (
        f"SELECT {_COLUMNS} FROM _py_chat p JOIN _chat_messages m ON m.id = p.message "
        "WHERE p.from_id = ? AND p.wire_id = ? AND m.peer_id = ?"
    )
    rows = database.rows(sql, (sender, wire_id, peer))
    if not rows:
        return None
    found = _message(rows[0])
    mark(database, found.id, state)
    return Message(found.id, found.peer, found.sender, found.content, found.timestamp, state)


def page(database: Database, peer: str, before: int | None, limit: int) -> list[Message]:
    """The newest `limit` messages with a peer, of those older than the message `before`; oldest first."""
    sql = (
        f"SELECT {_COLUMNS} FROM _chat_messages m LEFT JOIN _py_chat p ON p.message = m.id "
        "WHERE m.peer_id = ? AND m.id < ? ORDER BY m.id DESC LIMIT ?"
    )
    rows = database.rows(sql, (peer, before if before is not None else 2**63 - 1, limit))
    return [_message(row) for row in reversed(rows)]


def conversations(database: Database, limit: int) -> list[Conversation]:
    """With whom there are messages, the latest first."""
    sql = (
        f"SELECT {_COLUMNS}, n.number FROM (SELECT peer_id, max(id) AS last, count(*) AS number FROM _chat_messages GROUP BY peer_id) n "
        "JOIN _chat_messages m ON m.id = n.last LEFT JOIN _py_chat p ON p.message = m.id ORDER BY m.id DESC LIMIT ?"
    )
    return [Conversation(str(row[1]), _int(row[6]), _message(row[:6])) for row in database.rows(sql, (limit,))]


def size(database: Database) -> int:
    """Characters of all messages."""
    return _int(database.scalar("SELECT coalesce(sum(length(content)), 0) FROM _chat_messages"))


def _prune(database: Database, peer: str) -> None:
    sql = "SELECT id FROM _chat_messages WHERE peer_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
    oldest = database.scalar(sql, (peer, KEPT_PER_PEER))
    if oldest is not None:
        database.changed(
            "DELETE FROM _py_chat WHERE message IN (SELECT id FROM _chat_messages WHERE peer_id = ? AND id <= ?)", (peer, oldest)
        )
        database.changed("DELETE FROM _chat_messages WHERE peer_id = ? AND id <= ?", (peer, oldest))


def _message(row: tuple[Value, ...]) -> Message:
    number, peer, sender, content, timestamp, state = row
    return Message(_int(number), str(peer), str(sender), str(content or ""), _int(timestamp), str(state))


def _int(value: Value) -> int:
    return value if isinstance(value, int) else 0
