"""The owner changes tables by hand: database, registries and the file in schemas/ change together, or nothing does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from goop2.storage import schema_declarations
from goop2.storage.columns import OPERATIONS, POLICIES
from goop2.storage.database import Database, open_database
from goop2.storage.errors import StorageError
from goop2.storage.policies import Visitor
from goop2.storage.policy_sentences import POLICY_SENTENCES
from goop2.storage.registry_check import check
from goop2.storage.registry_schema import user_tables
from goop2.storage.table_access import TableAccess
from goop2.storage.table_design import TableDesign, column_of_text, policies_of_words
from goop2.storage.typed_tables import Owner, TypedTables

ME = Owner("me")
POSTS = {
    "name": "posts",
    "columns": [{"name": "title", "type": "text", "required": True}, {"name": "body", "type": "text"}],
    "access": {"read": "open", "insert": "email"},
    "theirs": {"kept": True},
}


@pytest.fixture
def design(database: Database, tmp_path: Path) -> TableDesign:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/posts.json").write_text(json.dumps(POSTS))
    schema_declarations.apply_files(database, tmp_path)
    TypedTables(database).insert("posts", {"title": "One", "body": "b"}, ME)
    return TableDesign(database, tmp_path)


def document(folder: Path, name: str = "posts") -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / f"schemas/{name}.json").read_text())
    return found


def state(database: Database, folder: Path) -> tuple[object, ...]:
    """All that a change may touch."""
    return (
        database.rows("SELECT name, sql FROM sqlite_schema ORDER BY name"),
        database.rows("SELECT name, schema, insert_policy FROM _tables ORDER BY name"),
        database.rows("SELECT table_name, schema_json FROM _orm_schemas ORDER BY table_name"),
        sorted((path.name, path.read_text()) for path in (folder / "schemas").iterdir()),
    )


def agree(database: Database, folder: Path) -> list[str]:
    """What a start would say of registries and schema files."""
    return [*check(database), *schema_declarations.apply_files(database, folder)]


def test_a_table_is_made_with_its_policies(database: Database, design: TableDesign) -> None:
    columns = [{"name": "code", "type": "text", "key": True}, {"name": "state", "type": "enum", "values": ["new", "old"], "default": "new"}]
    design.create("games", columns, {"read": "local"})
    typed = TypedTables(database).table("games")
    assert typed.access == {"read": "local", "insert": "owner", "update": "owner", "delete": "owner"}
    TypedTables(database).insert("games", {"code": "a"}, ME)
    assert database.rows("SELECT code, state FROM games") == [("a", "new")]
    with pytest.raises(StorageError, match="there is a table posts already; names differ in more than capitals"):
        design.create("Posts", columns)


def test_a_column_is_added_renamed_and_dropped_in_table_registry_and_file(database: Database, design: TableDesign, tmp_path: Path) -> None:
    assert design.add_column("posts", {"name": "likes", "type": "integer", "required": True, "default": 0}) == [
        "schemas/posts.json was changed with it"
    ]
    design.rename_column("posts", "body", "text")
    assert database.rows("SELECT title, text, likes FROM posts") == [("One", "b", 0)]
    assert [column.name for column in TypedTables(database).table("posts").columns] == ["title", "text", "likes"]
    design.drop_column("posts", "likes")
    assert document(tmp_path)["columns"] == [POSTS["columns"][0], {"name": "text", "type": "text"}]  # type: ignore[index]
    assert document(tmp_path)["theirs"] == {"kept": True}
    (warning,) = agree(database, tmp_path)
    assert warning == f"{tmp_path / 'schemas/posts.json'}: theirs is not known"


def test_a_dropped_column_does_not_come_back_from_the_file(database: Database, design: TableDesign, tmp_path: Path) -> None:
    design.drop_column("posts", "body")
    schema_declarations.apply_files(database, tmp_path)
    assert [column.name for column in TypedTables(database).table("posts").columns] == ["title"]


def test_a_renamed_table_takes_its_file_along(database: Database, design: TableDesign, tmp_path: Path) -> None:
    assert design.rename("posts", "articles") == ["schemas/posts.json is schemas/articles.json now"]
    schema_declarations.apply_files(database, tmp_path)
    assert user_tables(database) == ["articles"]
    assert document(tmp_path, "articles")["name"] == "articles"
    assert not (tmp_path / "schemas/posts.json").exists()


def test_a_dropped_table_stays_away_and_its_file_is_put_aside(database: Database, design: TableDesign, tmp_path: Path) -> None:
    before = (tmp_path / "schemas/posts.json").read_text()
    assert design.drop("posts") == ["schemas/posts.json is schemas/posts.json.dropped now"]
    schema_declarations.apply_files(database, tmp_path)
    assert user_tables(database) == []
    assert database.rows("SELECT name FROM _tables") == []
    assert (tmp_path / "schemas/posts.json.dropped").read_text() == before


def test_policies_are_changed_in_registry_and_file(database: Database, design: TableDesign, tmp_path: Path) -> None:
    design.allow("posts", {"read": "local", "insert": "open"})
    assert TypedTables(database).table("posts").access == {"read": "local", "insert": "open", "update": "owner", "delete": "owner"}
    assert document(tmp_path)["access"] == {"read": "local", "insert": "open", "update": "owner", "delete": "owner"}
    assert database.scalar("SELECT insert_policy FROM _tables WHERE name = 'posts'") == "open"


def test_a_table_without_a_file_changes_as_well(database: Database, design: TableDesign) -> None:
    design.create("games", [{"name": "a", "type": "text"}, {"name": "b", "type": "text"}])
    assert design.drop_column("games", "a") == []
    assert design.rename("games", "plays") == []
    assert design.drop("plays") == []


def test_a_classic_and_an_unregistered_table_change_as_well(database: Database, design: TableDesign) -> None:
    owner = Visitor("me", owner=True)
    TableAccess(database).perform("create-table", owner, {"name": "notes", "column_defs": [{"name": "a", "type": "text"}]})
    design.add_column("notes", {"name": "b", "type": "integer", "default": 3})
    design.rename_column("notes", "a", "c")
    design.allow("notes", {"insert": "open"})
    assert database.scalar("SELECT insert_policy FROM _tables WHERE name = 'notes'") == "open"
    database.rows("CREATE TABLE loose (x, y)")
    design.rename_column("loose", "x", "z")
    design.drop_column("loose", "y")
    with pytest.raises(StorageError, match="loose has no column _id, so nobody but you can use it"):
        design.allow("loose", {"insert": "open"})
    design.rename("loose", "looser")
    design.drop("looser")
    assert user_tables(database) == ["notes", "posts"]


def test_a_column_of_an_index_of_its_own_takes_the_index_with_it(database: Database, design: TableDesign) -> None:
    database.rows("CREATE INDEX of_body ON posts (body)")
    notes = design.drop_column("posts", "body")
    assert "the index of_body was of that column alone and is gone too" in notes
    assert database.rows("SELECT 1 FROM sqlite_schema WHERE name = 'of_body'") == []


REFUSED: dict[str, tuple[Callable[[TableDesign], object], str]] = {
    "no such table": (lambda design: design.drop("nope"), 'there is no table "nope"; tables here: keyed, posts'),
    "a table of the peer's own": (lambda design: design.drop("_tables"), 'there is no table "_tables"'),
    "no name": (lambda design: design.create("", [{"name": "a", "type": "text"}]), "name is"),
    "a name that is taken": (lambda design: design.rename("posts", "keyed"), "there is a table keyed already"),
    "a name of other capitals": (lambda design: design.rename("posts", "Posts"), "differ in capitals alone"),
    "a name of the peer's": (lambda design: design.rename("posts", "_posts"), "allowed is a letter"),
    "no such column": (lambda design: design.drop_column("posts", "nope"), 'posts has no column "nope"; its columns are title, body'),
    "the peer's own column": (lambda design: design.drop_column("posts", "_owner"), "posts._owner is the peer's own column"),
    "a part of the key": (lambda design: design.drop_column("keyed", "code"), "part of the table's key"),
    "a column that is taken": (lambda design: design.rename_column("posts", "body", "Title"), "posts has a column title already"),
    "the same name": (lambda design: design.rename_column("posts", "body", "body"), "is called so already"),
    "a bad name": (lambda design: design.rename_column("posts", "body", "a b"), "allowed is a letter"),
    "a required one without a default": (
        lambda design: design.add_column("posts", {"name": "x", "type": "text", "required": True}),
        "needs a default or must not be required",
    ),
    "a key": (lambda design: design.add_column("posts", {"name": "x", "type": "text", "key": True}), "cannot be a key"),
    "an unknown type": (lambda design: design.add_column("posts", {"name": "x", "type": "varchar"}), "allowed is text, integer"),
    "a wrong default": (
        lambda design: design.add_column("posts", {"name": "x", "type": "integer", "default": "a"}),
        "takes a whole number",
    ),
    "a column that is there": (lambda design: design.add_column("posts", {"name": "TITLE", "type": "text"}), "has a column title already"),
    "an unknown policy": (lambda design: design.allow("posts", {"read": "everybody"}), "allowed is open, group, email, owner, local"),
    "an unknown operation": (lambda design: design.allow("posts", {"look": "open"}), "there are read, insert, update, delete"),
    "no policy": (lambda design: design.allow("posts", {}), "no policy was given"),
    "an index of two columns": (lambda design: design.drop_column("keyed", "a"), "part of the index of_two"),
    "a view stands on it": (lambda design: design.drop_column("posts", "body"), "titles"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_a_sentence_and_changes_nothing(database: Database, design: TableDesign, tmp_path: Path, name: str) -> None:
    TypedTables(database).create(
        "keyed", [{"name": "code", "type": "text", "key": True}, *({"name": each, "type": "text"} for each in "ab")]
    )
    database.rows("CREATE INDEX of_two ON keyed (a, b)")
    if name == "a view stands on it":
        database.rows("CREATE VIEW titles AS SELECT title, body FROM posts")
    before = state(database, tmp_path)
    change, sentence = REFUSED[name]
    with pytest.raises(StorageError) as refused:
        change(design)
    assert sentence in str(refused.value)
    assert state(database, tmp_path) == before


def test_the_last_column_stays(design: TableDesign) -> None:
    design.drop_column("posts", "body")
    with pytest.raises(StorageError, match="the table's last column: drop the table"):
        design.drop_column("posts", "title")


def test_a_file_that_cannot_be_changed_keeps_the_table_as_it_is(
    database: Database, design: TableDesign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(database, tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StorageError, match=r"schemas/posts\.json declares the table and cannot be changed: No space left on device"):
        design.drop_column("posts", "body")
    assert state(database, tmp_path) == before


def test_whoever_has_the_table_open_sees_the_change(path: Path, database: Database, design: TableDesign) -> None:
    """A running peer looks at a table anew for each request, also through its views of it."""
    other = open_database(path)
    visitor, access = Visitor("someone"), TableAccess(other)
    assert access.perform("query", visitor, {"table": "posts", "columns": ["title", "body"]}) == [{"title": "One", "body": "b"}]
    design.rename_column("posts", "body", "text")
    assert access.perform("query", visitor, {"table": "posts", "columns": ["text"]}) == [{"text": "b"}]
    design.rename("posts", "articles")
    assert access.perform("query", visitor, {"table": "articles", "columns": ["text"]}) == [{"text": "b"}]
    design.allow("articles", {"read": "local"})
    with pytest.raises(StorageError, match="you may not read articles"):
        access.perform("query", visitor, {"table": "articles"})
    other.close()


def test_words_of_the_command_line_describe_columns() -> None:
    assert column_of_text("title:text:required") == {"name": "title", "type": "text", "required": True}
    assert column_of_text("state:enum:values=a,b:default=a") == {"name": "state", "type": "enum", "values": ["a", "b"], "default": "a"}
    assert column_of_text("n:integer:default=-3") == {"name": "n", "type": "integer", "default": -3}
    assert column_of_text("x:real:default=0.5") == {"name": "x", "type": "real", "default": 0.5}
    assert column_of_text("url:text:default=http://a:80/") == {"name": "url", "type": "text", "default": "http://a:80/"}
    for wrong in ("title", ":text", "title:", "title:text:requird", "title:text:required=1"):
        with pytest.raises(StorageError):
            column_of_text(wrong)
    assert policies_of_words(["read=open", "insert=email"]) == {"read": "open", "insert": "email"}
    with pytest.raises(StorageError, match="write a policy as read=open"):
        policies_of_words(["read"])


def test_every_policy_of_every_operation_has_its_sentence() -> None:
    assert {operation: sorted(sentences) for operation, sentences in POLICY_SENTENCES.items()} == {
        each: sorted(POLICIES) for each in OPERATIONS
    }
