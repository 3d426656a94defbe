"""Sentences that are said once."""

from __future__ import annotations

import json
from pathlib import Path

from goop2.app import open_peer
from goop2.storage.database import open_database
from goop2.storage.told import not_told

GOOP2 = {"identity": {}, "paths": {}, "lua": {"enabled": True}}
OFF = "goop.http and goop.kv, on in Goop2"


def test_a_sentence_is_told_until_it_has_been(tmp_path: Path) -> None:
    database = open_database(tmp_path / "data.db")
    for told, telling, expected in (
        ("a", False, "a"),
        ("a", True, "a"),
        ("a", True, ""),
        ("a", False, ""),
        ("b", True, "b"),
        ("", True, ""),
    ):
        assert not_told(database, told, telling=telling) == expected
    database.close()


async def test_what_is_off_here_is_said_at_the_first_start_alone(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    for watch, said in ((False, True), (True, True), (True, False), (False, False)):
        (tmp_path / "goop.json").write_text(json.dumps(GOOP2))
        async with open_peer(tmp_path, {}, watch=watch) as peer:
            assert any(warning.startswith(OFF) for warning in peer.warnings) is said
