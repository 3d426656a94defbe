"""What a connection of the peer and one of a worker do with a commit: `storage.synchronous`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.scripting.workshop import OPERATION_RULES

from goop2.app import open_peer
from goop2.sandbox.data_calls import DataCalls
from goop2.scripting.engine import Success
from goop2.storage.database import open_database
from goop2.storage.file_quota import FileCare
from goop2.storage.migrations import open_folder

NORMAL, FULL = 1, 2
"""SQLite's words for it."""
SAVE = 'function call() return assert(goop.schema.insert("kept", {word = "saved"})) end'
TABLE = {
    "name": "kept",
    "columns": [{"name": "word", "type": "text"}],
    "access": {"read": "open", "insert": "open", "update": "owner", "delete": "owner"},
}


@pytest.mark.parametrize(("synced", "mode"), [(False, NORMAL), (True, FULL)])
def test_a_connection_syncs_each_commit_when_its_owner_wants_that(tmp_path: Path, synced: bool, mode: int) -> None:
    database = open_database(tmp_path / "data.db", care=FileCare(synced=synced))
    assert database.connection.pragma("synchronous") == mode
    database.close()


def test_that_of_a_worker_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.sandbox.data_calls.limit_heap", lambda _bytes: None)
    open_folder(tmp_path, tmp_path)[0].close()
    data = DataCalls(tmp_path / "data.db", kv_enabled=True, synced=True, rules=OPERATION_RULES)
    assert data._database.connection.pragma("synchronous") == FULL
    data._database.close()


async def test_a_peer_whose_owner_wants_it_runs_scripts_that_write_behind_the_wall(tmp_path: Path) -> None:
    (tmp_path / "site/lua/functions").mkdir(parents=True)
    (tmp_path / "site/lua/functions/save.lua").write_text(SAVE)
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/kept.json").write_text(json.dumps(TABLE))
    (tmp_path / "goop.json").write_text(json.dumps({"lua": {"enabled": True}, "storage": {"synchronous": "full"}}))
    async with open_peer(tmp_path, {}) as peer:
        assert peer.health.for_peer.synced
        assert peer.health.for_callers.synced
        assert peer.database.connection.pragma("synchronous") == FULL
        assert await peer.engine.call(peer.owner, "save") == Success(b"1")
