"""What of a site anybody may see: links in every direction, hidden names, the scripts under whatever name, pipes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from goop2.folder.site_files import FileNotServedError, SiteFiles, SiteFileTooLargeError, SiteFolderError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A peer folder with a site, its scripts, and something private beside the site."""
    peer = tmp_path / "peer"
    scripts = peer / "site/lua/functions"
    scripts.mkdir(parents=True)
    (scripts / "secret.lua").write_text("return 'key'")
    (peer / "site/lua/hello.lua").write_text("return 'key'")
    (peer / "site/index.html").write_text("front")
    (peer / "site/blog").mkdir()
    (peer / "site/blog/index.html").write_text("blog")
    (peer / "site/blog/a b.txt").write_text("text")
    (peer / "goop.json").write_text("{}")
    return peer


@pytest.fixture
def site(folder: Path) -> SiteFiles:
    return SiteFiles(folder, [folder / "site/lua"])


@pytest.fixture(autouse=True)
def _no_descriptor_is_left_open() -> Iterator[None]:
    before = psutil.Process().num_fds()
    yield
    assert psutil.Process().num_fds() == before


@pytest.mark.parametrize("name", ["goop.json", "goop.json.bak", "data.db", "data.db-wal", "data/identity.key", "data/logs/peer.log"])
def test_a_hard_link_to_a_private_file_is_not_served(site: SiteFiles, folder: Path, name: str) -> None:
    private = folder / name
    private.parent.mkdir(parents=True, exist_ok=True)
    private.write_text("secret")
    (folder / "site/copy.txt").hardlink_to(private)
    (folder / "site/link.txt").symlink_to("copy.txt")
    assert served(site, "/copy.txt") is None
    assert served(site, "/link.txt") is None
    assert not {"copy.txt", "link.txt"} & {each.path for each in site.listing()}


def test_other_hard_links_are_served(site: SiteFiles, folder: Path) -> None:
    (folder / "site/twin.txt").hardlink_to(folder / "site/index.html")
    assert served(site, "/twin.txt") == served(site, "/index.html") == "front"


def served(site: SiteFiles, path: str) -> str | None:
    """The content, or None when nobody gets it."""
    try:
        return site.read(path, 1000).decode()
    except FileNotServedError:
        return None


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/", "front"),
        ("", "front"),
        ("index.html", "front"),
        ("/index.html", "front"),
        ("/blog/", "blog"),
        ("blog/a b.txt", "text"),
    ],
)
def test_a_file_is_served_by_its_path_and_a_folder_by_its_index(site: SiteFiles, path: str, content: str) -> None:
    assert served(site, path) == content


@pytest.mark.parametrize(
    "path",
    [
        "/absent.txt",
        "/blog/absent/",
        "/index.html/",
        "/index.html/x",
        "../goop.json",
        "/../goop.json",
        "/blog/../index.html",
        "/blog/./index.html",
        "//index.html",
        "/blog//index.html",
        "/index.html\0.txt",
        "/\ud800",
        "/lua/hello.lua",
        "/lua/functions/secret.lua",
        "/lua/",
        "/" + "a/" * 600,
        "/" + "ä" * 300,
    ],
)
def test_nothing_else_is(site: SiteFiles, path: str) -> None:
    assert served(site, path) is None


def test_a_folder_without_its_slash_says_so(site: SiteFiles) -> None:
    with pytest.raises(SiteFolderError):
        site.open("/blog")


@pytest.mark.parametrize("path", [".env", ".git/config", "blog/.draft.html", ".hidden/index.html"])
def test_names_that_begin_with_a_dot_are_not_served(site: SiteFiles, folder: Path, path: str) -> None:
    file = folder / "site" / path
    file.parent.mkdir(exist_ok=True)
    file.write_text("private")
    assert served(site, path) is None


def test_a_link_inside_the_site_is_followed_wherever_it_leads_there(site: SiteFiles, folder: Path) -> None:
    (folder / "site/today").symlink_to("blog")
    (folder / "site/blog/home.html").symlink_to("../index.html")
    (folder / "site/absolute.html").symlink_to(folder / "site/blog/index.html")
    assert served(site, "/today/") == "blog"
    assert served(site, "/today/home.html") == "front"
    assert served(site, "/absolute.html") == "blog"


