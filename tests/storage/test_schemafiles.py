"""schemas/*.json: tables made at start when they are missing; a mistake names file and field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goop2.storage.database import Database
from goop2.storage.errors import SchemaFileError
from goop2.storage.schemafiles import create_missing
from goop2.storage.typed import Owner, TypedTables

POSTS = {"name": "posts", "columns": [{"name": "title", "type": "text", "required": True}], "access": {"insert": "email"}}


def save(folder: Path, name: str, text: str) -> Path:
    (folder / "schemas").mkdir(exist_ok=True)
    file = folder / "schemas" / name
    file.write_text(text)
    return file


def test_a_missing_table_is_made_as_its_file_says(database: Database, tmp_path: Path) -> None:
    save(tmp_path, "posts.json", json.dumps(POSTS))
    assert create_missing(database, tmp_path) == ["posts"]
    table = TypedTables(database).table("posts")
    assert [column.name for column in table.columns] == ["title"]
    assert table.access == {"read": "open", "insert": "email", "update": "owner", "delete": "owner"}
    assert database.rows("SELECT name, insert_policy FROM _tables") == [("posts", "email")]


def test_a_table_that_is_there_stays_as_it_is_whatever_the_file_says(database: Database, tmp_path: Path) -> None:
    typed = TypedTables(database)
    typed.create("posts", [{"name": "body", "type": "text"}])
    typed.insert("posts", {"body": "kept"}, Owner("me"))
    before = database.rows("SELECT * FROM _orm_schemas")
    save(tmp_path, "posts.json", json.dumps(POSTS))
    assert create_missing(database, tmp_path) == []
    assert database.rows("SELECT * FROM _orm_schemas") == before
    assert database.rows("SELECT body FROM posts") == [("kept",)]


def test_the_networks_form_with_its_further_fields_is_read(database: Database, tmp_path: Path) -> None:
    columns = [{"name": "state", "type": "enum", "key": False, "required": False, "auto": False, "values": [{"key": "a", "label": "A"}]}]
    save(
        tmp_path, "jobs.json", json.dumps({"name": "jobs", "columns": columns, "system_key": True, "context": {"any": "thing"}, "newer": 1})
    )
    assert create_missing(database, tmp_path) == ["jobs"]
    assert TypedTables(database).table("jobs").columns[0].values == (("a", "A"),)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"name": "posts", "columns": [}', "line 1, column 31"),
        ("[]", "must be an object"),
        ('{"name": "_posts", "columns": []}', "name"),
        ('{"name": "posts", "columns": [{"name": "a", "type": "number"}]}', "columns[1].type"),
        ('{"name": "posts", "columns": [{"name": "a", "type": "text"}, {"name": "a", "type": "text"}]}', "columns[2].name"),
        ('{"name": "posts", "columns": [{"name": "a", "type": "enum"}]}', "columns[1].values"),
        ('{"name": "posts", "columns": [{"name": "a", "type": "text"}], "access": {"read": "all"}}', "access.read"),
        ('{"name": "posts", "columns": [{"name": "a", "type": "integer", "default": "x"}]}', "columns[1].default"),
        ("\x00", "is not JSON"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_a_mistake_names_file_and_field(database: Database, tmp_path: Path, text: str, place: str) -> None:
    file = save(tmp_path, "posts.json", text)
    with pytest.raises(SchemaFileError) as raised:
        create_missing(database, tmp_path)
    assert str(raised.value).startswith(str(file))
    assert place in str(raised.value)
    assert not database.rows("SELECT 1 FROM sqlite_schema WHERE name = 'posts'")


def test_one_wrong_file_makes_none_of_the_tables(database: Database, tmp_path: Path) -> None:
    save(tmp_path, "a.json", json.dumps({**POSTS, "name": "a"}))
    save(tmp_path, "b.json", "{")
    with pytest.raises(SchemaFileError):
        create_missing(database, tmp_path)
    assert not database.rows("SELECT 1 FROM _orm_schemas")
