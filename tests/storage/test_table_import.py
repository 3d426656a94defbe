"""Rows of files: read, checked and added whole or not at all, whatever stands in the file."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from goop2.storage import import_plan, import_source, table_import
from goop2.storage.database import Database
from goop2.storage.errors import StorageError
from goop2.storage.import_limits import ERRORS_SHOWN, LINE_MAX_BYTES
from goop2.storage.import_plan import guessed
from goop2.storage.import_source import Form, ImportFileError, ImportSource, SourceRow
from goop2.storage.policies import Visitor
from goop2.storage.registry_schema import user_tables
from goop2.storage.table_access import TableAccess
from goop2.storage.table_import import ImportChecked, ImportPlan, ImportStoppedError, TableImport
from goop2.storage.typed_tables import Owner, TypedTables

ME = Owner("me", "me@example.org")
POSTS = [
    {"name": "title", "type": "text", "required": True},
    {"name": "points", "type": "integer"},
    {"name": "state", "type": "enum", "values": ["new", "old"], "default": "new"},
]


def quiet(_stage: str, _read: int, _rows: int) -> None:
    """Report nothing."""


def source(_path: Path, content: str | bytes, form: Form = "csv") -> ImportSource:
    return ImportSource(io.BytesIO(content.encode() if isinstance(content, str) else content), form)


def rows_of(path: Path, content: str | bytes, form: Form = "csv") -> list[SourceRow]:
    return list(source(path, content, form).rows())


class Importing:
    """Imports into a database."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.work = TableImport(database, folder, ME)
        self._file = folder / "rows.file"

    def check(self, content: str | bytes, form: Form = "csv", **plan: object) -> ImportChecked:
        self._file.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.work.check(self._file, form, ImportPlan(**{"table": "posts", **plan}), quiet)  # type: ignore[arg-type]

    def add(self, content: str | bytes, form: Form = "csv", **plan: object) -> ImportChecked:
        self.check(content, form, **plan)
        return self.work.add(self._file, form, ImportPlan(**{"table": "posts", **plan}), quiet)  # type: ignore[arg-type]


@pytest.fixture
def importing(database: Database, tmp_path: Path) -> Importing:
    TypedTables(database).create("posts", POSTS)
    return Importing(database, tmp_path)


# ── reading ──


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_of_many_programs_is_read(tmp_path: Path, mark: bytes, separator: str, end: str) -> None:
    text = end.join((separator.join(("a", "b")), separator.join(("1", '"x""y' + "\n" + 'z"')), "", separator.join(("Zoë", ""))))
    found = source(tmp_path / "f", mark + text.encode())
    assert found.names == ("a", "b")
    assert [tuple(row.values) for row in found.rows()] == [("1", 'x"y\nz'), ("Zoë", "")]


def test_what_our_own_export_made_harmless_is_taken_back(tmp_path: Path) -> None:
    assert [row.values for row in rows_of(tmp_path / "f", "a,b\n'=1+1,'quoted\n'+49 30,-5\n")] == [["=1+1", "'quoted"], ["+49 30", "-5"]]


def test_rows_of_another_length_are_told_by_their_line(tmp_path: Path) -> None:
    found = rows_of(tmp_path / "f", 'a,b\n1\n"x\ny",2\n1,2,3\n')
    assert [(row.place, row.fault) for row in found] == [
        ("line 2", "it has 1 values, and the first line names 2 columns"),
        ("line 3", ""),
        ("line 5", "it has 3 values, and the first line names 2 columns"),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "the file is empty"),
        ("\n1\n", "begins with an empty line"),
        ("a,a\n", 'names "a" twice'),
        (b"a\n\xff\n", "line 2 is not UTF-8: save the file as CSV in UTF-8"),
        ("a\nb\n".encode("utf-16"), "it is UTF-16"),
        (b"a\n\0\n", "line 2 holds a NUL byte"),
        (b"a\n" + b"x" * (LINE_MAX_BYTES + 1), "line 2 is longer than"),
        (b'a\n"' + b"x\n" * LINE_MAX_BYTES, "is a quotation mark not closed?"),
        (",".join(f"c{number}" for number in range(600)) + "\n", "names 600 columns; the most is 500"),
    ],
)
def test_what_is_no_csv_is_a_sentence(tmp_path: Path, content: str | bytes, sentence: str) -> None:
    with pytest.raises(ImportFileError, match=sentence.replace("?", r"\?")):
        rows_of(tmp_path / "f", content)


