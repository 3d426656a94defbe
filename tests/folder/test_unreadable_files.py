"""What the system cannot give just now is not said to be absent: no descriptor left, a broken disk, no permission."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.web.served import served

from goop2.folder.site_changes import SiteWriteError, remove, write
from goop2.folder.site_files import FileNotServedError, SiteFiles, UnreadableError
from goop2.protocols import site as protocol
from goop2.web.http.saved_ports import FILE, SavedPorts

REASONS = [errno.EMFILE, errno.ENFILE, errno.EIO, errno.EACCES]
Refuse = Callable[[int, str], None]


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Makes the system refuse to open files whose name ends so, for a reason; 0 ends that."""
    real, refused = os.open, {"": 0}

    def opened(path: Any, *arguments: Any, **named: Any) -> int:
        for name, number in refused.items():
            if number and str(path).endswith(name):
                raise OSError(number, os.strerror(number), path)
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, "open", opened)

    def set_(number: int, name: str) -> None:
        refused.clear()
        refused[name] = number

    return set_


@pytest.fixture
def site(tmp_path: Path) -> SiteFiles:
    scripts = tmp_path / "site/lua"
    scripts.mkdir(parents=True)
    (scripts / "secret.lua").write_text("return 'key'")
    (tmp_path / "site/page.html").write_text("page")
    (tmp_path / "site/blog").mkdir()
    (tmp_path / "site/blog/index.html").write_text("blog")
    return SiteFiles(tmp_path, [scripts])


@pytest.mark.parametrize("number", REASONS)
def test_a_file_that_cannot_be_opened_is_not_absent(site: SiteFiles, refuse: Refuse, number: int) -> None:
    refuse(number, "page.html")
    with pytest.raises(UnreadableError, match=os.strerror(number)):
        site.read("page.html", 100)
    refuse(0, "")
    assert site.read("page.html", 100) == b"page"


@pytest.mark.parametrize("number", REASONS)
def test_a_folder_that_cannot_be_opened_is_not_absent(site: SiteFiles, refuse: Refuse, number: int) -> None:
    refuse(number, "blog")
    with pytest.raises(UnreadableError):
        site.open("blog/")


def test_what_is_not_there_stays_absent(site: SiteFiles) -> None:
    for path in ("none", "none/none", "page.html/x", "x" * 300, "lua/secret.lua"):
        with pytest.raises(FileNotServedError):
            site.open(path)


def test_a_hard_link_is_not_served_while_the_scripts_cannot_be_looked_through(
    site: SiteFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site/copy.txt").hardlink_to(tmp_path / "site/lua/secret.lua")
    with pytest.raises(FileNotServedError):
        site.open("copy.txt")

    def scanned(_path: object) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "scandir", scanned)
    with pytest.raises(UnreadableError):
        site.open("copy.txt")


def test_scripts_that_cannot_be_looked_at_are_not_shown(site: SiteFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.stat

    def stat(path: Path, **named: Any) -> os.stat_result:
        if path.name == "lua":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, **named)

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(UnreadableError):
        site.open("lua/secret.lua")


@pytest.mark.parametrize("name", ["site", "blog"])
def test_a_shortage_makes_no_list_of_nothing(site: SiteFiles, refuse: Refuse, name: str) -> None:
    refuse(errno.EMFILE, name)
    with pytest.raises(UnreadableError):
        site.listing()


def test_a_folder_nobody_may_read_leaves_the_others_in_the_list(site: SiteFiles, refuse: Refuse) -> None:
    refuse(errno.EACCES, "blog")
    assert [each.path for each in site.listing()] == ["page.html"]


def test_the_owner_is_told_once_for_each_reason(site: SiteFiles, refuse: Refuse) -> None:
    with capture_logs() as lines:
        for number in (errno.EMFILE, errno.EMFILE, errno.EIO, errno.EIO):
            refuse(number, "page.html")
            with pytest.raises(UnreadableError):
                site.open("page.html")
    assert [(line["path"], line["why"]) for line in lines] == [("'page.html'", os.strerror(each)) for each in (errno.EMFILE, errno.EIO)]


def test_changes_do_not_fail_as_the_askers_fault(site: SiteFiles, refuse: Refuse) -> None:
    refuse(errno.EMFILE, "blog")
    with pytest.raises(SiteWriteError, match="Too many open files"):
        write(site, "blog/new.txt", b"x")
    with pytest.raises(SiteWriteError, match="Too many open files"):
        remove(site, "blog/index.html")


def test_the_ports_of_sites_are_not_lost_to_a_shortage(tmp_path: Path, refuse: Refuse) -> None:
    SavedPorts(tmp_path).save(41234, "12D3KooA", "")
    kept = SavedPorts(tmp_path)
    refuse(errno.EMFILE, "ports.json")
    with pytest.raises(OSError, match="Too many open files"):
        kept.of("12D3KooA", "")
    refuse(0, "")
    assert kept.of("12D3KooA", "") == 41234
    assert (tmp_path / FILE).exists()


async def test_over_http_it_is_503_with_retry_after(tmp_path: Path, refuse: Refuse) -> None:
    async with served(tmp_path) as up:
        refuse(errno.EMFILE, "index.html")
        answer = await up.ask("/index.html")
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert b"cannot be read now" in answer.body
        assert (await up.ask("/none.html")).status == 404
        assert "cannot be read now" in (await up.call("reads", {"path": "index.html"})).json["error"]
        refuse(errno.EMFILE, "site")
        listed = await up.ask("/api/site/files")
        assert (listed.status, listed.headers["retry-after"], listed.json["code"]) == (503, "5", "unavailable")
        refuse(0, "")
        assert (await up.ask("/index.html")).status == 200


def test_other_peers_are_told_a_word_of_its_own() -> None:
    (refusal,) = protocol.AnswerReader().receive(protocol.refusal(protocol.UNAVAILABLE))
    assert refusal == protocol.FileRefusal("unavailable")
