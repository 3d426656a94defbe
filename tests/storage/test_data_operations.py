"""The declaration of data operations: complete, without repeats, and true of what carries them out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from goop2.protocols.data import DataRequest
from goop2.storage.data_operations import BY_NAME, DATA_OPERATIONS, TABLE_OPERATIONS
from goop2.storage.database import open_database
from goop2.storage.errors import AccessError
from goop2.storage.policies import Visitor
from goop2.storage.registry_schema import create_schema
from goop2.storage.table_access import OPERATIONS, TableAccess

OWNER = Visitor("owner", owner=True)


GOOD = {"table": "notes", "data": {"title": "tea"}, "id": 1, "expr": "count(*)", "where": "1", "key_col": "title", "new_name": "lines"}
"""Values of keys with which most operations succeed."""


@contextmanager
def opened(path: Path) -> Iterator[TableAccess]:
    """A database with a table."""
    with closing(open_database(path)) as database:
        create_schema(database)
        access = TableAccess(database)
        access.perform("create-table", OWNER, {"name": "notes", "column_defs": [{"name": "title", "type": "text"}]})
        yield access


def outcome(path: Path, name: str, visitor: Visitor, request: Mapping[str, object]) -> object:
    """What an operation answers, or complains of, on a new database."""
    with opened(path) as access:
        try:
            return access.perform(name, visitor, request)
        except AccessError as error:
            return error.code, str(error)


def test_no_two_operations_have_a_name_or_a_path_in_common() -> None:
    assert len({operation.name for operation in DATA_OPERATIONS}) == len(DATA_OPERATIONS)
    assert len({operation.path for operation in DATA_OPERATIONS}) == len(DATA_OPERATIONS)


def test_every_operation_on_tables_is_carried_out() -> None:
    assert set(OPERATIONS) == TABLE_OPERATIONS


def test_the_keys_are_those_that_the_data_protocol_carries() -> None:
    keys = {key for operation in DATA_OPERATIONS for key in operation.keys}
    assert keys == {field.name for field in msgspec.structs.fields(DataRequest)} - {"op"}


@pytest.mark.parametrize("name", sorted(TABLE_OPERATIONS))
def test_an_operation_reads_no_key_that_is_not_declared(tmp_path: Path, name: str) -> None:
    keys = BY_NAME[name].keys
    declared = {key: value for key, value in GOOD.items() if key in keys}
    # No operation takes this value for any key.
    others = {key: object() for operation in DATA_OPERATIONS for key in operation.keys if key not in keys}
    first, second = (outcome(tmp_path / file, name, OWNER, request) for file, request in (("a", declared), ("b", others | declared)))
    times = re.compile(r"\d\d:\d\d:\d\d")
    assert times.sub("", str(first)) == times.sub("", str(second))


@pytest.mark.parametrize("name", sorted(TABLE_OPERATIONS))
def test_what_is_for_the_owner_alone_is_refused_to_others(tmp_path: Path, name: str) -> None:
    answer = str(outcome(tmp_path / "a", name, Visitor("eve"), {"table": "nosuch"}))
    assert ("is for the owner" in answer) is BY_NAME[name].owner_only
