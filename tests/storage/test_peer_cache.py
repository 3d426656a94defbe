"""The keys of others in a folder of Goop2, however its columns are called, and what is no such table."""

from __future__ import annotations

from pathlib import Path

import pytest

from goop2.storage.database import Database, open_database
from goop2.storage.peer_cache import public_keys

KEY = "bWVUV3JMdmY1NThVQkhRZ3l3TEplNUJnTWxFd0dVNzM="


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(tmp_path / "data.db")


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ("peer_id TEXT PRIMARY KEY, public_key TEXT", {"bob": KEY}),
        ('id TEXT, "publicKey" TEXT', {"bob": KEY}),
        ("peer_id TEXT, addrs TEXT", {}),
        ("name TEXT, public_key TEXT", {}),
    ],
)
def test_columns_by_their_names(database: Database, columns: str, found: dict[str, str]) -> None:
    database.rows(f"CREATE TABLE _peer_cache ({columns})")
    for row in (("bob", KEY), ("ann", ""), ("eve", "x" * 100)):
        database.changed("INSERT INTO _peer_cache VALUES (?, ?)", row)
    assert public_keys(database) == found


def test_without_the_table_and_with_a_view_there_is_nothing(database: Database) -> None:
    assert public_keys(database) == {}
    database.rows(f"CREATE VIEW _peer_cache AS SELECT 'bob' AS peer_id, '{KEY}' AS public_key")
    assert public_keys(database) == {}
