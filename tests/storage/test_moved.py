"""A folder moves between implementations: another peer's works here and keeps what is not ours to change, and ours is readable there."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.storage.manual import call, peer_with

from goop2.app import open_peer
from goop2.scripting.engine import Success
from goop2.scripting.invocation import Caller
from goop2.services.peer import Peer

SYSTEM = (
    "_id INTEGER PRIMARY KEY AUTOINCREMENT, _owner TEXT NOT NULL, _owner_email TEXT DEFAULT '', "
    "_created_at DATETIME DEFAULT CURRENT_TIMESTAMP, _updated_at DATETIME DEFAULT CURRENT_TIMESTAMP"
)
POSTS = f"CREATE TABLE posts ({SYSTEM}, title TEXT NOT NULL, state TEXT DEFAULT 'new', views INTEGER)"
NOTES = f"CREATE TABLE notes ({SYSTEM}, body TEXT)"
SCHEMA = {
    "name": "posts",
    "columns": [
        {"name": "title", "type": "text", "key": False, "required": True, "auto": False, "help": "shown first"},
        {"name": "state", "type": "enum", "key": False, "required": False, "auto": False, "default": "new",
         "values": [{"key": "new", "label": "New"}, {"key": "old", "label": "Old"}]},
        {"name": "views", "type": "integer", "key": False, "required": False, "auto": False},
    ],
    "access": {"read": "open", "insert": "email", "update": "owner", "delete": "owner"},
    "system_key": True,
    "context": {"template": "blog"},
    "revision": 3,
}  # fmt: skip
FOREIGN = (
    "CREATE TABLE _tables (name TEXT PRIMARY KEY, schema TEXT NOT NULL, insert_policy TEXT DEFAULT 'owner', "
    "created_at DATETIME DEFAULT CURRENT_TIMESTAMP)",
    "CREATE TABLE _orm_schemas (table_name TEXT PRIMARY KEY, schema_json TEXT NOT NULL, created_at DATETIME DEFAULT CURRENT_TIMESTAMP)",
    "CREATE TABLE _meta (key TEXT PRIMARY KEY, value TEXT)",
    "CREATE TABLE _chat_messages (id INTEGER PRIMARY KEY AUTOINCREMENT, peer_id TEXT NOT NULL, from_id TEXT NOT NULL, "
    "content TEXT, ts INTEGER)",
    "CREATE TABLE _peer_cache (peer_id TEXT PRIMARY KEY, content TEXT, addrs TEXT)",
    "CREATE TABLE _favorites (peer_id TEXT PRIMARY KEY)",
    "CREATE TABLE _groups (id TEXT PRIMARY KEY, name TEXT, app_type TEXT)",
    "CREATE TABLE _group_subscriptions (group_id TEXT PRIMARY KEY, host_peer_id TEXT)",
    "CREATE TABLE _group_members (group_id TEXT, peer_id TEXT, PRIMARY KEY (group_id, peer_id))",
    "CREATE TABLE _cluster_jobs (id TEXT PRIMARY KEY, payload TEXT)",
    POSTS,
    NOTES,
)
"""As network.md, "The database", has it."""
OTHERS = (
    "INSERT INTO _peer_cache VALUES ('12D3Koo…', 'Bob', '[\"/ip4/192.0.2.1/tcp/4001\"]')",
    "INSERT INTO _favorites VALUES ('12D3Koo…')",
    "INSERT INTO _groups VALUES ('g1', 'Group', 'template')",
    "INSERT INTO _group_subscriptions VALUES ('g2', '12D3Koo…')",
    "INSERT INTO _group_members VALUES ('g1', '12D3Koo…')",
    "INSERT INTO _cluster_jobs VALUES ('j1', x'00ff')",
)
"""What we do not use."""
SETTINGS = {
    "identity": {"key_file": "data/identity.key"},
    "paths": {"site_root": "site"},
    "p2p": {"listen_port": 0, "mdns_tag": "goop-mdns"},
    "presence": {"topic": "goop.presence.v1", "ttl_seconds": 20},
    "profile": {"label": "Moved"},
    "viewer": {"http_addr": "127.0.0.1:0", "debug": False},
    "lua": {"enabled": True},
}
SCRIPT = """
function call(request)
  local id = assert(goop.schema.insert("posts", {title = "ours"}))
  goop.db.exec("INSERT INTO notes (_owner, body) VALUES (?, 'ours')", goop.peer.id)
  return {post = goop.schema.get("posts", id), old = goop.schema.get("posts", 1), notes = goop.db.scalar("SELECT count(*) FROM notes")}
