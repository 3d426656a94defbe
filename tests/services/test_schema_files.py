"""Schema files are applied at start and as they are saved, and what is wrong with them is kept for the owner."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from goop2.services.schema_files import SchemaFiles
from goop2.storage.migrations import open_folder

PATIENCE_SECONDS = 15.0
POSTS = {"name": "posts", "columns": [{"name": "title", "type": "text"}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    open_folder(tmp_path, tmp_path / "site/lua")[0].close()
    return tmp_path


def save(folder: Path, document: object, name: str = "posts.json") -> None:
    (folder / "schemas").mkdir(exist_ok=True)
    (folder / "schemas" / name).write_text(document if isinstance(document, str) else json.dumps(document))


def columns(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "data.db")) as database:
        return [row[1] for row in database.execute("PRAGMA table_info(posts)") if not row[1].startswith("_")]


async def eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110 - what is waited for is in a file
            await asyncio.sleep(0.02)


@pytest_asyncio.fixture
async def watched(folder: Path) -> AsyncIterator[SchemaFiles]:
    files, stop = SchemaFiles(folder), asyncio.Event()
    watching = asyncio.create_task(files.watch(stop))
    yield files
    stop.set()
    await watching


async def test_a_file_that_was_there_is_applied_once(folder: Path) -> None:
    save(folder, POSTS)
    files = SchemaFiles(folder)
    await files.apply()
    assert columns(folder) == ["title"]
    assert files.warnings == ()


async def test_a_database_that_cannot_be_used_is_a_warning_and_tried_again(folder: Path) -> None:
    save(folder, POSTS)
    content = (folder / "data.db").read_bytes()
    (folder / "data.db").write_bytes(b"no database at all, but some text that is long enough to be looked at" * 20)
    files = SchemaFiles(folder)
    await files.apply()
    assert "were not applied" in files.warnings[0]
    (folder / "data.db").write_bytes(content)
    await files.apply()
    assert files.warnings == ()
    assert columns(folder) == ["title"]


async def test_a_file_saved_while_the_peer_runs_makes_its_table_and_its_new_columns(folder: Path, watched: SchemaFiles) -> None:
    save(folder, POSTS)
    await eventually(lambda: columns(folder) == ["title"])
    save(folder, {**POSTS, "columns": [*POSTS["columns"], {"name": "stars", "type": "integer"}]})
    await eventually(lambda: columns(folder) == ["title", "stars"])
    assert watched.warnings == ()


async def test_a_broken_save_is_a_warning_that_goes_when_it_is_mended(folder: Path, watched: SchemaFiles) -> None:
    save(folder, "{")
    await eventually(lambda: bool(watched.warnings))
    assert "posts.json: it is not JSON" in watched.warnings[0]
    save(folder, POSTS)
    await eventually(lambda: not watched.warnings)
    (folder / "schemas/posts.json").write_text("{{")
    await eventually(lambda: bool(watched.warnings))
    (folder / "schemas/posts.json").unlink()
    await eventually(lambda: not watched.warnings)


async def test_no_file_is_applied_while_files_and_tables_change_together(folder: Path) -> None:
    files = SchemaFiles(folder)
    with files.held():
        save(folder, POSTS)
        applying = asyncio.create_task(files.apply())
        await asyncio.sleep(0.05)  # what does not wait would be done
        assert (applying.done(), columns(folder)) == (False, [])
    await applying
    assert columns(folder) == ["title"]
