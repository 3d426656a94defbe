"""Direct messages: `_chat_messages`, in the layout of every peer of the network, and beside it what only we know of a message.

`_py_chat` holds the id of a message on the wire, by which a repeat is recognised, and its delivery state. `_py_chat_budget` holds in whose
budget a message counts (services/chat/quotas.py): others' messages and the replies of scripts to them; the owner's own have no row there.
Blocking; the caller chooses the thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from goop2.storage.database import Database, Value
from goop2.storage.registry_schema import make_missing

LAYOUT: Final = (
    "CREATE TABLE IF NOT EXISTS _chat_messages (id INTEGER PRIMARY KEY AUTOINCREMENT, peer_id TEXT NOT NULL, from_id TEXT NOT NULL, "
    "content TEXT NOT NULL, ts INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS _py_chat_peer ON _chat_messages (peer_id, id)",
    "CREATE TABLE IF NOT EXISTS _py_chat (message INTEGER PRIMARY KEY, wire_id TEXT NOT NULL, from_id TEXT NOT NULL, state TEXT NOT NULL)",
    "CREATE UNIQUE INDEX IF NOT EXISTS _py_chat_wire ON _py_chat (from_id, wire_id) WHERE wire_id <> ''",
    "CREATE TABLE IF NOT EXISTS _py_chat_budget (message INTEGER PRIMARY KEY, sender TEXT NOT NULL, origin TEXT NOT NULL, "
    "bytes INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS _py_chat_budget_of ON _py_chat_budget (sender, origin, message, bytes)",
)

SAVED_PER_PEER: Final = 10_000
"""Messages in one budget, and of the owner's own, in one conversation; the oldest go."""
PRUNED_EVERY: Final = 100
REMOVED_AT_ONCE: Final = 256
"""Messages removed by one statement's list: two of the longest messages are worth more small ones than a message has room to free."""
_COLUMNS: Final = "m.id, m.peer_id, m.from_id, m.content, m.ts, coalesce(p.state, '')"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A direct message as the database holds it."""

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
class Charge:
    """The budget of a message: `bytes` of `sender`, which comes from `origin`."""

    sender: str
    origin: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation with one peer."""

    peer: str
    messages: int
    last: StoredMessage


def create_schema(database: Database) -> None:
    """Create the tables and columns of messages that are missing."""
    make_missing(database, LAYOUT)


def add(
    database: Database,
    peer: str,
    sender: str,
    content: str,
    timestamp: int,
    *,
    wire_id: str = "",
    state: str = "",
    charge: Charge | None = None,
) -> StoredMessage | None:
    """Save a message; None when its sender has sent one of this wire id before. `charge`: None for the owner's own."""
    with database.atomic():
        if wire_id and is_known(database, sender, wire_id):
            return None
        sql = "INSERT INTO _chat_messages (peer_id, from_id, content, ts) VALUES (?, ?, ?, ?)"
        database.changed(sql, (peer, sender, content, timestamp))
        number = database.last_id
        if wire_id or state:
            sql = "INSERT INTO _py_chat (message, wire_id, from_id, state) VALUES (?, ?, ?, ?)"
            database.changed(sql, (number, wire_id, sender, state))
        if charge is not None:
            sql = "INSERT INTO _py_chat_budget (message, sender, origin, bytes) VALUES (?, ?, ?, ?)"
            database.changed(sql, (number, charge.sender, charge.origin, charge.bytes))
        # Only now and then: looking for the oldest costs more than adding one.
        elif number % PRUNED_EVERY == 0:
            _prune_own(database, peer)
    return StoredMessage(id=number, peer=peer, sender=sender, content=content, timestamp=timestamp, state=state)


def is_known(database: Database, sender: str, wire_id: str) -> bool:
    """Return whether a message of this sender and wire id is saved."""
    return database.scalar("SELECT 1 FROM _py_chat WHERE from_id = ? AND wire_id = ?", (sender, wire_id)) is not None