def test_a_quotation_mark_that_stays_open_is_told(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "f", 'a\n1\n"open\n')[1].fault == "a quotation mark is not closed before the end of the file"


@pytest.mark.parametrize(
    "content",
    [
        '[{"a": 1, "b": "x"},\n {"a": null}]',
        '{"a": 1, "b": "x"}\n{"a": null}\n',
        '[\n{"a":1,"b":"x"},{"a":null}\n]\n',
        '\ufeff[{"a":1,"b":"x"},{"a":null}]',
    ],
)
def test_json_is_a_list_of_objects_or_an_object_a_line(tmp_path: Path, content: str) -> None:
    found = source(tmp_path / "f", content, "json")
    assert found.names == ("a", "b")
    assert [tuple(row.values) for row in found.rows()] == [(1, "x"), (None, None)]


def test_json_of_any_size_is_read_in_pieces(tmp_path: Path) -> None:
    rows = [{"n": number, "text": "é" * (number % 700)} for number in range(3000)]
    found = source(tmp_path / "f", json.dumps(rows, ensure_ascii=False), "json")
    assert [dict(zip(found.names, row.values, strict=True)) for row in found.rows()] == rows


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "there is no row in it"),
        ("[]", "there is no row in it"),
        ('[{"a": 1}, {"a" 2}]', "row 2 is no JSON"),
        ('[{"a": 1}', ""),
        ("[" * 100_000, "nested too deeply"),
        (b'[{"a": "\xff"}]', "it is not UTF-8"),
        ('[{"a": "' + "x" * (LINE_MAX_BYTES + 100_000), "row 1 is no JSON"),
    ],
)
def test_what_is_no_json_is_a_sentence(tmp_path: Path, content: str | bytes, sentence: str) -> None:
    if not sentence:  # cut at the end of a row, which is no harm
        assert len(rows_of(tmp_path / "f", content, "json")) == 1
        return
    with pytest.raises(ImportFileError, match=sentence):
        rows_of(tmp_path / "f", content, "json")


def test_values_of_json_become_what_a_column_can_hold(tmp_path: Path) -> None:
    (row, other) = rows_of(tmp_path / "f", '[{"a": {"x": [1]}, "b": true}, 5]', "json")
    assert row.values == ['{"x": [1]}', 1]
    assert other.fault == "it is 5, not an object"


# ── guessing ──


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", ""], "integer"),
        (["1", "2.5"], "real"),
        (["1e3"], "real"),
        (["007"], "text"),
        (["+49301234567"], "integer"),
        (["2026-01-31"], "date"),
        (["2026-01-31T10:00:00Z", "2026-01-31"], "datetime"),
        (["3f2504e0-4f89-41d3-9a0c-0305e82c3301"], "guid"),
        (["", ""], "text"),
        (["1", "x"], "text"),
        ([1, 2.5], "real"),
    ],
)
def test_types_are_guessed_from_all_values(values: list[object], kind: str) -> None:
    (column,) = guessed(("a",), [SourceRow("", [value]) for value in values])
    assert column.type == kind


def test_names_of_columns_become_names_that_a_table_may_have() -> None:
    planned = guessed(("First name", "first-name", "", "1st", "größe", "_id", "x" * 100), [])
    assert [each.name for each in planned] == ["First_name", "first_name_2", "column_3", "c_1st", "gr_e", "", "x" * 63]
    assert planned[5].why == "the peer makes it anew"


# ── adding ──


