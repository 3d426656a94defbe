"""schemas/*.json: missing tables are made, new optional columns added, and nothing in a file stops anything or opens a table wider."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from goop2.storage.database import Database
from goop2.storage.schema_declarations import FILE_MAX_BYTES, WARNINGS_MAX, apply_files
from goop2.storage.typed_tables import Owner, TypedTables

TITLE = {"name": "title", "type": "text", "required": True}
POSTS = {"name": "posts", "columns": [TITLE], "access": {"insert": "email"}}
LOCAL = dict.fromkeys(("read", "insert", "update", "delete"), "local")


def save(folder: Path, text: str | bytes | Mapping[str, object], name: str = "posts.json") -> Path:
    (folder / "schemas").mkdir(exist_ok=True)
    file = folder / "schemas" / name
    content = text if isinstance(text, str | bytes) else json.dumps(text)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def names(database: Database) -> list[object]:
    return [name for (name,) in database.rows("SELECT table_name FROM _orm_schemas ORDER BY 1")]


def policies(database: Database, table: str = "posts") -> dict[str, str]:
    return dict(TypedTables(database).table(table).access)


def test_a_missing_table_is_made_as_its_file_says(database: Database, tmp_path: Path) -> None:
    save(tmp_path, POSTS)
    assert apply_files(database, tmp_path) == []
    table = TypedTables(database).table("posts")
    assert [column.name for column in table.columns] == ["title"]
    assert table.access == {"read": "open", "insert": "email", "update": "owner", "delete": "owner"}
    assert database.rows("SELECT name, insert_policy FROM _tables") == [("posts", "email")]


def test_without_a_folder_there_is_nothing_to_say(database: Database, tmp_path: Path) -> None:
    assert apply_files(database, tmp_path) == []


def test_the_networks_form_with_its_further_fields_is_read(database: Database, tmp_path: Path) -> None:
    columns = [{"name": "state", "type": "enum", "key": False, "required": False, "auto": False, "values": [{"key": "a", "label": "A"}]}]
    save(tmp_path, {"name": "jobs", "columns": columns, "system_key": True, "context": {"any": "thing"}})
    assert apply_files(database, tmp_path) == []
    assert TypedTables(database).table("jobs").columns[0].values == (("a", "A"),)


def test_an_enum_without_values_takes_any_text(database: Database, tmp_path: Path) -> None:
    save(tmp_path, {"name": "jobs", "columns": [{"name": "state", "type": "enum", "values": []}]})
    assert apply_files(database, tmp_path) == []
    assert TypedTables(database).insert("jobs", {"state": "whatever"}, Owner("me")) == 1


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"name": "posts", "columns": [}', "line 1, column 31"),
        ("[]", "must be an object"),
        ("", "it is empty"),
        ("  \n", "it is empty"),
        ('{"name": "posts"}', "columns must be a list of at least one column"),
        ('{"name": "posts", "columns": []}', "columns must be a list of at least one column"),
        ('{"name": "_posts", "columns": []}', "name"),
        ('{"name": "posts", "columns": [{"name": "a", "type": "number"}]}', "columns[1].type"),
        ('{"name": "posts", "columns": [{"name": "a", "type": "text"}, {"name": "a", "type": "text"}]}', "columns[2].name"),
        ('{"name": "posts", "columns": [{"name": "a", "type": "integer", "default": "x"}]}', "columns[1].default"),
        ("\x00", "is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        (b'{"name": "posts", "columns": [{"name": "gr\xfc\xdfe", "type": "text"}]}', "it is not UTF-8 (byte 43)"),
        ('{"name": "posts", "columns": [{"name": "a", "type": "text"}]}'.encode("utf-16"), "it is not UTF-8"),
    ],
)
def test_a_broken_file_is_one_warning_with_file_and_place_and_others_go_on(
    database: Database, tmp_path: Path, text: str | bytes, place: str
) -> None:
    file = save(tmp_path, text)
    save(tmp_path, {**POSTS, "name": "zebras"}, "zebras.json")
    (warning,) = apply_files(database, tmp_path)
    assert warning.startswith(f"{file}: ")
    assert place in warning
    assert warning.endswith("No table is made of it")
    assert names(database) == ["zebras"]


def test_what_is_no_regular_file_is_a_warning_and_holds_nobody(database: Database, tmp_path: Path) -> None:
    save(tmp_path, POSTS)
    os.mkfifo(tmp_path / "schemas/pipe.json")
    (tmp_path / "schemas/folder.json").mkdir()
    (tmp_path / "schemas/nothing.json").symlink_to("nowhere")
    (tmp_path / "schemas/zero.json").symlink_to("/dev/zero")
    save(tmp_path, b" " * (FILE_MAX_BYTES + 1), "large.json")
    warnings = "\n".join(apply_files(database, tmp_path))
    assert "pipe.json is passed over: it is a named pipe" in warnings
    assert "folder.json is passed over: it is a folder" in warnings
    assert "nothing.json is passed over: it is a link to nothing" in warnings
    assert "zero.json is passed over: it is a device" in warnings
    assert "large.json is passed over: it is larger than" in warnings
    assert names(database) == ["posts"]


@pytest.mark.parametrize("name", ["._posts.json", ".#posts.json", "posts.json~", "posts.json.swp", "README.md", "posts.JSON.bak"])
def test_leftovers_of_editors_and_other_files_are_passed_over(database: Database, tmp_path: Path, name: str) -> None:
    save(tmp_path, "not a schema", name)
    assert apply_files(database, tmp_path) == []


def test_a_byte_order_mark_is_no_part_of_a_file(database: Database, tmp_path: Path) -> None:
    save(tmp_path, "\ufeff" + json.dumps(POSTS))
    assert apply_files(database, tmp_path) == []


# ── a table that is registered ───────────────────────────────────────────────────────────────


def test_a_table_that_is_there_stays_as_it_is_whatever_the_file_says(database: Database, tmp_path: Path) -> None:
    typed = TypedTables(database)
    typed.create("posts", [{"name": "body", "type": "text"}, {"name": "title", "type": "integer"}])
    typed.insert("posts", {"body": "kept"}, Owner("me"))
    before = database.rows("SELECT * FROM _orm_schemas")
    save(tmp_path, {**POSTS, "columns": [TITLE, {"name": "slug", "type": "text", "key": True}]})
    (warning,) = apply_files(database, tmp_path)
    assert "the column title is declared otherwise than in the table" in warning
    assert "the column slug is new and required" in warning
    assert "the table has a column body that the file does not have" in warning
    assert "access is declared otherwise than in the table" in warning
    assert database.rows("SELECT * FROM _orm_schemas") == before
    assert database.rows("SELECT body FROM posts") == [("kept",)]


def test_new_optional_columns_of_a_file_are_added(database: Database, tmp_path: Path) -> None:
    save(tmp_path, POSTS)
    apply_files(database, tmp_path)
    TypedTables(database).insert("posts", {"title": "x"}, Owner("me"))
    save(tmp_path, {**POSTS, "columns": [TITLE, {"name": "stars", "type": "integer", "default": 3}]})
    assert apply_files(database, tmp_path) == []
    assert database.rows("SELECT title, stars FROM posts") == [("x", 3)]
    assert TypedTables(database).table("posts").column("stars") is not None


def test_a_file_never_changes_the_policies_of_a_table(database: Database, tmp_path: Path) -> None:
    save(tmp_path, {**POSTS, "access": {"read": "local"}})
    apply_files(database, tmp_path)
    save(tmp_path, {**POSTS, "access": {"read": "open"}})
    (warning,) = apply_files(database, tmp_path)
    assert "its policies are not changed by a file" in warning
    assert policies(database)["read"] == "local"


def test_a_table_of_that_name_that_is_not_typed_is_a_warning(database: Database, tmp_path: Path) -> None:
    database.rows("CREATE TABLE Posts (x)")
    save(tmp_path, POSTS)
    (warning,) = apply_files(database, tmp_path)
    assert "there is a table Posts already that is not typed" in warning


# ── what nobody understands ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"acess": {"read": "local"}}, "acess is not known; did you mean access?"),
        ({"Access": {"read": "local"}}, "Access is not known; did you mean access?"),
        ({"role": {}}, "role is not known; did you mean roles?"),
        ({"access": {"raed": "local"}}, "access.raed is not an operation; there are read, insert, update, delete; did you mean read?"),
        ({"access": {"read": "ownr"}}, "allowed is open, group, email, owner, local; did you mean owner?"),
        ({"roles": {"editor": {"delte": True}}}, "true or false; did you mean delete?"),
        ({"access": {"read": "nobody"}}, 'access.read is "nobody"; allowed is open, group, email, owner, local'),
        ({"access": {"read": ["local"]}}, "access.read is a list"),
        ({"access": "local"}, 'access is "local"; it should be an object'),
        ({"access": {"read": "local", "newer": "x"}}, "access.newer is not an operation"),
        ({"columns": [{"name": "title", "type": "text", "requird": True}]}, "columns[1].requird is not known; did you mean required?"),
        ({"columns": [{"name": "s", "type": "enum", "values": [{"key": "a", "lable": "A"}]}]}, "columns[1].values[1].lable is not known"),
        ({"roles": {"editor": {"reed": True}}}, "roles.editor.reed"),
        ({"roles": {"editor": {"read": "yes"}}}, "roles.editor.read"),
        ({"roles": ["editor"]}, "roles should be an object"),
    ],
)
def test_what_may_mean_a_narrower_policy_makes_a_new_table_local(
    database: Database, tmp_path: Path, change: dict[str, object], place: str
) -> None:
    file = save(tmp_path, {**POSTS, **change})
    (warning,) = apply_files(database, tmp_path)
    assert warning.startswith(f"{file}: ")
    assert place in warning
    assert "until that is mended the table posts is for you alone (local)" in warning
    assert policies(database) == LOCAL
    assert apply_files(database, tmp_path) == [warning]


def test_a_mended_file_gives_the_table_the_policies_it_says(database: Database, tmp_path: Path) -> None:
    save(tmp_path, {**POSTS, "acess": {"read": "owner"}})
    apply_files(database, tmp_path)
    save(tmp_path, {**POSTS, "access": {"read": "owner"}})
    assert apply_files(database, tmp_path) == []
    assert policies(database) == {"read": "owner", "insert": "owner", "update": "owner", "delete": "owner"}
    assert database.rows("SELECT insert_policy FROM _tables") == [("owner",)]
    save(tmp_path, {**POSTS, "access": {"read": "open"}})  # mended once: from now on it is registered like any other
    apply_files(database, tmp_path)
    assert policies(database)["read"] == "owner"


def test_a_registered_table_keeps_its_policies_and_it_is_said_who_may_read(database: Database, tmp_path: Path) -> None:
    save(tmp_path, POSTS)
    apply_files(database, tmp_path)
    save(tmp_path, {**POSTS, "acess": {"read": "local"}})
    (warning,) = apply_files(database, tmp_path)
    assert "did you mean access?" in warning
    assert "the table posts keeps the policies it is registered with, so anyone may read it" in warning
    assert policies(database)["read"] == "open"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"name": "posts", "colums": []}', "colums is not known; did you mean columns?; columns must be a list of at least one column"),
        ('{"nmae": "posts", "columns": [{"name": "a", "type": "text"}]}', "nmae is not known; did you mean name?; name is null"),
        ('{"name": "posts", "columns": [{"name": "a", "type": "intger"}]}', "time, enum; did you mean integer?"),
        (
            '{"name": "posts", "columns": [{"name": "a", "typ": "text"}]}',
            "columns[1].typ is not known; did you mean type?; columns[1].type",
        ),
    ],
)
def test_a_misspelt_word_that_leaves_no_table_is_asked_about(database: Database, tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "schemas").mkdir(exist_ok=True)
    (tmp_path / "schemas/posts.json").write_text(text)
    (warning,) = apply_files(database, tmp_path)
    assert problem in warning
    assert warning.endswith("No table is made of it")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            '{"name": "posts", "columns": [{"name": "a", "type": "text"}], "access": {"read": "local"}, "access": {"read": "open"}}',
            "access",
        ),
        ('{"name": "posts", "columns": [{"name": "a", "type": "text"}], "access": {"read": "local", "read": "open"}}', "access.read"),
        ('{"name": "posts", "columns": [{"name": "a", "type": "text", "type": "real"}]}', "columns[1].type"),
    ],
)
def test_a_key_that_is_there_twice_makes_no_table(database: Database, tmp_path: Path, text: str, place: str) -> None:
    (tmp_path / "schemas").mkdir(exist_ok=True)
    (tmp_path / "schemas/posts.json").write_text(text)
    (warning,) = apply_files(database, tmp_path)
    assert f"posts.json: {place} is there twice, and only one of the two would count: make one of them. No table" in warning
    assert database.rows("SELECT 1 FROM sqlite_schema WHERE name = 'posts'") == []


@pytest.mark.parametrize("key", ["encrypted_at_rest", "version", "description", "$schema"])
def test_a_key_of_a_newer_program_is_named_and_changes_nothing(database: Database, tmp_path: Path, key: str) -> None:
    save(tmp_path, {**POSTS, key: "x"})
    (warning,) = apply_files(database, tmp_path)
    assert warning.endswith(f": {key} is not known")
    assert policies(database)["read"] == "open"


def test_roles_are_kept_with_the_policies_as_declared(database: Database, tmp_path: Path) -> None:
    roles = {"editor": {"read": True, "insert": True, "update": False, "delete": False}}
    save(tmp_path, {**POSTS, "access": {"read": "group", "insert": "group"}, "roles": roles})
    assert apply_files(database, tmp_path) == []
    assert policies(database) == {"read": "group", "insert": "group", "update": "owner", "delete": "owner"}
    assert json.loads(str(database.scalar("SELECT schema_json FROM _orm_schemas")))["roles"] == roles
    assert TypedTables(database).table("posts").rights == roles


def test_warnings_have_an_end(database: Database, tmp_path: Path) -> None:
    for number in range(WARNINGS_MAX + 5):
        save(tmp_path, "{", f"t{number}.json")
    warnings = apply_files(database, tmp_path)
    assert len(warnings) == WARNINGS_MAX + 1
    assert warnings[-1].startswith("5 more files in ")


def test_a_dropped_table_is_no_longer_held(database: Database, tmp_path: Path) -> None:
    from goop2.storage.table_changes import delete_table

    save(tmp_path, {**POSTS, "acess": {}})
    apply_files(database, tmp_path)
    with database.atomic():
        delete_table(database, {"table": "posts"})
    TypedTables(database).create("posts", [TITLE], {"access": {"read": "local"}})
    save(tmp_path, POSTS)
    apply_files(database, tmp_path)
    assert policies(database)["read"] == "local"


def test_a_file_of_endless_slips_is_one_short_warning_that_names_those_that_close_first(database: Database, tmp_path: Path) -> None:
    strange = {f"later{number}": 1 for number in range(1000)}
    save(tmp_path, {**POSTS, **strange, "x" * 100_000: 1, "\x1b[31mred": 1, "acess": {}, "access": {"y" * 100_000: "open"}})
    (warning,) = apply_files(database, tmp_path)
    assert len(warning) < 2000
    assert "\x1b" not in warning
    assert "did you mean access?" in warning.split("; later")[0]
    assert "994 more keys of it are not known" in warning
    assert warning.endswith("for you alone (local)")