def charge_uncharged(database: Database, self_id: str, overhead_bytes: int, contact: str) -> None:
    """Put others' messages that are in no budget into their budgets: an older version saved them, or another implementation.

    What comes from peers the owner has written to has the origin `contact`.
    """
    # Asked first: every command opens the messages, and one that has nothing to write must not wait for who holds the write lock.
    uncharged = "FROM _chat_messages WHERE from_id = peer_id AND from_id <> ? AND id NOT IN (SELECT message FROM _py_chat_budget)"
    if database.scalar(f"SELECT EXISTS (SELECT 1 {uncharged})", (self_id,)):
        database.changed(
            "INSERT INTO _py_chat_budget (message, sender, origin, bytes) "
            f"SELECT id, from_id, from_id, length(CAST(content AS BLOB)) + ? {uncharged}",
            (overhead_bytes, self_id),
        )
    of_contacts = (
        "WHERE origin <> ?1 AND sender IN "
        "(SELECT peer_id FROM _chat_messages WHERE from_id = ?2 AND id NOT IN (SELECT message FROM _py_chat_budget))"
    )
    if database.scalar(f"SELECT EXISTS (SELECT 1 FROM _py_chat_budget {of_contacts})", (contact, self_id)):
        database.changed(f"UPDATE _py_chat_budget SET origin = ?1 {of_contacts}", (contact, self_id))


def charges(database: Database) -> list[Charge]:
    """Return the bytes of every sender and origin."""
    rows = database.rows("SELECT sender, origin, sum(bytes) FROM _py_chat_budget GROUP BY sender, origin")
    return [Charge(str(sender), str(origin), _int(size)) for sender, origin, size in rows]


def recharge(database: Database, sender: str, origin: str) -> list[Charge]:
    """Move everything in the budgets of `sender` to one origin; return what was counted before."""
    with database.atomic():
        rows = database.rows(
            "SELECT origin, sum(bytes) FROM _py_chat_budget WHERE sender = ? AND origin <> ? GROUP BY origin", (sender, origin)
        )
        if rows:
            database.changed("UPDATE _py_chat_budget SET origin = ? WHERE sender = ? AND origin <> ?", (origin, sender, origin))
    return [Charge(sender, str(before), _int(size)) for before, size in rows]


def remove_oldest(database: Database, sender: str, origin: str, size: int) -> tuple[int, int]:
    """Remove the oldest messages in one budget until `size` bytes are free; return how many messages and bytes that were."""
    sql = "SELECT message, bytes FROM _py_chat_budget WHERE sender = ? AND origin = ? ORDER BY message LIMIT ?"
    # Chosen first, then deleted: the transaction holds the write lock for the deletes alone.
    freed, numbers = 0, []
    for number, each in database.rows(sql, (sender, origin, REMOVED_AT_ONCE)):
        numbers.append(_int(number))
        freed += _int(each)
        # Never more than needed: the rest may be the only message of somebody who writes rarely.
        if freed >= size:
            break
    with database.atomic():
        for table, column in (("_chat_messages", "id"), ("_py_chat", "message"), ("_py_chat_budget", "message")):
            for number in numbers:
                database.changed(f"DELETE FROM {table} WHERE {column} = ?", (number,))
    return len(numbers), freed


def forget(database: Database, peer: str) -> int:
    """Remove every message with a peer; return how many there were."""
    with database.atomic():
        for table in ("_py_chat", "_py_chat_budget"):
            database.changed(f"DELETE FROM {table} WHERE message IN (SELECT id FROM _chat_messages WHERE peer_id = ?)", (peer,))
        return database.changed("DELETE FROM _chat_messages WHERE peer_id = ?", (peer,))


def strangers(database: Database, self_id: str) -> list[str]:
    """Return the peers of all conversations in which the owner has written nothing."""
    sql = (
        "SELECT DISTINCT peer_id FROM _chat_messages WHERE peer_id <> ?1 AND peer_id NOT IN "
        "(SELECT peer_id FROM _chat_messages WHERE from_id = ?1 AND id NOT IN (SELECT message FROM _py_chat_budget))"
    )
    return [str(row[0]) for row in database.rows(sql, (self_id,))]


