"""The owner's change of goop.json: checked as a start checks it, whole or not at all, nothing of anybody else touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goop2.config import SettingsError
from goop2.config.editing import BACKUP, SettingsConflictError, UnknownSettingError, save, show

DOCUMENT = {"zebra": [1], "lua": {"theirs": "ü", "timeout_seconds": 3}, "identity": {"key_file": "k"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "goop.json").write_text(json.dumps(DOCUMENT))
    return tmp_path


def _now(folder: Path) -> object:
    return json.loads((folder / "goop.json").read_text())


def test_what_is_no_setting_stays_and_keeps_its_place(folder: Path) -> None:
    save(folder, {"lua.timeout_seconds": 7, "profile.label": "Ann"}, show(folder).version, {})
    assert _now(folder) == DOCUMENT | {"lua": {"theirs": "ü", "timeout_seconds": 7}, "profile": {"label": "Ann"}}
    assert list(json.loads((folder / "goop.json").read_text())) == ["zebra", "lua", "identity", "profile"]


def test_what_stood_there_before_is_kept(folder: Path) -> None:
    before = (folder / "goop.json").read_bytes()
    save(folder, {"lua.enabled": True}, show(folder).version, {})
    assert (folder / BACKUP).read_bytes() == before


def test_null_takes_a_setting_out(folder: Path) -> None:
    assert "lua.timeout_seconds" not in save(folder, {"lua.timeout_seconds": None}, show(folder).version, {}).values


@pytest.mark.parametrize(
    "changes",
    [{"lua.timeout_seconds": 99}, {"lua.enabled": "yes"}, {"lua.script_dir": "../elsewhere"}, {"lua.enabled": True, "p2p.listen_port": -1}],
)
def test_what_would_not_start_is_not_saved(folder: Path, changes: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="allowed is"):
        save(folder, changes, show(folder).version, {})
    assert _now(folder) == DOCUMENT
    assert sorted(path.name for path in folder.iterdir()) == ["goop.json"]


@pytest.mark.parametrize("path", ["lua.nosuch", "identity.nosuch", "lua", "zebra.x"])
def test_only_settings_are_changed(folder: Path, path: str) -> None:
    with pytest.raises(UnknownSettingError):
        save(folder, {path: 1}, show(folder).version, {})
    assert _now(folder) == DOCUMENT


def test_a_file_changed_meanwhile_is_left_alone(folder: Path) -> None:
    version = show(folder).version
    (folder / "goop.json").write_text("{}")
    with pytest.raises(SettingsConflictError):
        save(folder, {"lua.enabled": True}, version, {})
    assert _now(folder) == {}


def test_the_files_rights_and_a_link_to_it_stay(folder: Path) -> None:
    real = folder / "real.json"
    (folder / "goop.json").rename(real)
    real.chmod(0o640)
    (folder / "goop.json").symlink_to("real.json")
    save(folder, {"lua.enabled": True}, show(folder).version, {})
    assert (folder / "goop.json").is_symlink()
    assert real.stat().st_mode & 0o777 == (folder / BACKUP).stat().st_mode & 0o777 == 0o640
