"""The versions of scripts: the last fifty, bounded in bytes, and never a reason for a save to fail."""

from __future__ import annotations

import random
import stat
import zlib
from pathlib import Path

import pytest

from goop2.folder import script_versions
from goop2.folder.script_changes import TEXT_MAX_BYTES, ScriptChangeError
from goop2.folder.script_versions import ALL_MAX_BYTES, FOLDER, KEPT_MAX, SCRIPT_MAX_BYTES, ScriptVersions


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in (folder / FOLDER).rglob("*.z"))


def noise(bytes_: int, seed: int) -> str:
    """Text that cannot be packed well."""
    return "".join(random.Random(seed).choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=bytes_))


def test_versions_are_listed_newest_first_and_read_again(tmp_path: Path) -> None:
    versions = ScriptVersions(tmp_path, lambda: 1000.0)
    for text in ("one", "two", "two", "three"):
        versions.record("command", "greet", text)
    listed = versions.listed("command", "greet")
    assert [versions.read("command", "greet", each.id) for each in listed] == ["three", "two", "one"]
    assert [each.at for each in listed] == sorted((each.at for each in listed), reverse=True)
    assert versions.listed("function", "greet") == []


def test_they_are_for_the_owner_alone(tmp_path: Path) -> None:
    ScriptVersions(tmp_path).record("command", "greet", "one")
    (file,) = (tmp_path / FOLDER).rglob("*.z")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_last_fifty_are_kept(tmp_path: Path) -> None:
    versions = ScriptVersions(tmp_path)
    for number in range(KEPT_MAX + 7):
        versions.record("function", "score", f"-- {number}")
    listed = versions.listed("function", "score")
    assert len(listed) == KEPT_MAX
    assert versions.read("function", "score", listed[0].id) == f"-- {KEPT_MAX + 6}"
    assert versions.read("function", "score", listed[-1].id) == "-- 7"


def test_a_script_of_one_megabyte_takes_a_bounded_place(tmp_path: Path) -> None:
    versions = ScriptVersions(tmp_path)
    for seed in range(8):
        versions.record("function", "large", noise(TEXT_MAX_BYTES, seed))
    assert size_of(tmp_path) <= SCRIPT_MAX_BYTES
    listed = versions.listed("function", "large")
    assert 2 <= len(listed) < 8
    assert versions.read("function", "large", listed[0].id) == noise(TEXT_MAX_BYTES, 7)


def test_all_scripts_together_take_a_bounded_place_and_each_keeps_its_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_versions, "ALL_MAX_BYTES", 20_000)
    versions = ScriptVersions(tmp_path)
    for number in range(6):
        for seed in range(4):
            versions.record("function", f"script-{number}", noise(2000, 10 * number + seed))
    assert all(versions.listed("function", f"script-{number}") for number in range(6))
    assert size_of(tmp_path) < 20_000 + 6 * 2000
    assert ALL_MAX_BYTES > 20_000


def test_a_clock_that_was_set_back_leaves_the_newest_at_the_top(tmp_path: Path) -> None:
    ScriptVersions(tmp_path, lambda: 5000.0).record("command", "greet", "one")
    versions = ScriptVersions(tmp_path, lambda: 10.0)
    versions.record("command", "greet", "two")
    assert versions.read("command", "greet", versions.listed("command", "greet")[0].id) == "two"


def test_a_renamed_script_keeps_its_versions(tmp_path: Path) -> None:
    versions = ScriptVersions(tmp_path)
    versions.record("command", "greet", "one")
    versions.rename("command", "greet", "hello")
    assert versions.listed("command", "greet") == []
    assert len(versions.listed("command", "hello")) == 1


@pytest.mark.parametrize("version", ["", "..", "../../goop", "1-0", "1-0123456789abcdef", "1-0123456789abcdef.z/x"])
def test_what_is_no_version_is_refused(tmp_path: Path, version: str) -> None:
    versions = ScriptVersions(tmp_path)
    versions.record("command", "greet", "one")
    with pytest.raises(ScriptChangeError):
        versions.read("command", "greet", version)


def test_a_file_that_unpacks_to_more_than_a_script_is_cut_there(tmp_path: Path) -> None:
    versions = ScriptVersions(tmp_path)
    versions.record("command", "greet", "one")
    (file,) = (tmp_path / FOLDER).rglob("*.z")
    file.write_bytes(zlib.compress(b"x" * (50 * TEXT_MAX_BYTES)))
    assert len(versions.read("command", "greet", file.stem)) <= TEXT_MAX_BYTES
    file.write_bytes(b"nothing packed")
    with pytest.raises(ScriptChangeError, match="cannot be read"):
        versions.read("command", "greet", file.stem)


def test_nothing_is_written_through_a_link_out_of_the_folder_and_a_save_goes_on(tmp_path: Path) -> None:
    (tmp_path / "peer/data").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "peer" / FOLDER).symlink_to(tmp_path / "elsewhere")
    versions = ScriptVersions(tmp_path / "peer")
    versions.record("command", "greet", "one")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert versions.listed("command", "greet") == []


def test_a_disk_that_takes_nothing_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(script_versions, "replace_whole", full)
    ScriptVersions(tmp_path).record("command", "greet", "one")
