"""The files that go along with the database: which, what is left out and said, and names from a place that somebody has changed."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from goop2.config import Settings
from goop2.services.backup import files
from goop2.services.backup.files import FolderFiles, unpack
from goop2.services.backup.program import BackupError
from goop2.storage.backup_archive import BackupArchive, open_archive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A peer folder with a file of each kind."""
    peer = tmp_path / "peer"
    for name in ("goop.json", "schemas/a.json", "site/index.html", "site/lua/hello.lua", "data/peers.json", "data/identity.key", "data.db"):
        (peer / name).parent.mkdir(parents=True, exist_ok=True)
        (peer / name).write_text(name)
    return peer


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[BackupArchive]:
    """An empty archive."""
    with open_archive(tmp_path / "archive.db") as opened:
        yield opened


def names(archive: BackupArchive) -> list[str]:
    return [each.name for each in archive.files()]


def test_settings_schemas_site_scripts_and_json_of_data_go_along(folder: Path, archive: BackupArchive) -> None:
    assert FolderFiles(folder, Settings()).save(archive) == (True, [])
    assert names(archive) == ["data/peers.json", "goop.json", "schemas/a.json", "site/index.html", "site/lua/hello.lua"]


def test_the_key_never_goes_along(folder: Path, archive: BackupArchive) -> None:
    FolderFiles(folder, Settings()).save(archive)
    assert not any("identity" in name or name.startswith("data.db") for name in names(archive))


def test_only_a_change_changes_the_archive(folder: Path, archive: BackupArchive) -> None:
    looked_at = FolderFiles(folder, Settings())
    assert looked_at.save(archive)[0] is True
    assert looked_at.save(archive)[0] is False
    (folder / "site/index.html").write_text("new")
    (folder / "site/lua/hello.lua").unlink()
    assert looked_at.save(archive)[0] is True
    assert b"".join(archive.read("site/index.html")) == b"new"
    assert "site/lua/hello.lua" not in names(archive)


def test_a_link_is_left_out_and_said(folder: Path, archive: BackupArchive, tmp_path: Path) -> None:
    (tmp_path / "private").write_text("secret")
    (folder / "site/link").symlink_to(tmp_path / "private")
    (folder / "site/folder").symlink_to(tmp_path)
    assert FolderFiles(folder, Settings()).save(archive)[1] == ["site/folder (a link)", "site/link (a link)"]
    assert "site/link" not in names(archive)


def test_a_file_that_is_too_large_is_left_out_and_said(folder: Path, archive: BackupArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FILE_MAX_BYTES", 20)
    (folder / "site/film").write_bytes(bytes(21))
    assert FolderFiles(folder, Settings()).save(archive)[1] == ["site/film (larger than 0 MB)"]


def test_a_pipe_holds_nobody_up(folder: Path, archive: BackupArchive) -> None:
    os.mkfifo(folder / "site/pipe")
    FolderFiles(folder, Settings()).save(archive)
    assert "site/pipe" not in names(archive)


def test_a_name_that_is_not_utf_8_is_left_out_and_said(folder: Path, archive: BackupArchive) -> None:
    (folder / "site" / os.fsdecode(b"\xff")).write_text("")
    assert FolderFiles(folder, Settings()).save(archive)[1] == ["site/\N{REPLACEMENT CHARACTER} (its name is not UTF-8)"]


def test_what_went_in_comes_out_with_private_files_private(folder: Path, archive: BackupArchive, tmp_path: Path) -> None:
    FolderFiles(folder, Settings()).save(archive)
    (tmp_path / "new").mkdir()
    assert unpack(archive, tmp_path / "new") == 5
    assert (tmp_path / "new/site/lua/hello.lua").read_text() == "site/lua/hello.lua"
    assert stat.S_IMODE((tmp_path / "new/goop.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new/data").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/etc/passwd",
        "site/../../outside",
        "site//double",
        "data/identity.key",
        "data/peer.sock",
        "data/a/b.json",
        "data/.hidden.json",
        "data.db",
        "data.db-wal/x",
        ".data.db-litestream/x",
        "other",
        "",
        "site/a\0b",
    ],
)
def test_a_name_that_no_peer_has_is_refused_before_anything_is_written(archive: BackupArchive, tmp_path: Path, name: str) -> None:
    with archive.changing():
        for each in ("goop.json", name):
            archive.put(each, io.BytesIO(b"x"), size=1, mode=0o644, changed_at=1, stamp="1")
    (tmp_path / "new").mkdir()
    with pytest.raises(BackupError, match="which no peer has"):
        unpack(archive, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