end
"""


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """The folder of a peer that is not ours."""
    with closing(sqlite3.connect(tmp_path / "data.db")) as database:
        for statement in FOREIGN:
            database.execute(statement)
        database.execute(
            "INSERT INTO _tables (name, schema, insert_policy) VALUES ('posts', ?, 'email'), ('notes', ?, 'open')", (POSTS, NOTES)
        )
        database.execute("INSERT INTO _orm_schemas (table_name, schema_json) VALUES ('posts', ?)", (json.dumps(SCHEMA),))
        database.execute("INSERT INTO _meta VALUES ('schema_version', '7')")
        database.execute("INSERT INTO _chat_messages (peer_id, from_id, content, ts) VALUES ('12D3Koo…', '12D3Koo…', 'hi', 1764000000000)")
        for statement in OTHERS:
            database.execute(statement)
        database.execute("INSERT INTO posts (_owner, title, views) VALUES ('12D3Koo…', 'theirs', 3)")
        database.execute("INSERT INTO notes (_owner, body) VALUES ('12D3Koo…', 'theirs')")
        database.commit()
    (tmp_path / "goop.json").write_text(json.dumps(SETTINGS))
    (tmp_path / "site/lua/functions").mkdir(parents=True)
    (tmp_path / "site/lua/functions/add.lua").write_text(SCRIPT)
    return tmp_path


Contents = dict[str, tuple[object, list[tuple[object, ...]]]]


def contents(folder: Path) -> Contents:
    """Everything of the file but what is called `_py_…`: how each table, view and index is declared, and the rows exactly."""
    with closing(sqlite3.connect(folder / "data.db")) as database:
        found: Contents = {}
        for kind, name, sql in database.execute("SELECT type, name, sql FROM sqlite_schema").fetchall():
            if "_py_" not in name:
                columns = [column for _, column, *_ in database.execute(f"PRAGMA table_info({name})")] if kind == "table" else []
                exactly = ", ".join(f"quote({column})" for column in columns)
                found[name] = sql, database.execute(f"SELECT rowid, {exactly} FROM {name}").fetchall() if columns else []
        return found


BOB = Caller("bob")
EMAIL = Caller("carol", email="carol@example.org")


async def ask(peer: Peer, operation: str, caller: Caller, **request: object) -> object:
    result = await peer.tables.perform(operation, caller, request)
    return json.loads(result.json) if isinstance(result, Success) else result.code.value


async def test_a_folder_of_another_peer_starts_here_and_stays_what_it_is(moved: Path) -> None:
    before, settings = contents(moved), (moved / "goop.json").read_bytes()
    async with open_peer(moved, {}) as peer:
        found = await call(peer, "add")
        assert (found["post"]["title"], found["post"]["state"], found["notes"]) == ("ours", "new", 2)
        assert (found["old"]["title"], found["old"]["views"]) == ("theirs", 3)
    after = contents(moved)
    assert (moved / "goop.json").read_bytes() == settings
    assert after.keys() == before.keys()
    for table in before.keys() - {"posts", "notes", "sqlite_sequence"}:
        assert after[table] == before[table], table
    for table in ("posts", "notes"):
        assert after[table][0] == before[table][0]
        assert after[table][1][0] == before[table][1][0]
    assert after["_cluster_jobs"][1] == [(1, "'j1'", "X'00FF'")]


async def test_its_policies_hold_here(moved: Path) -> None:
    async with open_peer(moved, {}) as peer:
        listed = await ask(peer, "tables", BOB)
        assert isinstance(listed, list)
        assert [(each["name"], each["insert_policy"]) for each in listed] == [("notes", "open"), ("posts", "email")]
        assert await ask(peer, "pluck", BOB, table="posts", column="title") == ["theirs"]
        assert await ask(peer, "insert", BOB, table="posts", data={"title": "x"}) == "forbidden"
        assert await ask(peer, "insert", EMAIL, table="posts", data={"title": "x", "state": "odd"}) == "bad_request"
        assert await ask(peer, "insert", EMAIL, table="posts", data={"title": "x", "state": "old"}) == {"status": "inserted", "id": 2}
        assert await ask(peer, "insert", BOB, table="notes", data={"body": "x"}) == {"status": "inserted", "id": 2}
        assert await ask(peer, "update", BOB, table="notes", id=1, data={"body": "x"}) == "not_found"
        for table in ("_favorites", "_meta", "_chat_messages"):
            assert await ask(peer, "query", peer.owner, table=table) == "not_found"


async def test_what_only_other_peers_know_of_a_declaration_stays_in_it(moved: Path) -> None:
    more = (
        'local d = goop.schema.describe("posts").columns d[#d + 1] = {name = "more", type = "text"} return goop.schema.create("posts", d)'
    )
    (moved / "site/lua/functions/more.lua").write_text(f"function call() {more} end")
    async with open_peer(moved, {}) as peer:
        assert await call(peer, "more") is True
        await ask(peer, "add-column", peer.owner, table="posts", column={"name": "last", "type": "TEXT"})
        await ask(peer, "drop-column", peer.owner, table="posts", column="views")
        await ask(peer, "rename-table", peer.owner, old_name="posts", new_name="articles")
    with closing(sqlite3.connect(moved / "data.db")) as database:
        ((text, ddl),) = database.execute(
            "SELECT schema_json, schema FROM _orm_schemas, _tables WHERE table_name = 'articles' AND name = 'articles'"
        )
        assert ddl == database.execute("SELECT sql FROM sqlite_schema WHERE name = 'articles'").fetchone()[0]
    title, state = SCHEMA["columns"][:2]  # type: ignore[index]
    columns = [title, state, {"name": "more", "type": "text"}, {"name": "last", "type": "text"}]
    assert json.loads(text) == {**SCHEMA, "name": "articles", "columns": columns}


NETWORKS = {"_tables", "_orm_schemas", "_meta", "_chat_messages"}
MAKE = """
function call(request)
  goop.kv.set("key", "value")
  assert(goop.schema.create("scores", {
    {name = "player", type = "text", key = true}, {name = "points", type = "integer", default = 0},
    {name = "league", type = "enum", values = {"first", {key = "second", label = "Second league"}}},
  }, {access = {insert = "group"}}))
  return assert(goop.schema.insert("scores", {player = "Alice"}))
