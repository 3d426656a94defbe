"""kill -9 of a whole peer under load, at fifty random moments (two hundred in `make long`), and of a worker inside a write.

What was acknowledged is there, no transaction is there by half, and the file is sound (issue "Data", "Must hold").
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.hostile.loaded_peer import CALLERS
from tests.long import few_and_many
from tests.started import Started

from goop2.app import open_peer
from goop2.scripting.engine import Failure, Success

CHECKED_EVERY = 25
BEFORE_THE_FIRST_ANSWER = 0.1
"""Share of kills that hit a peer while it starts."""
START_SECONDS = 0.25
LOADED_SECONDS = 0.05
PATIENCE_SECONDS = 30.0

WRITE = """
function call(request)
  local caller, number = request.params.caller, request.params.number
  goop.db.transaction(function()
    assert(goop.schema.insert("first", {caller = caller, number = number}))
    assert(goop.schema.insert("second", {caller = caller, number = number}))
  end)
  local failed = goop.kv.set("last " .. caller, number)
  if failed then error(failed) end
  return number
end
"""
TABLES = [{"name": name, "columns": [{"name": each, "type": "integer"} for each in ("caller", "number")]} for name in ("first", "second")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site/lua/functions").mkdir(parents=True)
    (tmp_path / "schemas").mkdir()
    (tmp_path / "goop.json").write_text(json.dumps({"lua": {"enabled": True, "kv_enabled": True}}))
    (tmp_path / "site/lua/functions/write.lua").write_text(WRITE)
    for table in TABLES:
        (tmp_path / f"schemas/{table['name']}.json").write_text(json.dumps(table))
    return tmp_path


class Mother:
    """loaded_peer.py under way."""

    def __init__(self, folder: Path) -> None:
        self.process = Started[bytes](
            [sys.executable, "-m", "tests.hostile.loaded_peer", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._rest = b""
        self.acknowledged = dict.fromkeys(range(CALLERS), 0)
        self.answers = 0

    def lines(self, seconds: float) -> Iterator[str]:
        """What it says within so long."""
        assert self.process.stdout is not None
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.process.stdout], [], [], left)[0]:
                found = os.read(self.process.stdout.fileno(), 65536)
                assert found, "the mother is gone"
                *whole, self._rest = (self._rest + found).split(b"\n")
                yield from (line.decode() for line in whole)

    def until(self, word: str, seconds: float = PATIENCE_SECONDS) -> str:
        """Notes what is acknowledged until a line begins with `word`, or the first of all when it is empty; the line."""
        found = ""
        for line in self.lines(seconds):
            if line[0].isdigit():
                caller, number = map(int, line.split())
                self.acknowledged[caller] = number
                self.answers += 1
            if not found and line.startswith(word):
                found = line
                break
        return found

    def one_life(self, chance: random.Random) -> None:
        """A peer starts, works and is killed."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()
        pid = int(self.until("pid").split()[1])
        if chance.random() >= BEFORE_THE_FIRST_ANSWER:
            assert self.until(""), "the peer does not answer"
            self.until("never", chance.uniform(0, LOADED_SECONDS))
        else:
            self.until("never", chance.uniform(0, START_SECONDS))
        os.kill(pid, signal.SIGKILL)
        assert self.until("ended"), "the peer does not end"

    def __enter__(self) -> Mother:
        return self

    def __exit__(self, *failure: Any) -> None:
        self.process.__exit__(*failure)

    def stop(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        assert self.process.wait(PATIENCE_SECONDS) == 0
        self.process.stdout.close()


def check(folder: Path, mother: Mother) -> None:
    with closing(sqlite3.connect(folder / "data.db", isolation_level=None)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        # One snapshot of both tables: a worker outlives its peer by milliseconds, and may still commit whole what it had begun.
        database.execute("BEGIN")
        rows = [
            {(caller, number) for caller, number in database.execute(f"SELECT caller, number FROM {table}")}
            for table in ("first", "second")
        ]
        assert rows[0] == rows[1], "half a transaction"
        kept = dict(database.execute("SELECT key, value FROM _py_kv"))
        for caller, number in mother.acknowledged.items():
            if number:
                assert (caller, number) in rows[0], "an acknowledged transaction is lost"
                assert int(kept[f"last {caller}"]) >= number, "an acknowledged key is lost"


@few_and_many("moments", 50, 200)
def test_a_peer_killed_at_any_moment_loses_nothing_it_acknowledged(folder: Path, moments: int) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with Mother(folder) as mother:
        for moment in range(1, moments + 1):
            mother.one_life(chance)
            if moment % CHECKED_EVERY == 0:
                check(folder, mother)
        mother.stop()
    assert mother.answers > moments
    check(folder, mother)


async def test_a_worker_killed_inside_a_write_leaves_nothing_of_it_and_no_lock(folder: Path) -> None:
    hold = 'function call() goop.db.transaction(function() goop.schema.insert("first", {caller = 1, number = 1}) while true do end end) end'
    (folder / "site/lua/functions/hold.lua").write_text(hold)
    async with open_peer(folder, {}) as peer:
        for _ in range(5):
            held = asyncio.create_task(peer.engine.call(peer.owner, "hold", b"{}"))
            await asyncio.to_thread(_until_locked, folder)
            (worker,) = peer.pool._running
            os.kill(worker.pid, signal.SIGKILL)
            assert isinstance(await held, Failure)
            result = await peer.engine.call(peer.owner, "write", b'{"caller":1,"number":2}')
            assert isinstance(result, Success)
        with closing(sqlite3.connect(folder / "data.db")) as database:
            assert database.execute("SELECT count(*) FROM first WHERE number = 1").fetchone() == (0,)
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _until_locked(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "data.db", timeout=0, isolation_level=None)) as database:
        while True:
            try:
                database.execute("BEGIN IMMEDIATE")
                database.execute("ROLLBACK")
            except sqlite3.OperationalError:
                return
            time.sleep(0.005)