def test_rows_are_added_as_the_owners(importing: Importing, database: Database) -> None:
    assert importing.add("title,points,state\nOne,5,old\nTwo,,\n").rows == 2
    assert database.rows("SELECT title, points, state, _owner, _owner_email FROM posts") == [
        ("One", 5, "old", "me", "me@example.org"),
        ("Two", None, "new", "me", "me@example.org"),
    ]


def test_our_own_exports_come_back(importing: Importing, database: Database) -> None:
    importing.add("_id,title,points,state,_owner,_owner_email,_created_at,_updated_at\n9,One,5,old,x,,2020-01-01,2020-01-01\n")
    importing.add('[\n{"_id":9,"title":"Two","points":5,"state":"old","_owner":"x"}\n]\n', "json")
    assert database.rows("SELECT title, points, _owner FROM posts") == [("One", 5, "me"), ("Two", 5, "me")]


WRONG = "title,points,state\nOne,5,old\n,1,old\nThree,many,old\nFour,1,odd\nFive,1\n"


def test_wrong_rows_are_told_by_row_and_nothing_is_added(importing: Importing, database: Database) -> None:
    checked = importing.check(WRONG)
    assert (checked.rows, checked.wrong) == (2, 3)
    assert [(fault.place, fault.message) for fault in checked.faults] == [
        ("line 4", 'points takes a whole number, not "many"'),
        ("line 5", 'state takes one of new, old, not "odd"'),
        ("line 6", "it has 2 values, and the first line names 3 columns"),
    ]
    with pytest.raises(StorageError, match='line 4: points takes a whole number, not "many"; nothing was imported'):
        importing.add(WRONG)
    assert database.rows("SELECT title FROM posts") == []


def test_wrong_rows_are_passed_over_where_the_owner_says_so(importing: Importing, database: Database) -> None:
    added = importing.add(WRONG, pass_over=True)
    assert (added.rows, added.wrong) == (2, 3)
    assert database.rows("SELECT title FROM posts") == [("One",), ("",)]


def test_no_more_faults_are_kept_than_can_be_shown(importing: Importing) -> None:
    checked = importing.check("title,points\n" + "x,y\n" * 500)
    assert (checked.wrong, len(checked.faults)) == (500, ERRORS_SHOWN)


def test_what_fails_in_the_middle_takes_back_what_was_added(
    importing: Importing, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_import, "BATCH_SECONDS", 0.0)  # a transaction for each row
    TypedTables(database).insert("posts", {"title": "there before"}, Owner("someone"))
    database.rows("CREATE UNIQUE INDEX one_title ON posts (title)")
    with pytest.raises(StorageError, match=r"line 6: .*UNIQUE"):
        importing.add("title\na\nb\nc\nd\na\ne\n")
    assert database.rows("SELECT title FROM posts") == [("there before",)]


def test_a_stopped_import_takes_back_what_was_added(
    importing: Importing, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_import, "BATCH_SECONDS", 0.0)
    (tmp_path / "f").write_text("title\n" + "x\n" * 50)

    def stop(stage: str, _read: int, rows: int) -> None:
        if stage == "add" and rows > 10:
            raise ImportStoppedError("stopped")

    for plan in (ImportPlan(table="posts"), ImportPlan(table="fresh", create=True)):
        with pytest.raises(ImportStoppedError):
            importing.work.add(tmp_path / "f", "csv", plan, stop)
    assert database.rows("SELECT title FROM posts") == []
    assert user_tables(database) == ["posts"]


def test_a_key_that_is_taken_is_told_before_anything_is_added(importing: Importing, database: Database) -> None:
    TypedTables(database).create("keyed", [{"name": "code", "type": "text", "key": True}])
    TypedTables(database).insert("keyed", {"code": "a"}, ME)
    checked = importing.check("code\na\nb\nb\n", table="keyed")
    assert [(fault.place, fault.message) for fault in checked.faults] == [
        ("line 2", 'code is "a", which is in the table already'),
        ("line 4", 'code is "b", as in an earlier row'),
    ]