end
"""
THEIR_TABLE = f"CREATE TABLE visits ({SYSTEM}, page TEXT)"


async def test_a_folder_of_ours_is_laid_out_as_others_read_it_and_takes_what_they_write(tmp_path: Path) -> None:
    scripts = {"make": MAKE, "read": 'function call() return {goop.schema.list("scores"), goop.db.query("SELECT page FROM visits")} end'}
    async with peer_with(tmp_path, scripts) as peer:
        await call(peer, "make")
        await ask(peer, "create-table", peer.owner, name="notes", column_defs=[{"name": "body", "type": "TEXT", "not_null": True}])
    with closing(sqlite3.connect(tmp_path / "data.db")) as database:
        names = {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        assert {name for name in names if not name.startswith(("_py_", "sqlite_"))} == NETWORKS | {"scores", "notes"}
        assert database.execute("SELECT name FROM sqlite_schema WHERE type IN ('view', 'trigger')").fetchall() == []
        assert [database.execute(f"PRAGMA {each}").fetchone()[0] for each in ("encoding", "journal_mode", "integrity_check")] == [
            "UTF-8",
            "wal",
            "ok",
        ]
        registered = database.execute("SELECT name, schema, insert_policy FROM _tables ORDER BY name").fetchall()
        assert [(name, policy) for name, _, policy in registered] == [("notes", "owner"), ("scores", "group")]
        for name, ddl, _ in registered:
            with closing(sqlite3.connect(":memory:")) as theirs:
                theirs.execute(ddl)
                assert theirs.execute(f"PRAGMA table_info({name})").fetchall() == database.execute(f"PRAGMA table_info({name})").fetchall()
        assert json.loads(database.execute("SELECT schema_json FROM _orm_schemas").fetchone()[0]) == {
            "name": "scores",
            "columns": [
                {"name": "player", "type": "text", "key": True},
                {"name": "points", "type": "integer", "default": 0},
                {
                    "name": "league",
                    "type": "enum",
                    "values": [{"key": "first", "label": "first"}, {"key": "second", "label": "Second league"}],
                },
            ],
            "access": {"read": "open", "insert": "group", "update": "owner", "delete": "owner"},
            "system_key": False,
        }
        database.execute("INSERT INTO scores (_owner, player, league) VALUES ('theirs', 'Bob', 'second')")
        database.execute(THEIR_TABLE)
        database.execute("INSERT INTO _tables (name, schema) VALUES ('visits', ?)", (THEIR_TABLE,))
        database.execute("INSERT INTO visits (_owner, page) VALUES ('theirs', '/')")
        database.commit()
    async with open_peer(tmp_path, {}) as peer:
        scores, visits = await call(peer, "read")
        assert [(row["player"], row["points"], row.get("league")) for row in scores] == [("Alice", 0, None), ("Bob", 0, "second")]
        assert visits == [{"page": "/"}]
        assert await ask(peer, "pluck", BOB, table="visits", column="page") == ["/"]
