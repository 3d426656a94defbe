"""kill -9 at fifty random moments (two hundred in `make long`): nothing acknowledged is lost, nothing half done is seen."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import NoReturn

from tests.long import few_and_many

from goop2.storage import key_value
from goop2.storage.database import Database, open_database
from goop2.storage.key_value import Store
from goop2.storage.registry_schema import create_schema

STORE = Store("function", "f")


def _write_for_ever(path: Path, acknowledge: int) -> NoReturn:
    database = open_database(path)
    while True:
        database.begin()
        database.changed("INSERT INTO first DEFAULT VALUES")
        number = database.last_id
        database.changed("INSERT INTO second (_id) VALUES (?)", (number,))
        database.commit()
        key_value.put(database, STORE, str(number % 500), str(number))
        os.write(acknowledge, number.to_bytes(8, "little"))


def _killed_while_writing(path: Path) -> int:
    """The last number acknowledged, 0 when none was."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _write_for_ever(path, write)
        finally:
            os._exit(1)
    os.close(write)
    time.sleep(random.uniform(0.0, 0.02))  # the moment is what is tried
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    with open(read, "rb") as acknowledged:  # noqa: PTH123 - a pipe
        return int.from_bytes(acknowledged.read()[-8:], "little")


@few_and_many("moments", 50, 200)
def test_what_was_acknowledged_survives_every_kill(tmp_path: Path, moments: int) -> None:
    path = tmp_path / "data.db"
    database = open_database(path)
    create_schema(database)
    for table in ("first", "second"):
        database.rows(f"CREATE TABLE {table} (_id INTEGER PRIMARY KEY AUTOINCREMENT)")
    database.close()
    kept = 0
    for moment in range(moments):
        kept = max(kept, _killed_while_writing(path))
        if moment % 20 == 0:
            _check(path, kept)
    assert kept > moments
    _check(path, kept)


def _check(path: Path, kept: int) -> None:
    database: Database = open_database(path)
    try:
        assert database.scalar("PRAGMA integrity_check") == "ok"
        first, second = (database.rows(f"SELECT count(*), max(_id) FROM {table}") for table in ("first", "second"))
        assert first == second, "half a transaction"
        assert first[0][0] == (first[0][1] or 0), "a hole"
        assert int(str(first[0][1] or 0)) >= kept
        assert int(key_value.get(database, STORE, str(kept % 500)) or 0) >= kept
    finally:
        database.close()