@pytest.mark.parametrize(
    "target",
    [
        "../goop.json",
        "/etc/hostname",
        "blog/../../goop.json",
        "../../peer/goop.json",
        "lua/hello.lua",
        "blog/../lua/hello.lua",
        ".env",
        "x.txt",
    ],
)
def test_a_link_out_of_the_site_to_scripts_or_to_itself_is_not(site: SiteFiles, folder: Path, target: str) -> None:
    (folder / "site/.env").write_text("private")
    (folder / "site/x.txt").symlink_to(target)
    assert served(site, "/x.txt") is None
    assert "x.txt" not in [listed.path for listed in site.listing()]


@pytest.mark.parametrize("target", ["..", "/", "lua", "blog/../lua", "../site/lua"])
def test_a_folder_that_is_a_link_out_or_to_the_scripts_is_not(site: SiteFiles, folder: Path, target: str) -> None:
    (folder / "site/x").symlink_to(target)
    assert served(site, "/x/goop.json") is None
    assert served(site, "/x/hello.lua") is None
    assert served(site, "/x/etc/hostname") is None


def test_scripts_are_not_served_whatever_their_folder_is_called(folder: Path) -> None:
    (folder / "site/lua").rename(folder / "site/scripts")
    site = SiteFiles(folder, [folder / "site/scripts"])
    assert served(site, "/scripts/hello.lua") is None
    assert served(site, "/scripts/functions/secret.lua") is None


def test_scripts_are_not_served_where_the_script_folder_is_a_link(folder: Path) -> None:
    (folder / "site/lua").rename(folder / "site/real")
    (folder / "lua").symlink_to("site/real")
    site = SiteFiles(folder, [folder / "lua"])
    assert served(site, "/real/hello.lua") is None
    assert not [listed.path for listed in site.listing() if "hello" in listed.path]


def test_nothing_is_served_where_the_whole_site_is_the_script_folder(folder: Path) -> None:
    site = SiteFiles(folder, [folder / "site"])
    assert served(site, "/index.html") is None
    assert site.listing() == []


def test_a_hard_link_to_a_script_is_a_script(site: SiteFiles, folder: Path) -> None:
    os.link(folder / "site/lua/functions/secret.lua", folder / "site/x.txt")
    os.link(folder / "site/index.html", folder / "site/front.html")
    assert served(site, "x.txt") is None
    assert served(site, "front.html") == "front"
    assert [listed.path for listed in site.listing()] == ["blog/a b.txt", "blog/index.html", "front.html", "index.html"]


def test_a_name_that_is_no_text_does_not_spoil_the_listing(site: SiteFiles, folder: Path) -> None:
    try:
        (Path(os.fsdecode(os.fsencode(folder / "site") + b"/bad\xff.txt"))).write_text("x")
    except OSError:
        pytest.skip("this file system takes no such name")
    assert [listed.path for listed in site.listing()] == ["blog/a b.txt", "blog/index.html", "index.html"]


def test_a_pipe_is_neither_served_nor_waited_for(site: SiteFiles, folder: Path) -> None:
    os.mkfifo(folder / "site/pipe")
    assert served(site, "/pipe") is None


def test_a_site_that_is_not_there_serves_nothing(tmp_path: Path) -> None:
    site = SiteFiles(tmp_path, [tmp_path / "site/lua"])
    assert served(site, "/") is None
    assert site.listing() == []


def test_a_file_put_in_place_while_a_path_is_walked_does_not_get_out(
    site: SiteFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every component is swapped for a link to the outside the moment before it is opened."""
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "index.html").write_text("private")
    really_open = os.open

    def swap_then_open(path: str, flags: int, *rest: int, dir_fd: int | None = None) -> int:
        if path == "blog":
            (folder / "site/blog").rename(folder / "site/moved")
            (folder / "site/blog").symlink_to(outside)
        return really_open(path, flags, *rest, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swap_then_open)
    assert served(site, "/blog/index.html") is None


def test_reading_has_an_end(site: SiteFiles, folder: Path) -> None:
    (folder / "site/large.bin").write_bytes(b"x" * 1001)
    with pytest.raises(SiteFileTooLargeError, match=r"large\.bin is 1001 bytes; the most is 1000"):
        site.read("/large.bin", 1000)


def test_the_listing_holds_what_is_served_and_nothing_else(site: SiteFiles, folder: Path) -> None:
    (folder / "site/.env").write_text("private")
    (folder / "site/link.html").symlink_to("index.html")
    os.mkfifo(folder / "site/pipe")
    assert [(listed.path, listed.size) for listed in site.listing()] == [
        ("blog/a b.txt", 4),
        ("blog/index.html", 4),
        ("index.html", 5),
        ("link.html", 5),
    ]
