"""Roles in the template group, under the policy `group` (behaviour.md, Changes, "Roles"), against TableAccess and SQLite itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from goop2.storage.database import Database, open_database
from goop2.storage.errors import AccessError
from goop2.storage.policies import Visitor
from goop2.storage.registry_schema import create_schema
from goop2.storage.schema_declarations import apply_files
from goop2.storage.table_access import TableAccess
from goop2.storage.template_group import VIEWER, default_role, role_in, template_group

ROLES = {
    "author": {"read": True, "insert": True, "update": True, "delete": False},
    "viewer": {"read": True, "insert": False, "update": False, "delete": False},
}
ALL = dict.fromkeys(("read", "insert", "update", "delete"), "group")
POSTS = {"name": "posts", "columns": [{"name": "title", "type": "text"}], "access": ALL, "roles": ROLES}
OPERATIONS = {
    "read": ("query", {}),
    "insert": ("insert", {"data": {"title": "new"}}),
    "update": ("update", {"data": {"title": "changed"}}),
    "delete": ("delete", {}),
}
ALLOWED = {
    "author": {"read", "insert", "update own"},
    "viewer": {"read"},
    "": {"read"},  # the default role, `viewer`
    "broken": set(),
    "unknown": set(),
    None: set(),
    "owner": {"read", "insert", "update own", "update other", "delete own", "delete other"},
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(tmp_path / "data.db")
    create_schema(database)
    yield database
    database.close()


@pytest.fixture
def access(database: Database, tmp_path: Path) -> TableAccess:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/posts.json").write_text(json.dumps(POSTS))
    assert apply_files(database, tmp_path) == []
    return TableAccess(database)


def visitor(role: str | None, group: str = "g") -> Visitor:
    return Visitor("me", member=role is not None, roles={group: role})


def meta(database: Database, **values: str) -> None:
    for key, value in values.items():
        database.rows("INSERT OR REPLACE INTO _meta (key, value) VALUES (?, ?)", (key, value))


def may(access: TableAccess, who: Visitor, operation: str, **request: object) -> bool:
    name, rest = OPERATIONS[operation]
    try:
        access.perform(name, who, {"table": "posts", **rest, **request})
    except AccessError as error:
        code = error.code
    else:
        return True
    assert code in ("forbidden", "not_found")
    return False


@pytest.mark.parametrize("role", ALLOWED)
def test_a_role_opens_what_the_table_says_and_its_own_rows_alone(access: TableAccess, database: Database, role: str | None) -> None:
    odd = json.dumps({"read": 1, "insert": "yes", "update": None})
    database.rows("UPDATE _orm_schemas SET schema_json = json_set(schema_json, '$.roles.broken', json(?))", (odd,))
    allowed = set()
    for operation in OPERATIONS:
        for owner, name in (("me", "own"), ("else", "other")):
            database.rows("INSERT INTO posts (_id, _owner, title) VALUES (7, ?, 'x')", (owner,))
            own = operation in ("update", "delete")
            if may(access, visitor(role), operation, **({"id": 7} if own else {})):
                allowed.add(f"{operation} {name}" if own else operation)
            database.rows("DELETE FROM posts")
    assert allowed == ALLOWED[role]


@pytest.mark.parametrize("roles", [[], "author", 5, {"author": True}, {"author": ["insert"]}])
def test_roles_that_cannot_be_read_open_nothing(access: TableAccess, database: Database, roles: object) -> None:
    database.rows("UPDATE _orm_schemas SET schema_json = json_set(schema_json, '$.roles', json(?))", (json.dumps(roles),))
    assert not any(may(access, visitor("author"), operation, id=1) for operation in OPERATIONS)


def test_without_roles_every_member_may(access: TableAccess, database: Database) -> None:
    database.rows("UPDATE _orm_schemas SET schema_json = json_set(schema_json, '$.roles', json('{}'))")
    assert may(access, visitor(""), "insert")
    assert not may(access, visitor(None), "insert")


def test_the_template_group_is_the_one_meta_names_else_the_newest(database: Database) -> None:
    hosted = {"old": "author", "new": None}
    assert (template_group(database, hosted), role_in(database, hosted)) == ("new", "")
    meta(database, template_group_id="old")
    assert (template_group(database, hosted), role_in(database, hosted)) == ("old", "author")
    meta(database, template_group_id="gone")
    assert template_group(database, hosted) == "new"
    assert (template_group(database, {}), role_in(database, {})) == ("", "")


@pytest.mark.parametrize(
    ("text", "role"),
    [('{"default_role": "author"}', "author"), ("{}", VIEWER), ("[]", VIEWER), ("{", VIEWER), ('{"default_role": 5}', VIEWER)],
)
def test_a_member_without_a_role_has_the_templates_default_one(database: Database, text: str, role: str) -> None:
    meta(database, template_manifest=text)
    assert (default_role(database), role_in(database, {"g": ""})) == (role, role)


def test_the_role_operation_tells_the_role_and_its_permissions(access: TableAccess) -> None:
    told = access.perform("role", visitor("author"), {"table": "posts"})
    assert isinstance(told, dict)
    assert (told["role"], told["permissions"]) == ("author", ROLES["author"])
    told = access.perform("role", visitor(None), {"table": "posts"})
    assert isinstance(told, dict)
    assert (told["role"], told["permissions"]) == ("", None)
