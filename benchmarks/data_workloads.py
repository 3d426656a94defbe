"""The scripts of the data benchmark, the tables they work on, and how those are filled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from benchmarks.workloads import Workload

ROWS = 1000
LISTED = 50
_FILLER = "the quick brown fox jumps over the lazy dog, and writes home about it at length "

MOVE = """function call(request)
local game_id = request.params.game_id
local position = tonumber(request.params.position)
local rows = goop.db.query("SELECT * FROM games WHERE _id = ?", game_id)
if not rows or #rows == 0 then
error("game not found")
end
local game = rows[1]
if game.turn == "" then
return { error = "not your turn" }
end
local idx = position + 1
if string.sub(game.board, idx, idx) == "" then
return { error = "cell occupied" }
end
local new_board = string.sub(game.board, 1, idx - 1)
.. "X"
.. string.sub(game.board, idx + 1)
goop.db.exec("UPDATE games SET board = ?, turn = ? WHERE _id = ?",
new_board, "O", game_id)
return { board = new_board, turn = "O" }
end
"""
"""The manual's game move; its two refusals are turned so that the same move can be made again and again."""

LIST = f"""function call(request)
return goop.db.query("SELECT * FROM posts ORDER BY _id DESC LIMIT {LISTED}")
end
"""

DATA_WORKLOADS = (
    Workload("move", "function", MOVE, '{"game_id":1,"position":4}', 1.2),
    Workload("list", "function", LIST, "{}", 1.5),
)

_SYSTEM = "_id INTEGER PRIMARY KEY AUTOINCREMENT, _owner TEXT NOT NULL, _created_at DATETIME DEFAULT CURRENT_TIMESTAMP"
TABLES = (
    f"CREATE TABLE games ({_SYSTEM}, board TEXT, turn TEXT)",
    f"CREATE TABLE posts ({_SYSTEM}, title TEXT, slug TEXT, body TEXT, summary TEXT, published INTEGER, score REAL, tag TEXT)",
)


class Connection(Protocol):
    """What apsw and sqlite3 have in common."""

    def execute(self, statement: str, /) -> object: ...
    def executemany(self, statement: str, rows: Iterator[tuple[object, ...]], /) -> object: ...


def fill(connection: Connection, rows: int = ROWS) -> None:
    """Make the tables and put `rows` into each; 50 posts are about 30 kB of JSON."""
    connection.execute("BEGIN")
    for table in TABLES:
        connection.execute(table)
    connection.executemany("INSERT INTO games (_owner, board, turn) VALUES (?, ?, ?)", (("owner", "---------", "X") for _ in range(rows)))
    connection.executemany(
        "INSERT INTO posts (_owner, title, slug, body, summary, published, score, tag) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _posts(rows)
    )
    connection.execute("COMMIT")


def _posts(rows: int) -> Iterator[tuple[object, ...]]:
    for number in range(rows):
        yield "owner", f"Post number {number}", f"post-{number}", _FILLER * 3, _FILLER[:60], 1, number / 7, "news"
