"""Templates from strangers: whatever is wrong with a folder or an archive is one sentence, and nothing is read without a bound."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from goop2.folder import bundles
from goop2.folder.bundle_limits import ENTRIES_MAX, FILE_MAX_BYTES, HEADERS_MAX_BYTES, TOTAL_MAX_BYTES
from goop2.folder.bundles import BundleError, read_archive, read_bundle, read_folder

MEGABYTE = 1024 * 1024


def member(name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(content) if kind == tarfile.REGTYPE else 0
    return info, content


def archive(*members: tuple[tarfile.TarInfo, bytes], manifest: bool = True) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as opened:
        for info, content in [member("club/manifest.json", b"{}")] * manifest + list(members):
            opened.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def refusal(content: bytes) -> str:
    with pytest.raises(BundleError) as told:
        read_archive(io.BytesIO(content), "club")
    assert "\n" not in str(told.value)
    return str(told.value)


def test_the_folder_that_holds_all_is_left_out_and_gives_the_name() -> None:
    bundle = read_archive(io.BytesIO(archive(member("club/css/a.css"), member("club/.git/config"), member("club/._x"))), "file")
    assert (bundle.name, list(bundle.files)) == ("club", ["css/a.css", "manifest.json"])
    assert bundle.skipped == ("club/._x", "club/.git/config")


def test_an_archive_without_such_a_folder_has_the_name_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "poll.tar.gz").write_bytes(archive(member("./manifest.json"), member("./index.html"), manifest=False))
    assert read_bundle(tmp_path / "poll.tar.gz").name == "poll"
    assert list(read_bundle(tmp_path / "poll.tar.gz").files) == ["index.html", "manifest.json"]


BAD: dict[str, tuple[tuple[tarfile.TarInfo, bytes], ...]] = {
    "leads out": (member("club/../../etc/passwd"),),
    "absolute path": (member("/etc/passwd"),),
    "a link, 'club/x'": (member("club/x", kind=tarfile.SYMTYPE, target="/etc/passwd"),),
    "a link, 'club/y'": (member("club/y", kind=tarfile.LNKTYPE, target="club/manifest.json"),),
    "a device or a pipe": (member("club/x", kind=tarfile.CHRTYPE),),
    "a device or a pipe, 'club/p'": (member("club/p", kind=tarfile.FIFOTYPE),),
    "differ only in capitals": (member("club/Index.html"), member("club/index.html")),
    "differ only in capitals, which": (member("club/Css/a"), member("club/css/b")),
    "twice": (member("club/a"), member("club/a")),
    "'club/a' twice": (member("club/a"), member("club/a/b")),
    "'club/b' twice": (member("club/b/c"), member("club/b")),
    "characters that a site cannot have": (member("club/a\nb"),),
    "characters that a site": (member("club/a\\b"),),
    "too long or too deep": (member("club/" + "a/" * 30 + "b"),),
    "too long or too": (member("club/" + "ü" * 150),),
}


@pytest.mark.parametrize("sentence", BAD)
def test_what_no_template_has_is_named(sentence: str) -> None:
    assert sentence in refusal(archive(*BAD[sentence]))


def test_names_that_some_systems_write_otherwise_are_one_name() -> None:
    assert "differ only" in refusal(archive(member("club/e\u0301.html"), member("club/\u00e9.html")))


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-6],
        lambda whole: whole[:-8] + bytes(8),
        lambda _: b"",
        lambda _: b"PK\x03\x04 a zip",
        lambda _: gzip.compress(b"no tar at all" * 100),
        lambda whole: whole[:40] + bytes([whole[40] ^ 255]) + whole[41:],
        lambda _: gzip.compress(b""),
    ],
)
def test_a_damaged_archive_is_refused(damage: Callable[[bytes], bytes]) -> None:
    whole = archive(*(member(f"club/{number}", os.urandom(700)) for number in range(9)))
    assert "damaged" in refusal(damage(whole)) or "empty" in refusal(damage(whole))


def test_a_bomb_is_stopped_before_it_fills_memory() -> None:
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=1) as packed:
        info = tarfile.TarInfo("club/manifest.json")
        info.size = 40 * 1024 * MEGABYTE
        packed.write(info.tobuf(format=tarfile.GNU_FORMAT))
    assert f"the most is {FILE_MAX_BYTES} a file" in refusal(bomb.getvalue())


def test_an_archive_that_goes_on_after_its_end_is_stopped() -> None:
    """The checksum is at the end of what is packed, so it is read to there, but not for ever."""
    endless = io.BytesIO()
    with gzip.GzipFile(fileobj=endless, mode="wb", compresslevel=1) as packed:
        packed.write(gzip.decompress(archive(member("club/index.html"))))
        for _ in range((TOTAL_MAX_BYTES + HEADERS_MAX_BYTES) // MEGABYTE + 2):
            packed.write(bytes(MEGABYTE))
    tracemalloc.start()
    try:
        assert "unpacks to more than" in refusal(endless.getvalue())
        assert tracemalloc.get_traced_memory()[1] < 8 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_files_are_bounded_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "TOTAL_MAX_BYTES", 1000)
    assert "larger than 1000 bytes in all" in refusal(archive(*(member(f"club/{number}", bytes(200)) for number in range(9))))
    monkeypatch.setattr(bundles, "FILES_MAX", 3)
    assert "more than 3 files" in refusal(archive(*(member(f"club/{number}") for number in range(9))))
    monkeypatch.setattr(bundles, "ENTRIES_MAX", 5)
    assert "more than 5 files and folders" in refusal(archive(*(member(f"club/{number}", kind=tarfile.DIRTYPE) for number in range(9))))
    assert ENTRIES_MAX > 5


def test_a_folder_is_held_to_the_same(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/link").symlink_to("/etc/passwd")
    (tmp_path / "js").mkdir()
    (tmp_path / "js/a.js").write_text("a")
    assert list(read_bundle(tmp_path).files) == ["js/a.js", "manifest.json"]
    (tmp_path / "js/b.js").symlink_to("/etc/passwd")
    with pytest.raises(BundleError, match=r"'js/b\.js' is a link"):
        read_bundle(tmp_path)
    (tmp_path / "js/b.js").unlink()
    os.mkfifo(tmp_path / "js/b.js")
    with pytest.raises(BundleError, match="no plain file"):
        read_bundle(tmp_path)


def test_of_a_folder_without_a_manifest_only_what_belongs_to_a_site_is_read(tmp_path: Path) -> None:
    """It may be a whole peer, whose key and messages are nobody's business."""
    for path in ("site/index.html", "data/identity.key", "data.db", "notes.txt"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("x")
    assert list(read_bundle(tmp_path, ("site", "schemas")).files) == ["site/index.html"]


def test_what_is_neither_folder_nor_archive_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("x")
    os.mkfifo(tmp_path / "pipe.tar.gz")
    for name, why in (("a.zip", "neither a folder nor"), ("none", "No such file"), ("pipe.tar.gz", "named pipe")):
        with pytest.raises(BundleError, match=why):
            read_bundle(tmp_path / name)


def test_another_content_has_another_digest() -> None:
    one, other = (read_archive(io.BytesIO(archive(member("club/a", content))), "x") for content in (b"1", b"2"))
    assert one.digest != other.digest


def test_of_a_whole_peer_with_a_manifest_only_the_template_is_read(tmp_path: Path) -> None:
    """Its key, its database and what else lies there are nobody's template, and may be larger than one."""
    for path in ("manifest.json", "site/index.html", "data/identity.key", "data.db"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("{}")
    assert sorted(read_folder(tmp_path, ("site", "manifest.json")).files) == ["manifest.json", "site/index.html"]
