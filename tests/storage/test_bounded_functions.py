"""Statements where no kernel ends the process: each function soon done, otherwise SQLite's own; time and memory bounded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from goop2.storage.bounded_functions import PRODUCTS
from goop2.storage.database import Database, open_database
from goop2.storage.errors import StorageError
from goop2.storage.guard import QUERY
from goop2.storage.limits import STATEMENT_MEMORY_MAX_BYTES

LONG, PART = "hex(zeroblob(1000000))", "hex(zeroblob(50000))"
NUMBERS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 40000) SELECT x FROM n"
OBJECT = f"(SELECT json_group_object({{0}} || x, 1) FROM ({NUMBERS}))"
SLOW = {
    "instr": f"instr({LONG}, {PART} || '1')",
    "replace": f"length(replace({LONG}, {PART} || '1', ''))",
    "trim": f"length(trim({PART}, replace({PART}, '0', '1') || '0'))",
    "ltrim": f"length(ltrim({PART}, replace({PART}, '0', '1') || '0'))",
    "rtrim": f"length(rtrim({PART}, replace({PART}, '0', '1') || '0'))",
    "unhex": f"length(unhex(replace({PART}, '0', 'z'), replace({PART}, '0', 'y') || 'z'))",
    "json_patch": f"length(json_patch({OBJECT.format(1)}, {OBJECT.format(2)}))",
    "jsonb_patch": f"length(jsonb_patch({OBJECT.format(1)}, {OBJECT.format(2)}))",
}
"""Function → where it works for many seconds inside one step."""
SAME = (
    "instr('abcä', 'ä')", "instr(x'0102', x'02')", "instr(12345, 34)", "instr(NULL, 1)", "instr('a', '')",
    "replace('aXbX', 'X', 'yy')", "replace(1.50, '.', ',')", "replace('a', '', 'b')", "replace(NULL, 1, 2)",
    "trim('  a ')", "trim('xxayx', 'xy')", "ltrim('  a ')", "rtrim('aüü', 'ü')", "trim(NULL)", "typeof(trim(5))",
    "hex(unhex('ab cd', ' '))", "unhex('zz')", "hex(unhex('AB'))", "json_patch('{\"a\":1}', '{\"a\":null,\"b\":2}')",
    "json(jsonb_patch('{\"a\":1}', '{\"b\":2}'))", f"instr({LONG}, '1')",
)  # fmt: skip
VALUES = "(VALUES " + ", ".join(f"({number})" for number in range(20)) + ")"


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Database]:
    database = open_database(tmp_path / "data.db", watchful=True)
    yield database
    database.close()


def test_every_bounded_function_is_tried() -> None:
    assert set(SLOW) == set(PRODUCTS)


@pytest.mark.parametrize("name", SLOW)
def test_a_function_that_would_work_for_long_is_refused_before_it_begins(patient: Database, name: str) -> None:
    with pytest.raises(StorageError, match=f"^{name} of so long values is not done here"):
        patient.query(QUERY, f"SELECT {SLOW[name]}")


@pytest.mark.parametrize("expression", SAME)
def test_what_is_soon_done_is_what_sqlite_makes_of_it(patient: Database, expression: str) -> None:
    found = patient.rows(f"SELECT {expression}")
    assert found == apsw.Connection(":memory:").execute(f"SELECT {expression}").fetchall()


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (f"SELECT replace({LONG}, '0', {PART})", "larger than the database takes"),
        (f"SELECT {LONG} LIKE '%0{'_' * 200}1'", "pattern too complex"),
        (f"SELECT {LONG} GLOB '*{'[0-9]' * 50}1'", "pattern too complex"),
        ("SELECT trim(1, 2, 3)", "wrong number of arguments"),
    ],
)
def test_what_is_too_much_is_told(patient: Database, sql: str, message: str) -> None:
    with pytest.raises(StorageError, match=message):
        patient.query(QUERY, sql)


@pytest.mark.parametrize(
    "hungry",
    [
        f"count(DISTINCT randomblob(1000000)) FROM {VALUES} a, {VALUES} b",
        f"count(*) FROM (SELECT randomblob(1000000) FROM {VALUES} a, {VALUES} b UNION SELECT 1)",
        f"count(*) FROM (SELECT lag(x, 300) OVER (ORDER BY 1) FROM (SELECT zeroblob(1000000) || '' AS x FROM {VALUES} a, {VALUES} b))",
    ],
    ids=["distinct", "union", "window"],
)
def test_a_statement_that_takes_memory_is_ended(patient: Database, hungry: str) -> None:
    patient.bound(time.monotonic() + 60)
    before = apsw.memory_high_water(True)
    with pytest.raises(StorageError, match="more memory than it may have"):
        patient.query(QUERY, f"SELECT {hungry}")
    assert apsw.memory_high_water() - before < 2.5 * STATEMENT_MEMORY_MAX_BYTES
    assert patient.scalar("SELECT 1") == 1


def test_a_function_makes_nothing_large_on_its_way(patient: Database) -> None:
    before = apsw.memory_high_water(True)
    with pytest.raises(StorageError, match="larger than the database takes"):
        patient.query(QUERY, f"SELECT replace({LONG}, '0', '{'x' * 100}')")
    assert apsw.memory_high_water() - before < STATEMENT_MEMORY_MAX_BYTES
