"""A datetime column holds one form, whatever form came in, so that texts sort as instants do."""

from __future__ import annotations

from pathlib import Path

import pytest

from goop2.storage.database import Database
from goop2.storage.datetimes import unify
from goop2.storage.guard import EXEC
from goop2.storage.migrations import open_folder
from goop2.storage.policies import Visitor
from goop2.storage.table_access import TableAccess
from goop2.storage.table_browser import RowFilter, RowsWanted, TableBrowser
from goop2.storage.typed_tables import Owner, TypedTables
from goop2.storage.values import check, stored

ALICE = Owner("alice")
EVENTS = [{"name": "title", "type": "text"}, {"name": "at", "type": "datetime"}]
FORMS = {
    "2026-11-30": "2026-11-30 00:00:00",
    "2026-11-30 10:00": "2026-11-30 10:00:00",
    "2026-11-30 10:00:00": "2026-11-30 10:00:00",
    "2026-11-30T10:00:00Z": "2026-11-30 10:00:00",
    "2026-11-30t10:00:00z": "2026-11-30 10:00:00",
    "2026-11-30T10:00:00.000Z": "2026-11-30 10:00:00",
    "2026-11-30T10:00:00.5Z": "2026-11-30 10:00:00.500",
    "2026-11-30T10:00:00.123456789": "2026-11-30 10:00:00.123",
    "2026-11-30T11:00:00+02:00": "2026-11-30 09:00:00",
    "2026-11-30T11:00:00+0200": "2026-11-30 09:00:00",
    "2026-11-30 00:30:00+01": "2026-11-29 23:30:00",
    "2026-12-31T23:00:00-05:00": "2027-01-01 04:00:00",
}


def titles(typed: TypedTables, **options: object) -> list[object]:
    return [*typed.find("events", {"fields": ["title"], **options}).values]


@pytest.fixture
def typed(database: Database) -> TypedTables:
    typed = TypedTables(database)
    typed.create("events", EVENTS)
    return typed


@pytest.mark.parametrize(("given", "kept"), FORMS.items())
def test_every_iso_form_is_stored_in_one(given: str, kept: str) -> None:
    assert check("datetime", (), given) == ""
    assert stored("datetime", given) == kept


@pytest.mark.parametrize("given", ["0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59-02:00", "2026-11-30T25:00:00Z", "2026-11-30T10"])
def test_what_is_no_instant_is_refused(given: str) -> None:
    assert "takes a time like" in check("datetime", (), given)


def test_rows_sort_and_compare_by_instant(typed: TypedTables) -> None:
    for title, at in {"ten": "2026-11-30T10:00:00.000Z", "nine": "2026-11-30 09:00:00", "half": "2026-11-30T11:30:00+02:00"}.items():
        typed.insert("events", {"title": title, "at": at}, ALICE)
    assert titles(typed, order="at") == [b"nine", b"half", b"ten"]
    assert titles(typed, where="at < '2026-11-30 09:45:00'", order="at") == [b"nine", b"half"]


def test_an_argument_in_another_form_is_compared_as_an_instant(typed: TypedTables) -> None:
    typed.insert("events", {"title": "nine", "at": "2026-11-30 09:00:00"}, ALICE)
    assert titles(typed, where="at <= ?", args=["2026-11-30T09:00:00.000Z"]) == [b"nine"]
    assert titles(typed, where="at > ?", args=["2026-11-30T08:59:59Z"]) == [b"nine"]
    assert typed.count("events", {"where": "at >= ?", "args": ["2026-11-30T11:00:00+02:00"]}) == 1


def test_an_argument_that_may_mean_a_text_column_is_left_alone(typed: TypedTables) -> None:
    typed.insert("events", {"title": "2026-11-30T09:00:00Z", "at": "2026-11-30"}, ALICE)
    assert len(titles(typed, where="title = ? AND at IS NOT NULL", args=["2026-11-30T09:00:00Z"])) == 1


def test_rows_that_others_wrote_are_brought_into_the_form_at_start(tmp_path: Path) -> None:
    database, _ = open_folder(tmp_path, tmp_path / "site/lua")
    TypedTables(database).create("events", EVENTS)
    for at in (*FORMS, "soon", None, 5):
        database.rows("INSERT INTO events (_owner, title, at) VALUES ('a', ?, ?)", (str(at), at))
    database.rows("UPDATE events SET _created_at = '2026-11-29T23:14:24Z'")
    database.close()
    database, _ = open_folder(tmp_path, tmp_path / "site/lua")
    found = {str(title): at for title, at in database.rows("SELECT title, at FROM events")}
    created = {at for (at,) in database.rows("SELECT _created_at FROM events")}
    database.close()
    assert found == {**FORMS, "soon": "soon", "None": None, "5": 5}
    assert created == {"2026-11-29 23:14:24"}


def test_two_spellings_of_one_key_stay_two_rows(database: Database) -> None:
    typed = TypedTables(database)
    typed.create("slots", [{"name": "at", "type": "datetime", "key": True}])
    for at in ("2026-11-30 10:00:00", "2026-11-30T10:00:00Z"):
        database.rows("INSERT INTO slots (_owner, at) VALUES ('a', ?)", (at,))
    unify(database, typed.readable())
    assert database.scalar("SELECT count(*) FROM slots") == 2


