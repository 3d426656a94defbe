"""Groups in data.db: in the tables of the network, however another program has laid them out, and nothing but what changed is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from goop2.storage import groups
from goop2.storage.database import Database, open_database
from goop2.storage.errors import StorageError
from goop2.storage.groups import Hosted, SavedGroups, Subscription

NEW = (
    "CREATE TABLE _groups (id TEXT PRIMARY KEY, name TEXT NOT NULL, group_type TEXT NOT NULL, max_members INTEGER DEFAULT 0, "
    "created_at DATETIME DEFAULT CURRENT_TIMESTAMP, group_context TEXT DEFAULT '', owner TEXT DEFAULT '', "
    "default_role TEXT DEFAULT 'viewer', roles TEXT DEFAULT '[]', host_joined INTEGER DEFAULT 0, volatile INTEGER DEFAULT 0, mood TEXT)",
    "CREATE TABLE _group_members (group_id TEXT NOT NULL, peer_id TEXT NOT NULL, joined_at INTEGER NOT NULL, role TEXT DEFAULT 'viewer', "
    "PRIMARY KEY (group_id, peer_id)) WITHOUT ROWID",
    "CREATE TABLE _group_subscriptions (host_peer_id TEXT NOT NULL, group_id TEXT NOT NULL, group_name TEXT, group_type TEXT, "
    "max_members INTEGER, volatile INTEGER DEFAULT 0, role TEXT DEFAULT '', host_name TEXT DEFAULT '', "
    "subscribed_at DATETIME DEFAULT CURRENT_TIMESTAMP, weight REAL NOT NULL, PRIMARY KEY (host_peer_id, group_id))",
    "INSERT INTO _groups (id, name, group_type, max_members, group_context, owner, default_role, roles, host_joined, mood) "
    "VALUES ('g1', 'Board', 'template', 8, 'kanban', 'me', 'author', '[\"author\",\"viewer\"]', 1, 'calm'), "
    "('g2', 'Radio', 'listen', 0, '', 'me', 'viewer', '[]', 0, 'loud')",
    "UPDATE _groups SET volatile = 1 WHERE id = 'g2'",
    "INSERT INTO _group_members VALUES ('g1', 'ann', 1700000000000, 'author'), ('g1', 'bob', 1700000001000, '')",
    "INSERT INTO _group_subscriptions VALUES ('host', 's1', 'Chess', 'game', 4, 0, 'viewer', 'Hanna', '2026-01-02 03:04:05', 1.5)",
)
"""Made from network.md and existing-sites.md; `mood` and `weight` are columns nobody here knows."""
OLD = (
    "CREATE TABLE _groups (id TEXT PRIMARY KEY, name TEXT, app_type TEXT)",
    "CREATE TABLE _group_members (group_id TEXT, peer_id TEXT, PRIMARY KEY (group_id, peer_id))",
    "CREATE TABLE _group_subscriptions (group_id TEXT PRIMARY KEY, host_peer_id TEXT)",
    "INSERT INTO _groups VALUES ('g1', 'Board', 'template')",
    "INSERT INTO _group_members VALUES ('g1', 'ann')",
    "INSERT INTO _group_subscriptions VALUES ('s1', 'host')",
)
BEFORE = (
    "CREATE TABLE _py_groups (id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, max_members INTEGER NOT NULL)",
    "CREATE TABLE _py_group_members (group_id TEXT NOT NULL, peer_id TEXT NOT NULL, joined_at INTEGER NOT NULL, "
    "PRIMARY KEY (group_id, peer_id))",
    "CREATE TABLE _py_group_subscriptions (host TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, "
    "PRIMARY KEY (host, id))",
    "CREATE TABLE _meta (key TEXT PRIMARY KEY, value TEXT)",
    "INSERT INTO _meta VALUES ('template_manifest', '{\"default_role\": \"author\"}')",
    "INSERT INTO _py_groups VALUES ('g1', 'Board', 'template', 3), ('g2', 'Game', 'chess', 0)",
    "INSERT INTO _py_group_members VALUES ('g1', 'ann', 5), ('g2', 'bob', 6)",
    "INSERT INTO _py_group_subscriptions VALUES ('host', 's1', 'Chess', 'game')",
)
"""As 0.1.0 kept them."""


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path / "data.db"
        self.database: Database | None = None

    def made(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path)) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()

    def open(self) -> Database:
        self.database = open_database(self.path, guarded=False)
        groups.create_schema(self.database)
        return self.database

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        # Not by the other SQLite of this process: it would close the file under the open one.
        assert self.database is not None
        return list(self.database.rows(sql))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path)
    yield folder
    if folder.database is not None:
        folder.database.close()


BOARD = Hosted(id="g1", name="Board", kind="template", members={"ann": 5}, roles={"ann": "author"}, removed=("eve",))
CHESS = Subscription(host="host", id="s1", name="Chess", kind="game", role="viewer")


def test_groups_of_another_program_appear_with_context_roles_and_who_is_in_them(folder: Folder) -> None:
    folder.made(*NEW)
    found = groups.read(folder.open())
    assert found.hosted == {
        "g1": Hosted(
            id="g1",
            name="Board",
            kind="template",
            max_members=8,
            context="kanban",
            owner="me",
            default_role="author",
            role_names=("author", "viewer"),
            created_at=str(folder.rows("SELECT created_at FROM _groups")[0][0]),
            members={"ann": 1700000000000, "bob": 1700000001000, "me": 0},
            roles={"ann": "author", "bob": "author", "me": "owner"},
        )
    }
    assert found.joined == {
        ("host", "s1"): replace(CHESS, max_members=4, host_name="Hanna", subscribed_at="2026-01-02 03:04:05"),
    }


def test_what_did_not_change_is_not_written_and_unknown_columns_stay(folder: Folder) -> None:
    folder.made(*NEW)
    database = folder.open()
    before = groups.read(database)
    groups.write(database, before, before)
    board = replace(before.hosted["g1"], name="Board two", members={"ann": 5}, roles={"ann": "viewer"})
    more = Subscription(host="other", id="s2", name="Go", kind="game")
    groups.write(database, before, SavedGroups(hosted={"g1": board}, joined={**before.joined, ("other", "s2"): more}))
    assert folder.rows("SELECT name, mood, host_joined, volatile FROM _groups ORDER BY id") == [
        ("Board two", "calm", 0, 0),
        ("Radio", "loud", 0, 1),
    ], "the session of another run stays where it is"
    assert folder.rows("SELECT peer_id, joined_at, role FROM _group_members") == [("ann", 5, "viewer")]
    assert folder.rows("SELECT group_id, weight FROM _group_subscriptions ORDER BY group_id") == [("s1", 1.5), ("s2", 0.0)]
    assert groups.read(database).hosted["g1"].members == {"ann": 5}


def test_an_older_layout_is_read_and_gets_its_columns_with_the_first_change(folder: Folder) -> None:
    folder.made(*OLD)
    database = folder.open()
    before = groups.read(database)
    board = Hosted(id="g1", name="Board", kind="template", members={"ann": 0}, roles={"ann": "viewer"})
    assert (before.hosted, before.joined) == ({"g1": board}, {("host", "s1"): Subscription(host="host", id="s1", name="s1", kind="")})
    assert folder.rows("SELECT count(*) FROM pragma_table_info('_groups')") == [(3,)]
    now = replace(board, kind="chess", context="club", roles={"ann": "author"})
    groups.write(database, before, replace(before, hosted={"g1": now}))
    assert folder.rows("SELECT app_type, group_context FROM _groups") == [("chess", "club")]
    assert groups.read(database).hosted == {"g1": now}


def test_a_new_folder_has_the_tables_with_its_first_group_alone(folder: Folder) -> None:
    database = folder.open()
    assert groups.read(database) == SavedGroups()
    assert folder.rows("SELECT name FROM sqlite_schema WHERE name LIKE '\\_group%' ESCAPE '\\'") == []
    kept = SavedGroups(hosted={"g1": BOARD}, joined={("host", "s1"): CHESS}, invites={("host", "s3"): replace(CHESS, id="s3", role="")})
    groups.write(database, SavedGroups(), kept)
    assert groups.read(database) == kept
    assert folder.rows("SELECT group_type, app_type, roles FROM _groups") == [("template", "template", "[]")]
    groups.write(database, kept, SavedGroups())
    assert groups.read(database) == SavedGroups()
    assert folder.rows("SELECT count(*) FROM _group_members") == [(0,)]


def test_groups_of_0_1_0_move_into_the_tables_of_the_network(folder: Folder) -> None:
    folder.made(*BEFORE)
    found = groups.read(folder.open())
    assert [(one.id, one.default_role, one.max_members, one.members, one.roles) for one in found.hosted.values()] == [
        ("g1", "author", 3, {"ann": 5}, {"ann": "author"}),
        ("g2", "viewer", 0, {"bob": 6}, {"bob": "viewer"}),
    ]
    assert list(found.joined) == [("host", "s1")]
    assert folder.rows("SELECT name FROM sqlite_schema WHERE name IN ('_py_groups', '_py_group_members', '_py_group_subscriptions')") == []


@pytest.mark.parametrize("roles", ["", "null", "{", '[1, "a"]', '"a"', "[" * 5000])
def test_a_list_of_roles_that_is_none_stops_nothing(folder: Folder, roles: str) -> None:
    folder.made(*NEW)
    with closing(sqlite3.connect(folder.path)) as database:
        database.execute("UPDATE _groups SET roles = ?", (roles,))
        database.commit()
    assert groups.read(folder.open()).hosted["g1"].role_names == (("a",) if roles.startswith("[1") else ())


def test_a_table_of_that_name_that_is_something_else_is_named(folder: Folder) -> None:
    folder.made("CREATE TABLE _groups (what TEXT)", "INSERT INTO _groups VALUES ('x')")
    database = folder.open()
    assert groups.read(database) == SavedGroups()
    with pytest.raises(StorageError, match=r"the table _groups of data\.db has no column id"):
        groups.write(database, SavedGroups(), SavedGroups(hosted={"g1": BOARD}))
    assert folder.rows("SELECT * FROM _groups") == [("x",)]


def test_favourites_are_read_where_there_are_some(folder: Folder) -> None:
    database = folder.open()
    assert groups.favorites(database) == frozenset()
    database.rows("CREATE TABLE _favorites (peer_id TEXT PRIMARY KEY, at DATETIME)")
    database.rows("INSERT INTO _favorites VALUES ('ann', 1), ('bob', 2)")
    assert groups.favorites(database) == {"ann", "bob"}
