"""What the owner sees of the tables: every kind of them, a page of rows, filters, the commonest values, full text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from goop2.storage import table_browser
from goop2.storage.database import Database
from goop2.storage.desk_limits import CELL_MAX_CHARS, COUNTED_EXACTLY_MAX
from goop2.storage.errors import StorageError
from goop2.storage.owner_reader import open_database_to_read
from goop2.storage.table_browser import FILTERS, RowFilter, RowsWanted, TableBrowser
from goop2.storage.typed_tables import Owner, TypedTables

ME = Owner("me")
POSTS = [
    {"name": "title", "type": "text", "required": True},
    {"name": "likes", "type": "integer"},
    {"name": "at", "type": "datetime"},
    {"name": "raw", "type": "blob"},
]


@pytest.fixture
def browser(path: Path, database: Database) -> Iterator[TableBrowser]:
    typed = TypedTables(database)
    typed.create("posts", POSTS)
    for number in range(10):
        typed.insert("posts", {"title": f"Post {number}", "likes": number % 3, "at": f"2026-01-0{number % 9 + 1} 10:00:00"}, ME)
    database.rows("CREATE TABLE loose (x, y)")
    database.rows("INSERT INTO loose VALUES (1, 'a')")
    reading = open_database_to_read(path, lambda _: None)
    yield TableBrowser(reading)
    reading.close()


def titles(browser: TableBrowser, *filters: RowFilter, **wanted: object) -> list[object]:
    found = browser.rows(RowsWanted(table="posts", filters=filters, **wanted))  # type: ignore[arg-type]
    return [row[found.columns.index("title")] for row in found.rows]


def test_every_table_is_listed_with_its_kind_and_columns(database: Database, browser: TableBrowser) -> None:
    database.rows("CREATE TABLE odd (x)")
    database.rows("INSERT INTO _orm_schemas (table_name, schema_json) VALUES ('odd', '{')")
    database.rows("CREATE TABLE bare (x PRIMARY KEY) WITHOUT ROWID")
    found = {each.name: each for each in browser.tables()}
    assert {name: (each.kind, each.rows, each.editable) for name, each in found.items()} == {
        "bare": ("unregistered", 0, False),
        "loose": ("unregistered", 1, False),
        "odd": ("unreadable", 0, False),
        "posts": ("typed", 10, True),
    }
    assert [(column["name"], column["editable"]) for column in found["posts"].columns][:3] == [
        ("_id", False),
        ("title", True),
        ("likes", True),
    ]
    assert found["posts"].sentences[0] == "anyone may read"


def test_a_large_table_is_told_by_its_highest_number(database: Database, browser: TableBrowser) -> None:
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {COUNTED_EXACTLY_MAX + 5})"
    database.rows(f"{numbers} INSERT INTO loose SELECT i, i FROM n")
    (loose,) = [each for each in browser.tables() if each.name == "loose"]
    assert (loose.rows, loose.about) == (COUNTED_EXACTLY_MAX + 6, True)


def test_rows_come_a_page_at_a_time_in_any_order(browser: TableBrowser) -> None:
    assert titles(browser, limit=3) == ["Post 0", "Post 1", "Post 2"]
    assert browser.rows(RowsWanted(table="posts", limit=3)).more
    assert titles(browser, limit=3, offset=9) == ["Post 9"]
    assert titles(browser, order="title", down=True, limit=2) == ["Post 9", "Post 8"]
    assert titles(browser, order="likes", limit=10) == [
        f"Post {number}" for likes in range(3) for number in range(10) if number % 3 == likes
    ]


@pytest.mark.parametrize("down", [False, True])
def test_rows_near_the_end_are_the_same_read_from_there(browser: TableBrowser, down: bool) -> None:
    for offset in range(0, 12):
        plain = titles(browser, order="likes", down=down, offset=offset, limit=3)
        assert titles(browser, order="likes", down=down, offset=offset, limit=3, total=10) == plain


@pytest.mark.parametrize(
    ("op", "column", "value", "count"),
    [
        ("is", "likes", "1", 3),
        ("is", "likes", 1, 3),
        ("is not", "likes", "1", 7),
        ("contains", "title", "OST 1", 1),
        ("contains", "likes", "2", 3),
        ("begins with", "title", "post", 10),
        ("less than", "likes", "1", 4),
        ("at most", "likes", "1", 7),
        ("greater than", "likes", "1", 3),
        ("at least", "likes", "1", 6),
        ("is empty", "raw", "", 10),
        ("is not empty", "title", "", 10),
        ("is", "at", "2026-01-01T10:00:00Z", 2),
        ("contains", "title", "%", 0),
        ("is", "title", "' OR 1 --", 0),
    ],
)
def test_filters(browser: TableBrowser, op: str, column: str, value: str | int, count: int) -> None:
    wanted = RowsWanted(table="posts", filters=(RowFilter(column, op, value),))
    assert browser.count(wanted) == count == len(browser.rows(wanted).rows)


def test_each_filter_is_tried_above() -> None:
    marks = [mark for mark in test_filters.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    assert {case[0] for case in marks[0].args[1]} == set(FILTERS)


def test_values_that_do_not_fit_a_cell_are_told_by_their_size(database: Database, browser: TableBrowser) -> None:
    TypedTables(database).insert("posts", {"title": "x" * 1000, "raw": b"\0\1", "likes": 2**60}, ME)
    database.rows("INSERT INTO loose VALUES (9e999, CAST(x'ff41' AS TEXT))")
    row = browser.rows(RowsWanted(table="posts", offset=10)).rows[0]
    assert {"text": "x" * CELL_MAX_CHARS, "size": 1000} in row
    assert {"bytes": 2} in row
    assert str(2**60) in row
    assert browser.rows(RowsWanted(table="loose")).rows[1] == ["inf", "\N{REPLACEMENT CHARACTER}A"]


def test_the_commonest_values_of_a_column(browser: TableBrowser) -> None:
    found = browser.facet(RowsWanted(table="posts"), "likes")
    assert [(each.value, each.count) for each in found.values] == [(0, 4), (1, 3), (2, 3)]
    assert not found.sampled
    narrowed = browser.facet(RowsWanted(table="posts", filters=(RowFilter("title", "is", "Post 1"),)), "likes")
    assert [(each.value, each.count) for each in narrowed.values] == [(1, 1)]


def test_commonest_values_of_a_large_table_are_of_its_first_rows(browser: TableBrowser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_browser, "FACET_ROWS_MAX", 4)
    found = browser.facet(RowsWanted(table="posts"), "likes")
    assert found.sampled
    assert sum(each.count for each in found.values) == 4


def test_words_are_searched_where_a_full_text_table_has_them(database: Database, browser: TableBrowser) -> None:
    with pytest.raises(StorageError, match="posts has no full-text index"):
        browser.rows(RowsWanted(table="posts", search="post"))
    database.connection.execute("CREATE VIRTUAL TABLE posts_words USING fts5(title, content='posts', content_rowid='_id')")
    database.connection.execute("INSERT INTO posts_words(posts_words) VALUES ('rebuild')")
    (posts,) = [each for each in browser.tables() if each.name == "posts"]
    assert posts.search == "posts_words"
    assert titles(browser, search="7 pos") == ["Post 7"]
    assert titles(browser, search='"AND NEAR(') == []


def test_what_is_not_there_is_a_sentence(browser: TableBrowser) -> None:
    for wanted, sentence in (
        (RowsWanted(table="nope"), 'there is no table "nope"'),
        (RowsWanted(table="_py_kv"), "there is no table"),
        (RowsWanted(table="posts", order="nope"), "posts has no column"),
        (RowsWanted(table="posts", filters=(RowFilter("nope"),)), "posts has no column"),
        (RowsWanted(table="posts", filters=(RowFilter("title", "like"),)), "is no filter; there are is, is not"),
        (RowsWanted(table="posts", filters=(RowFilter("title"),) * 30), "there are 30 filters"),
    ):
        with pytest.raises(StorageError, match=sentence):
            browser.rows(wanted)


def test_the_version_changes_when_somebody_writes(database: Database, browser: TableBrowser) -> None:
    before = browser.version()
    assert browser.version() == before
    TypedTables(database).insert("posts", {"title": "new"}, ME)
    assert browser.version() != before