def test_two_keys_that_python_hashes_alike_are_two(importing: Importing, database: Database) -> None:
    TypedTables(database).create("floors", [{"name": "level", "type": "integer", "key": True}])
    assert importing.check("level\n-1\n-2\n", table="floors") == ImportChecked(rows=2, wrong=0, faults=[])


def test_a_new_table_is_the_owners_alone_with_guessed_types(importing: Importing, database: Database) -> None:
    importing.add("Name,Age,Joined\nAnn,30,2026-01-01\n", table="people", create=True, types={"Age": "real"}, names={"Name": "who"})
    table = TypedTables(database).table("people")
    assert [(column.name, column.type) for column in table.columns] == [("who", "text"), ("Age", "real"), ("Joined", "date")]
    assert set(table.access.values()) == {"local"}
    assert database.rows("SELECT who, Age, Joined FROM people") == [("Ann", 30.0, "2026-01-01")]


def test_a_classic_table_takes_rows_too(importing: Importing, database: Database) -> None:
    defs = [{"name": "a", "type": "text", "not_null": True, "default": "x"}, {"name": "n", "type": "integer"}]
    TableAccess(database).perform("create-table", Visitor("me", owner=True), {"name": "notes", "column_defs": defs})
    importing.add("a,n\nOne,5\n,6\n", table="notes")
    assert database.rows("SELECT a, n, _owner FROM notes") == [("One", 5, "me"), ("x", 6, "me")]


@pytest.mark.parametrize(
    ("content", "plan", "sentence"),
    [
        ("title,nope\n", {}, 'posts has no column "nope", which the file has; its columns are title, points, state'),
        ("points\n1\n", {}, "posts.title must be there in every row, and no column of the file goes into it"),
        ("title\n", {"table": "nope"}, 'there is no table "nope"'),
        ("title\n", {"table": "loose"}, "loose has no column _id"),
        ("title\n", {"create": True}, "there is a table posts already"),
        ("title\n", {"names": {"title": "nope"}}, 'posts has no column "nope"'),
        ("title,b\n", {"names": {"b": "title"}}, "two columns of the file go into title"),
        ("title\n", {"names": {"other": "title"}}, 'the file has no column "other"'),
        ("title\n", {"names": {"title": ""}}, "no column of the file goes into posts"),
        ("a\n1\n", {"create": True, "table": "x", "types": {"a": "money"}}, "money"),
        ("a\n1\n", {"create": True, "table": "9x"}, "allowed is a letter"),
    ],
)
def test_a_file_that_does_not_fit_is_a_sentence_and_changes_nothing(
    importing: Importing, database: Database, content: str, plan: dict[str, object], sentence: str
) -> None:
    database.rows("CREATE TABLE loose (x)")
    with pytest.raises(StorageError, match=sentence):
        importing.add(content, "csv", **plan)
    assert user_tables(database) == ["loose", "posts"]
    assert database.rows("SELECT count(*) FROM posts") == [(0,)]


def test_the_preview_shows_columns_first_rows_and_faults(importing: Importing, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("title,points\nOne,x\nTwo,2\nThr")
    with (tmp_path / "f").open("rb") as stream:
        preview = importing.work.preview(stream, "csv", ImportPlan(table="posts"), partial=True)
    assert [(each.source, each.name, each.type) for each in preview.columns] == [
        ("title", "title", "text"),
        ("points", "points", "integer"),
    ]
    assert preview.rows == [["One", "x"], ["Two", "2"]]
    assert [fault.place for fault in preview.faults] == ["line 2"]
    assert preview.problem == ""


def test_a_file_beyond_the_limit_is_refused(importing: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_import, "IMPORT_MAX_BYTES", 10)
    with pytest.raises(StorageError, match="the most is 10: import it in parts"):
        importing.check("title\n" + "x\n" * 10)


def test_the_modules_of_an_import_are_tested_here() -> None:
    assert import_plan.__doc__
    assert import_source.__doc__
