"""A folder's database when a peer starts: made, prepared, or another peer's and left as it is."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from goop2.peer import open_peer
from goop2.scripting.engine import Success
from goop2.storage.errors import DatabaseError, SchemaFileError
from goop2.storage.start import open_folder

SYSTEM = (
    "_id INTEGER PRIMARY KEY AUTOINCREMENT, _owner TEXT NOT NULL, _owner_email TEXT DEFAULT '', "
    "_created_at DATETIME DEFAULT CURRENT_TIMESTAMP, _updated_at DATETIME DEFAULT CURRENT_TIMESTAMP"
)
POSTS = f"CREATE TABLE posts ({SYSTEM}, title TEXT NOT NULL, state TEXT DEFAULT 'new', views INTEGER)"
NOTES = f"CREATE TABLE notes ({SYSTEM}, body TEXT)"
SCHEMA = {
    "name": "posts",
    "columns": [
        {"name": "title", "type": "text", "key": False, "required": True, "auto": False},
        {"name": "state", "type": "enum", "key": False, "required": False, "auto": False, "default": "new",
         "values": [{"key": "new", "label": "New"}, {"key": "old", "label": "Old"}]},
        {"name": "views", "type": "integer", "key": False, "required": False, "auto": False},
    ],
    "access": {"read": "open", "insert": "email", "update": "owner", "delete": "owner"},
    "system_key": True,
    "context": {"template": "blog"},
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
        database.execute("INSERT INTO _favorites VALUES ('12D3Koo…')")
        database.execute("INSERT INTO _groups VALUES ('g1', 'Group', 'template')")
        database.execute("INSERT INTO posts (_owner, title, views) VALUES ('12D3Koo…', 'theirs', 3)")
        database.execute("INSERT INTO notes (_owner, body) VALUES ('12D3Koo…', 'theirs')")
        database.commit()
    (tmp_path / "goop.json").write_text(json.dumps(SETTINGS))
    (tmp_path / "site/lua/functions").mkdir(parents=True)
    (tmp_path / "site/lua/functions/add.lua").write_text(SCRIPT)
    return tmp_path


def contents(folder: Path) -> dict[str, tuple[str, list[object]]]:
    """Table → how it is declared, and its rows; what begins with `_py_` is ours and left out."""
    with closing(sqlite3.connect(folder / "data.db")) as database:
        tables = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall()
        kept = [(name, sql) for name, sql in tables if not name.startswith(("_py_", "sqlite_"))]
        return {name: (sql, database.execute(f"SELECT * FROM {name}").fetchall()) for name, sql in kept}


async def test_a_folder_of_another_peer_starts_here_and_stays_what_it_is(moved: Path) -> None:
    before, settings = contents(moved), (moved / "goop.json").read_bytes()
    async with open_peer(moved, {}) as peer:
        result = await peer.engine.call(peer.owner, "add", b"{}")
        assert isinstance(result, Success), result
    found = json.loads(result.json)
    assert (found["post"]["title"], found["post"]["state"], found["notes"]) == ("ours", "new", 2)
    assert (found["old"]["title"], found["old"]["views"]) == ("theirs", 3)
    after = contents(moved)
    assert (moved / "goop.json").read_bytes() == settings
    assert after.keys() == before.keys()
    for table in before.keys() - {"posts", "notes"}:
        assert after[table] == before[table], table
    for table in ("posts", "notes"):
        assert after[table][0] == before[table][0]
        assert after[table][1][0] == before[table][1][0]


def test_a_new_folder_gets_the_registries(tmp_path: Path) -> None:
    database, warnings = open_folder(tmp_path, tmp_path / "site/lua")
    database.close()
    assert warnings == []
    tables = contents(tmp_path)
    assert set(tables) == {"_tables", "_orm_schemas", "_meta"}
    assert "insert_policy TEXT DEFAULT 'owner'" in tables["_tables"][0]


def test_what_is_no_database_is_told_by_name_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data.db").write_text("these are my notes, not a database at all")
    with pytest.raises(DatabaseError, match=r"data\.db cannot be opened as a database"):
        open_folder(tmp_path, tmp_path)
    assert (tmp_path / "data.db").read_text() == "these are my notes, not a database at all"


def test_a_registry_of_another_form_is_told_and_not_repaired(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "data.db")) as database:
        database.execute("CREATE VIEW _tables AS SELECT 1 AS name")
        database.commit()
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/a.json").write_text('{"name": "a", "columns": [{"name": "b", "type": "text"}]}')
    with pytest.raises((DatabaseError, SchemaFileError)):
        open_folder(tmp_path, tmp_path)


def test_a_wrong_schema_file_stops_the_start_and_closes_the_database(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/a.json").write_text("{")
    with pytest.raises(SchemaFileError, match=r"a\.json"):
        open_folder(tmp_path, tmp_path)
    (tmp_path / "schemas/a.json").unlink()
    open_folder(tmp_path, tmp_path)[0].close()