def has_written_to(database: Database, self_id: str, peer: str) -> bool:
    """Return whether the owner has written to a peer. Replies of scripts are in the peer's budget and do not count."""
    sql = (
        "SELECT 1 FROM _chat_messages WHERE peer_id = ? AND from_id = ? "
        "AND id NOT IN (SELECT message FROM _py_chat_budget WHERE sender = ?) LIMIT 1"
    )
    return database.scalar(sql, (peer, self_id, peer)) is not None


def mark(database: Database, number: int, state: str, unless: str | None = None) -> bool:
    """Save the delivery state of a message, unless it is `unless` already; return whether it was saved."""
    return database.changed("UPDATE _py_chat SET state = ? WHERE message = ? AND state IS NOT ?", (state, number, unless)) > 0


def mark_shown(database: Database, numbers: Iterable[int], state: str) -> list[str]:
    """Mark messages from others; return the wire ids of those that were not marked before."""
    sql = "UPDATE _py_chat SET state = ? WHERE message = ? AND state = '' AND wire_id <> '' RETURNING wire_id"
    with database.atomic():
        return [str(row[0]) for number in numbers for row in database.rows(sql, (state, number))]


def mark_by_wire_id(database: Database, sender: str, peer: str, wire_id: str, state: str) -> StoredMessage | None:
    """Save the delivery state by the wire id of a message of `sender` to `peer`; return the message, None when there is none."""
    sql = (
        f"SELECT {_COLUMNS} FROM _py_chat p JOIN _chat_messages m ON m.id = p.message "
        "WHERE p.from_id = ? AND p.wire_id = ? AND m.peer_id = ?"
    )
    rows = database.rows(sql, (sender, wire_id, peer))
    if not rows:
        return None
    found = _message(rows[0])
    mark(database, found.id, state)
    return replace(found, state=state)


def page(database: Database, peer: str, before: int | None, limit: int) -> list[StoredMessage]:
    """Return the newest `limit` messages with a peer, of those older than the message `before`; oldest first."""
    sql = (
        f"SELECT {_COLUMNS} FROM _chat_messages m LEFT JOIN _py_chat p ON p.message = m.id "
        "WHERE m.peer_id = ? AND m.id < ? ORDER BY m.id DESC LIMIT ?"
    )
    # Asked for newest first, so that the limit cuts the oldest; shown oldest first.
    rows = database.rows(sql, (peer, before if before is not None else 2**63 - 1, limit))
    return [_message(row) for row in reversed(rows)]


def conversations(database: Database, limit: int) -> list[Conversation]:
    """Return the conversations, the latest first."""
    sql = (
        f"SELECT {_COLUMNS}, n.number FROM (SELECT peer_id, max(id) AS last, count(*) AS number FROM _chat_messages GROUP BY peer_id) n "
        "JOIN _chat_messages m ON m.id = n.last LEFT JOIN _py_chat p ON p.message = m.id ORDER BY m.id DESC LIMIT ?"
    )
    return [Conversation(str(row[1]), _int(row[6]), _message(row[:6])) for row in database.rows(sql, (limit,))]


def _prune_own(database: Database, peer: str) -> None:
    """Remove the oldest of the owner's own messages in a conversation beyond SAVED_PER_PEER; never because of a stranger's."""
    own = "peer_id = ? AND id NOT IN (SELECT message FROM _py_chat_budget WHERE sender = ?)"
    oldest = database.scalar(f"SELECT id FROM _chat_messages WHERE {own} ORDER BY id DESC LIMIT 1 OFFSET ?", (peer, peer, SAVED_PER_PEER))
    if oldest is not None:
        gone = f"SELECT id FROM _chat_messages WHERE {own} AND id <= ?"
        database.changed(f"DELETE FROM _py_chat WHERE message IN ({gone})", (peer, peer, oldest))
        database.changed(f"DELETE FROM _chat_messages WHERE id IN ({gone})", (peer, peer, oldest))


def _message(row: tuple[Value, ...]) -> StoredMessage:
    number, peer, sender, content, timestamp, state = row
    return StoredMessage(
        id=_int(number),
        peer=str(peer),
        sender=str(sender),
        content=str(content or ""),
        timestamp=_int(timestamp),
        state=str(state),
    )


def _int(value: Value) -> int:
    return value if isinstance(value, int) else 0
