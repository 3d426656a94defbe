"""Litestream's configuration: private, without secrets, and safe from what stands in paths."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from goop2.config.replica_place import parse_place
from goop2.services.backup import configuration
from goop2.services.backup.program import BackupError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"


def written(tmp_path: Path, place: str, database: Path = Path("/peer/data.db")) -> tuple[str, dict[str, Any]]:
    file = tmp_path / "litestream.json"
    configuration.write(file, parse_place(place), 3, {"data": database}, every=5, keep_days=2)
    return file.read_text(), json.loads(file.read_text())


def test_only_the_peers_user_may_read_it(tmp_path: Path) -> None:
    written(tmp_path, "file:///backup")
    assert stat.S_IMODE((tmp_path / "litestream.json").stat().st_mode) == 0o600


def test_each_database_has_a_folder_of_its_own_in_the_term(tmp_path: Path) -> None:
    _, document = written(tmp_path, "file:///backup/blog")
    assert document["dbs"][0]["replica"]["path"] == "/backup/blog/3/data"
    assert (document["dbs"][0]["replica"]["sync-interval"], document["snapshot"]["retention"]) == ("5s", "48h")


def test_a_bucket_is_told_with_its_endpoint(tmp_path: Path) -> None:
    _, document = written(tmp_path, "s3://bucket/a?endpoint=http://127.0.0.1:9000&force-path-style=true")
    replica = document["dbs"][0]["replica"]
    assert (replica["bucket"], replica["path"], replica["endpoint"], replica["force-path-style"]) == (
        "bucket",
        "a/3/data",
        "http://127.0.0.1:9000",
        True,
    )


def test_a_password_is_a_variable(tmp_path: Path) -> None:
    text, document = written(tmp_path, f"sftp://me@host:2222/a?host-key={KEY.replace(' ', '%20')}")
    replica = document["dbs"][0]["replica"]
    assert (replica["host"], replica["user"], replica["host-key"]) == ("host:2222", "me", KEY)
    assert '"password": "${GOOP2_SFTP_PASSWORD}"' in text


def test_a_dollar_in_a_path_names_no_variable(tmp_path: Path) -> None:
    text, _ = written(tmp_path, "file:///backup/$HOME", Path("/p/$(id)/data.db"))
    assert "$HOME" not in text
    assert '"/backup/${GOOP2_DOLLAR}HOME/3/data"' in text
    assert '"/p/${GOOP2_DOLLAR}(id)/data.db"' in text


def test_a_server_whose_key_nobody_knows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(BackupError, match="the key of the SFTP server host is not known"):
        written(tmp_path, "sftp://me@host/a")


def test_a_folder_whose_name_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="not UTF-8"):
        written(tmp_path, "file:///backup", Path("/p/\udcff/data.db"))
