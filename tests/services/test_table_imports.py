"""Imports that the console begins: in parts, watched, stopped, and one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from goop2.services.table_imports import ImportState, TableImports, open_imports
from goop2.storage import table_import
from goop2.storage.database import FILE, Database, open_database
from goop2.storage.errors import StorageError
from goop2.storage.registry_schema import create_schema
from goop2.storage.table_import import ImportPlan
from goop2.storage.typed_tables import Owner, TypedTables

POSTS = ImportPlan(table="posts")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    (tmp_path / "data").mkdir()
    database = open_database(tmp_path / FILE)
    create_schema(database)
    TypedTables(database).create("posts", [{"name": "title", "type": "text"}, {"name": "points", "type": "integer"}])
    return database


@pytest_asyncio.fixture
async def imports(tmp_path: Path, database: Database) -> AsyncIterator[TableImports]:
    async with open_imports(tmp_path, Owner("me")) as opened:
        yield opened
    database.close()


async def sent(imports: TableImports, *parts: bytes) -> str:
    """Return the id of an import whose file is there."""
    name = (await imports.begin()).id
    offset = 0
    for part in parts:
        await imports.receive(name, offset, part)
        offset += len(part)
    return name


async def ended(imports: TableImports, name: str) -> ImportState:
    return await became(imports, name, "done", "refused", "failed")


async def became(imports: TableImports, name: str, *stages: str) -> ImportState:
    """Return the state as soon as the import is in one of `stages`."""
    for _ in range(20_000):
        if (state := imports.state(name)).stage in stages:
            return state
        await asyncio.sleep(0.001)
    raise AssertionError(f"never {stages}: {imports.state(name)}")


async def test_a_file_that_comes_in_parts_is_added(imports: TableImports, database: Database, tmp_path: Path) -> None:
    name = await sent(imports, b"title,po", b"ints\nOne,1\nTw", b"o,2\n")
    await imports.start(name, "csv", POSTS)
    state = await ended(imports, name)
    assert (state.stage, state.rows, state.wrong) == ("done", 2, 0)
    assert database.rows("SELECT title, points FROM posts") == [("One", 1), ("Two", 2)]
    assert list((tmp_path / "data").glob("import-*")) == []


async def test_wrong_rows_keep_all_from_being_added_and_are_told(imports: TableImports, database: Database) -> None:
    name = await sent(imports, b"title,points\nOne,1\nTwo,x\n")
    await imports.start(name, "csv", POSTS)
    state = await ended(imports, name)
    assert (state.stage, state.message) == ("refused", "1 of 2 rows are wrong, so none was added")
    assert [fault.place for fault in state.faults] == ["line 3"]
    assert database.rows("SELECT count(*) FROM posts") == [(0,)]


async def test_what_cannot_be_read_fails_in_a_sentence(imports: TableImports) -> None:
    name = await sent(imports, b"\xff\xfe\0")
    await imports.start(name, "csv", POSTS)
    state = await ended(imports, name)
    assert (state.stage, state.message) == ("failed", "it is UTF-16, not UTF-8: save it in that encoding")


async def test_a_stopped_import_leaves_nothing(
    imports: TableImports, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_import, "BATCH_SECONDS", 0.0)
    name = await sent(imports, b"title\n" + b"x\n" * 100_000)
    await imports.start(name, "csv", POSTS)
    await became(imports, name, "add")
    with pytest.raises(StorageError, match="an import is under way"):
        await imports.begin()
    imports.stop(name)
    state = await ended(imports, name)
    assert (state.stage, state.message) == ("failed", "the import was stopped; what it had added was taken back")
    assert database.rows("SELECT count(*) FROM posts") == [(0,)]
    assert list((tmp_path / "data").glob("import-*")) == []


async def test_parts_out_of_order_and_unknown_imports_are_refused(imports: TableImports) -> None:
    name = await sent(imports, b"title\n")
    with pytest.raises(StorageError, match="did not come in order"):
        await imports.receive(name, 3, b"x")
    for ask in (imports.state, imports.stop):
        with pytest.raises(StorageError, match="there is no such import any more"):
            ask("nosuch")
    imports.stop(name)
    with pytest.raises(StorageError, match="there is no such import"):
        await imports.start(name, "csv", POSTS)


async def test_files_that_a_stop_has_left_are_removed(imports: TableImports, tmp_path: Path) -> None:
    (tmp_path / "data/import-left.tmp").write_text("x")
    imports.sweep()
    assert list((tmp_path / "data").glob("import-*")) == []


async def test_the_beginning_of_a_file_is_shown(imports: TableImports) -> None:
    preview = await imports.preview(b"title,points\nOne,1\nTwo", "csv", POSTS, partial=True)
    assert preview.rows == [["One", "1"]]
