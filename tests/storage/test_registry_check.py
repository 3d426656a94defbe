"""What another program changed in data.db: the registries are mended, or it is said."""

from __future__ import annotations

import pytest

from goop2.storage.database import Database
from goop2.storage.errors import StorageError
from goop2.storage.registry_check import check
from goop2.storage.typed_tables import Owner, TypedTables

SCORES = [{"name": "player", "type": "text"}, {"name": "points", "type": "integer"}]


@pytest.fixture
def typed(database: Database) -> TypedTables:
    typed = TypedTables(database)
    typed.create("scores", SCORES)
    return typed


def test_registries_that_agree_give_no_word(database: Database, typed: TypedTables) -> None:
    assert typed.is_there("scores")
    assert check(database) == []


def test_a_table_that_was_dropped_is_no_longer_registered(database: Database, typed: TypedTables) -> None:
    database.rows("DROP TABLE scores")
    assert check(database) == ["data.db: the table scores was dropped by another program; it is no longer registered"]
    assert typed.lookup("scores") is None
    assert database.rows("SELECT * FROM _tables") == []
    assert check(database) == []


def test_a_table_dropped_under_a_running_peer_is_not_claimed_and_can_be_made_again(database: Database, typed: TypedTables) -> None:
    database.rows("DROP TABLE scores")
    assert not typed.is_there("scores")
    with pytest.raises(StorageError, match="another program has dropped it"):
        typed.describe("scores")
    typed.create("scores", SCORES)
    assert typed.insert("scores", {"player": "x"}, Owner("me")) == 1
    assert typed.is_there("scores")


def test_a_column_that_was_dropped_is_said(database: Database, typed: TypedTables) -> None:
    assert typed.is_there("scores")
    database.rows("ALTER TABLE scores DROP COLUMN points")
    (warning,) = check(database)
    assert "the typed table scores has no column points, though it is registered with it" in warning
