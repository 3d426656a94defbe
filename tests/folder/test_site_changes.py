"""Changing the site's files: whole or not at all, and nowhere else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from goop2.folder.site_changes import SiteChangeError, remove, write
from goop2.folder.site_files import SiteFiles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "peer/site/lua").mkdir(parents=True)
    (tmp_path / "peer/site/lua/hello.lua").write_text("script")
    (tmp_path / "peer/goop.json").write_text("{}")
    return tmp_path / "peer"


@pytest.fixture
def site(folder: Path) -> SiteFiles:
    return SiteFiles(folder, [folder / "site/lua"])


def everything(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_file_is_put_with_its_folders_and_replaced_and_removed(site: SiteFiles) -> None:
    write(site, "/a/b/c.txt", b"one")
    write(site, "a/b/c.txt", b"two")
    assert site.read("a/b/c.txt", 10) == b"two"
    remove(site, "a/b/c.txt")
    assert site.listing() == []


def test_a_site_that_is_not_there_is_made(tmp_path: Path) -> None:
    write(SiteFiles(tmp_path, []), "index.html", b"front")
    assert (tmp_path / "site/index.html").read_text() == "front"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "..",
        "../goop.json",
        "a/../../goop.json",
        "lua/hello.lua",
        "lua/new.lua",
        "lua/functions/x.lua",
        ".env",
        "a/.git/x",
        ".a/x",
        "a//b",
        "a\0b",
        "a\ud800b",
    ],
)
def test_no_other_place_is_touched(site: SiteFiles, folder: Path, path: str) -> None:
    before = everything(folder)
    with pytest.raises(SiteChangeError):
        write(site, path, b"evil")
    with pytest.raises(SiteChangeError):
        remove(site, path)
    assert everything(folder) == before


@pytest.mark.parametrize("target", ["..", "/tmp", "lua", "../../peer"])
def test_no_link_is_followed_out_of_the_site_or_to_the_scripts(site: SiteFiles, folder: Path, target: str) -> None:
    (folder / "site/x").symlink_to(target)
    before = everything(folder)
    for path in ("x/evil.txt", "x/goop.json", "x/hello.lua", "x/new/evil.txt"):
        with pytest.raises(SiteChangeError):
            write(site, path, b"evil")
        with pytest.raises(SiteChangeError):
            remove(site, path)
    assert everything(folder) == before


def test_a_link_in_the_place_of_a_file_is_not_written_through(site: SiteFiles, folder: Path) -> None:
    (folder / "site/x.txt").symlink_to("../goop.json")
    with pytest.raises(SiteChangeError):
        write(site, "x.txt", b"evil")
    assert (folder / "goop.json").read_text() == "{}"


def test_a_folder_is_neither_replaced_nor_removed(site: SiteFiles, folder: Path) -> None:
    (folder / "site/a").mkdir()
    with pytest.raises(SiteChangeError):
        write(site, "a", b"evil")
    with pytest.raises(SiteChangeError):
        remove(site, "a")
    assert (folder / "site/a").is_dir()


def test_what_cannot_be_finished_leaves_the_old_file_and_no_rest(site: SiteFiles, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(site, "a.txt", b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SiteChangeError, match="No space left"):
        write(site, "a.txt", b"new")
    assert sorted(entry.name for entry in (folder / "site").iterdir()) == ["a.txt", "lua"]
    assert (folder / "site/a.txt").read_text() == "old"


@pytest.mark.parametrize("path", ["a/.b/c", "a/b/.c", "new/../x", "a/b/c/.d/e", "a/lua\ud800/x"])
def test_a_refused_upload_leaves_no_folder_behind(tmp_path: Path, path: str) -> None:
    (tmp_path / "site").mkdir()
    with pytest.raises(SiteChangeError):
        write(SiteFiles(tmp_path, []), path, b"x")
    assert list((tmp_path / "site").iterdir()) == []


def test_an_upload_that_fails_on_the_disk_leaves_no_folder_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "site/kept").mkdir(parents=True)
    monkeypatch.setattr("goop2.folder.site_changes.os.replace", full)
    with pytest.raises(SiteChangeError):
        write(SiteFiles(tmp_path, []), "kept/a/b/c.txt", b"x")
    assert [path.name for path in (tmp_path / "site").rglob("*")] == ["kept"]
