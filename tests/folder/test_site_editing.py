"""Files of the site by version: two editors never overwrite each other unseen, and what cannot be served cannot be edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from goop2.folder import site_editing
from goop2.folder.site_changes import SiteChangeError, SiteFileMissingError
from goop2.folder.site_editing import PICTURE_MAX_BYTES, TEXT_MAX_BYTES, SiteConflictError
from goop2.folder.site_files import SiteFiles

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def files(tmp_path: Path) -> SiteFiles:
    for path in ("site/lua", "site/css", "data"):
        (tmp_path / path).mkdir(parents=True)
    for path in ("site/index.html", "site/css/a.css", "site/lua/x.lua", "data/identity.key"):
        (tmp_path / path).write_text(f"of {path}")
    return SiteFiles(tmp_path, [tmp_path / "site/lua"])


def test_a_file_is_saved_over_the_version_that_was_read(files: SiteFiles) -> None:
    shown = site_editing.read(files, "index.html")
    assert shown.text == "of site/index.html"
    version = site_editing.save(files, "index.html", b"one", shown.version)
    assert (site_editing.read(files, "index.html").text, site_editing.read(files, "index.html").version) == ("one", version)
    with pytest.raises(SiteConflictError, match="changed meanwhile"):
        site_editing.save(files, "index.html", b"two", shown.version)
    with pytest.raises(SiteConflictError, match="changed meanwhile"):
        site_editing.delete(files, "index.html", shown.version)
    assert (files.root / "index.html").read_text() == "one"
    assert not [path for path in files.root.iterdir() if path.name.startswith(".")]


def test_a_new_file_takes_nobodys_place(files: SiteFiles) -> None:
    site_editing.save(files, "new/page.html", b"new", "")
    with pytest.raises(SiteConflictError, match="already"):
        site_editing.save(files, "new/page.html", b"other", "")
    with pytest.raises(SiteConflictError, match="already"):
        site_editing.rename(files, "index.html", "new/page.html")
    assert (files.root / "new/page.html").read_text() == "new"
    site_editing.save(files, "new/page.html", b"replaced", None)
    with pytest.raises(SiteConflictError, match="removed or renamed"):
        site_editing.save(files, "gone.html", b"x", "some version")


def test_a_file_moves_and_folders_without_files_go(files: SiteFiles) -> None:
    site_editing.rename(files, "css/a.css", "styles/all/b.css")
    assert not (files.root / "css").exists()
    assert (files.root / "styles/all/b.css").read_text() == "of site/css/a.css"
    site_editing.delete(files, "styles/all/b.css")
    assert sorted(path.name for path in files.root.iterdir()) == ["index.html", "lua"]


@pytest.mark.parametrize("path", ["lua/x.lua", "lua/new.lua", ".hidden", "a/.b", "../data/identity.key", "", "a//b", "a" * 2000])
def test_other_places_are_refused(files: SiteFiles, path: str) -> None:
    with pytest.raises(SiteChangeError):
        site_editing.save(files, path, b"x", None)
    with pytest.raises(SiteChangeError):
        site_editing.rename(files, "index.html", path)
    with pytest.raises(SiteChangeError):
        site_editing.rename(files, path, "taken.html")
    with pytest.raises(SiteChangeError):
        site_editing.delete(files, path)
    if path:
        with pytest.raises(SiteFileMissingError):
            site_editing.read(files, path)
    assert (files.root / "lua/x.lua").read_text() == "of site/lua/x.lua"
    assert not (files.root / "taken.html").exists()


def test_a_link_is_not_written_through(files: SiteFiles, tmp_path: Path) -> None:
    (files.root / "link.txt").symlink_to(tmp_path / "data/identity.key")
    (files.root / "folder").symlink_to(tmp_path / "data")
    for path in ("link.txt", "folder/identity.key"):
        with pytest.raises(SiteChangeError):
            site_editing.save(files, path, b"x", None)
        with pytest.raises(SiteChangeError):
            site_editing.rename(files, path, "stolen.txt")
    assert (tmp_path / "data/identity.key").read_text() == "of data/identity.key"


def test_what_cannot_be_edited_says_why(files: SiteFiles) -> None:
    for name, content, why in (
        ("a.bin", b"\xff\0", "no UTF-8 text"),
        ("b.txt", b"x" * (TEXT_MAX_BYTES + 1), "too many to be edited"),
        ("c.txt", b"x" * (PICTURE_MAX_BYTES + 1), "too many to be edited"),
        ("d.png", PNG, "a picture"),
    ):
        (files.root / name).write_bytes(content)
        shown = site_editing.read(files, name)
        assert (shown.text, why in shown.why, shown.size) == (None, True, len(content))
    assert site_editing.read(files, "d.png").picture.startswith("data:image/png;base64,")
    (files.root / "e.svg").write_text("<svg/>")
    assert (site_editing.read(files, "e.svg").text, bool(site_editing.read(files, "e.svg").picture)) == ("<svg/>", True)