def test_triggers_do_not_fire_for_it_and_fire_afterwards(database: Database, typed: TypedTables) -> None:
    database.rows("CREATE TABLE seen (n)")
    database.rows("CREATE TRIGGER t AFTER UPDATE ON events BEGIN INSERT INTO seen VALUES (1); END")
    database.rows("INSERT INTO events (_owner, at) VALUES ('a', '2026-11-30T10:00:00Z')")
    unify(database, typed.readable())
    assert database.scalar("SELECT count(*) FROM seen") == 0
    assert database.scalar("SELECT at FROM events") == "2026-11-30 10:00:00"
    database.change(EXEC, "UPDATE events SET title = 'x'")
    assert database.scalar("SELECT count(*) FROM seen") == 1


def test_a_time_written_into_the_condition_is_compared_as_an_instant(typed: TypedTables) -> None:
    typed.insert("events", {"title": "nine", "at": "2026-11-30 09:00:00"}, ALICE)
    assert titles(typed, where="at > '2026-11-30T08:59:59Z'") == [b"nine"]
    assert titles(typed, where="at = '2026-11-30T11:00:00+02:00' AND _created_at > '2026-01-01T00:00:00.000Z'") == [b"nine"]
    assert titles(typed, where="at < '2026-11-30T08:59:59Z'") == []
    assert typed.count("events", {"where": "at >= '2026-11-30T09:00Z'"}) == 1
    assert titles(typed, where="at > '2026-11-30Tnoon'") == [], "no time: as it stands"


OWNER, BOB = Visitor("alice", owner=True), Visitor("bob")


def both_forms(database: Database) -> None:
    """A table as a folder from Goop2 has it after a while of ours."""
    typed = TypedTables(database)
    typed.create("events", EVENTS, {"access": {"read": "open"}})
    rows = {"second": "2026-11-29T23:14:24Z", "first": "2026-11-29 23:14:23", "third": "2026-11-29T23:14:25Z", "none": "soon"}
    for title, at in rows.items():
        database.rows("INSERT INTO events (_owner, title, at, _created_at) VALUES ('a', ?, ?, ?)", (title, at, at))


def test_pages_sort_and_compare_as_instants_whatever_the_folder_held(tmp_path: Path) -> None:
    database, _ = open_folder(tmp_path, tmp_path / "site/lua")
    both_forms(database)
    database.rows(
        "CREATE TABLE notes (_id INTEGER PRIMARY KEY, _owner TEXT NOT NULL, _owner_email TEXT, _created_at DATETIME, _updated_at, body)"
    )
    database.rows("INSERT INTO _tables (name, schema, insert_policy) VALUES ('notes', '', 'open')")
    database.rows("INSERT INTO notes (_owner, _created_at, body) VALUES ('a', '2026-11-29T23:14:24Z', '2026-11-29T23:14:24Z')")
    database.close()
    database, _ = open_folder(tmp_path, tmp_path / "site/lua")
    access = TableAccess(database)

    def found(**request: object) -> object:
        return access.perform("pluck", BOB, {"table": "events", "column": "title", **request})

    assert found(order="at", where="at <> 'soon'") == ["first", "second", "third"]
    assert found(where="at > ? AND at <> 'soon'", args=["2026-11-29T23:14:23.000Z"], order="at") == ["second", "third"]
    assert found(where="at = ?", args=["2026-11-30T01:14:24+02:00"]) == ["second"]
    assert found(where="at < '2026-11-29T23:14:24Z'") == ["first"]
    assert access.perform("count", BOB, {"table": "events", "where": "_created_at <= ?", "args": ["2026-11-29T23:14:24Z"]}) == {"count": 2}
    one = {"table": "events", "where": "at = ?", "args": ["2026-11-29T23:14:25Z"]}
    assert access.perform("update-where", OWNER, {**one, "data": {"title": "last"}}) == {"affected": 1}
    assert access.perform("delete-where", OWNER, one) == {"affected": 1}
    assert database.rows("SELECT _created_at, body FROM notes") == [("2026-11-29 23:14:24", "2026-11-29T23:14:24Z")], (
        "what a site keeps stays"
    )
    database.close()


def test_rows_of_a_folder_in_which_no_peer_has_started_are_sorted_and_filtered_as_instants(database: Database) -> None:
    both_forms(database)
    browser = TableBrowser(database)

    def found(**wanted: object) -> list[object]:
        shown = browser.rows(RowsWanted(table="events", **wanted))  # type: ignore[arg-type]
        return [row[shown.columns.index("title")] for row in shown.rows]

    assert found(order="at") == ["first", "second", "third", "none"]
    assert found(order="_created_at", down=True) == ["none", "third", "second", "first"]
    at_least = RowFilter("at", "at least", "2026-11-29T23:14:24.000Z")
    assert found(filters=(at_least, RowFilter("at", "less than", "2026-11-29 23:14:25"))) == ["second"]
    assert found(filters=(RowFilter("at", "is", "2026-11-29 23:14:24"),)) == ["second"]
    assert found(filters=(RowFilter("at", "is", "soon"),)) == ["none"]
