"""Files nobody chose are read only when they are regular, really lie in their folder, and are not too large."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from goop2.folder import regular_files
from goop2.folder.regular_files import FileRefusedError, list_names, open_regular, read_real, read_regular, shown

MOST = 100
STUCK_SECONDS = 5


@pytest.fixture(autouse=True)
def not_for_ever() -> Iterator[None]:
    """Whatever blocks ends the test, not the run."""

    def stuck(*_: object) -> None:
        raise AssertionError("it blocks")

    before = signal.signal(signal.SIGALRM, stuck)
    signal.alarm(STUCK_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "outside.txt").write_text("outside")
    made = tmp_path / "folder"
    (made / "inner").mkdir(parents=True)
    (made / "inner" / "file").write_text("inside")
    return made


def refusal(path: Path, within: Path | None) -> str:
    with pytest.raises(FileRefusedError) as refused:
        read_regular(path, within, MOST)
    assert refused.value.filename == str(path)
    return refused.value.strerror or ""


def test_a_regular_file_is_read_whole_up_to_the_size_named(folder: Path) -> None:
    (folder / "most").write_bytes(b"x" * MOST)
    assert read_regular(folder / "most", folder, MOST) == b"x" * MOST
    (folder / "more").write_bytes(b"x" * (MOST + 1))
    assert refusal(folder / "more", folder) == "it is larger than 100 bytes"


@pytest.mark.parametrize("target", ["inner/file", "./inner/../inner/file", "link", "{folder}/inner/file"])
def test_a_link_inside_the_folder_is_followed_however_it_is_written(folder: Path, target: str) -> None:
    (folder / "link").symlink_to("inner/file")
    (folder / "asked").symlink_to(target.format(folder=folder))
    assert read_regular(folder / "asked", folder, MOST) == b"inside"


def test_the_folder_itself_may_be_a_link(folder: Path) -> None:
    (folder.parent / "other name").symlink_to(folder)
    assert read_regular(folder.parent / "other name" / "inner" / "file", folder.parent / "other name", MOST) == b"inside"
    assert read_regular(folder.parent / "other name" / "inner" / "file", folder, MOST) == b"inside"


@pytest.mark.parametrize("target", ["../outside.txt", "{folder}/../outside.txt", "out/outside.txt"])
def test_a_link_out_of_the_folder_is_refused_however_it_is_written(folder: Path, target: str) -> None:
    (folder / "out").symlink_to("..")
    (folder / "asked").symlink_to(target.format(folder=folder))
    assert refusal(folder / "asked", folder) == f"it leads out of {folder}: put the file itself there"
    assert read_regular(folder / "asked", None, MOST) == b"outside"


def test_a_sibling_whose_name_begins_alike_is_outside(folder: Path) -> None:
    (folder.parent / "folder2").mkdir()
    (folder.parent / "folder2" / "file").write_text("outside")
    (folder / "asked").symlink_to("../folder2/file")
    assert "leads out" in refusal(folder / "asked", folder)


@pytest.mark.parametrize("within", [True, False])
def test_what_is_no_regular_file_is_refused_by_its_kind_and_never_waited_for(folder: Path, within: bool) -> None:
    os.mkfifo(folder / "pipe")
    home = folder if within else None
    assert refusal(folder / "pipe", home) == "it is a named pipe, not a regular file"
    assert refusal(folder / "inner", home) == "it is a folder, not a regular file"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(folder / "socket"))
        assert refusal(folder / "socket", home) == "it is a socket, not a regular file"
    assert refusal(Path("/dev/zero"), Path("/dev") if within else None) == "it is a device, not a regular file"


def test_a_link_to_nothing_and_a_circle_are_refused_and_a_missing_file_is_missing(folder: Path) -> None:
    (folder / "gone").symlink_to("nowhere")
    (folder / "circle").symlink_to("circle")
    assert refusal(folder / "gone", folder) == "it is a link to nothing"
    with pytest.raises(OSError, match=re.escape("circle")):
        read_regular(folder / "circle", folder, MOST)
    with pytest.raises(FileNotFoundError, match=re.escape(str(folder / "missing"))):
        read_regular(folder / "missing", folder, MOST)


def test_a_pipe_or_a_link_put_in_the_file_s_place_after_the_look_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "inner" / "file"
    check = regular_files._check_kind

    def replaced_by(make: str) -> None:
        def look(path: Path, status: os.stat_result, flags: int) -> None:
            check(path, status, flags)
            file.unlink()
            os.mkfifo(file) if make == "pipe" else file.symlink_to("../../outside.txt")

        monkeypatch.setattr(regular_files, "_check_kind", look)

    replaced_by("pipe")
    assert refusal(file, folder) == "it is a named pipe, not a regular file"
    file.unlink()
    file.write_text("inside")
    replaced_by("link")
    assert refusal(file, folder) == "it became a link while it was opened"


def test_a_folder_on_the_way_that_becomes_a_link_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = regular_files._real

    def swapped(path: Path) -> str:
        found = real(path)
        (folder / "inner" / "file").unlink()
        (folder / "inner").rmdir()
        (folder / "inner").symlink_to("..")
        return found

    (folder.parent / "file").write_text("outside")
    monkeypatch.setattr(regular_files, "_real", swapped)
    with pytest.raises(OSError, match=re.escape(str(folder / "inner" / "file"))):
        read_regular(folder / "inner" / "file", folder, MOST)


def test_a_file_that_grows_while_it_is_read_is_bounded(folder: Path) -> None:
    (folder / "log").write_bytes(b"x")
    with open_regular(folder / "log", folder) as file, (folder / "log").open("ab") as more:
        more.write(b"y" * MOST)
        more.flush()
        assert file.read(MOST) == b"x" + b"y" * (MOST - 1)


@pytest.mark.parametrize("size", [0, 1, MOST - 1, MOST, MOST + 1])
def test_a_file_at_a_judged_path_is_read_whole_up_to_the_size_named(folder: Path, size: int) -> None:
    (folder / "log").write_bytes(b"x" * size)
    assert read_real(str(folder / "log"), MOST) == b"x" * min(size, MOST)


@pytest.mark.parametrize("told", [0, 1, 5, MOST, 10**12])
def test_a_file_is_read_whole_whatever_size_it_is_said_to_have(folder: Path, monkeypatch: pytest.MonkeyPatch, told: int) -> None:
    (folder / "log").write_bytes(b"0123456789")
    real = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        return os.stat_result((*status[: stat.ST_SIZE], told, *status[stat.ST_SIZE + 1 :]))

    monkeypatch.setattr(os, "fstat", fstat)
    assert read_real(str(folder / "log"), MOST) == b"0123456789"


def test_a_file_of_a_known_size_is_read_by_one_call(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "log").write_bytes(b"0123456789")
    asked: list[int] = []
    real = os.read

    def read(descriptor: int, most: int) -> bytes:
        asked.append(most)
        return real(descriptor, most)

    monkeypatch.setattr(os, "read", read)
    read_real(str(folder / "log"), MOST)
    assert len(asked) == 1


def test_a_pipe_at_a_judged_path_is_refused_and_a_link_not_followed(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("inner/file")
    for name, reason in (("pipe", "it is a named pipe, not a regular file"), ("link", "it became a link while it was opened")):
        with pytest.raises(FileRefusedError, match=reason):
            read_real(str(folder / name), MOST)


def test_what_is_private_in_the_folder_is_not_come_to_by_a_link(folder: Path) -> None:
    (folder / "asked").symlink_to("inner/file")
    with pytest.raises(FileRefusedError, match="for nobody but the peer's owner"):
        read_regular(folder / "asked", folder, MOST, ("inner",))
    assert read_regular(folder / "asked", folder, MOST, ("other",)) == b"inside"


def test_names_are_listed_in_order_from_a_folder_that_lies_inside(folder: Path) -> None:
    (folder / "inner" / "a").touch()
    (folder / "asked").symlink_to("inner")
    assert list_names(folder / "asked", folder) == ["a", "file"]
    assert list_names(folder, folder) == ["asked", "inner"]
    (folder / "out").symlink_to("..")
    with pytest.raises(FileRefusedError, match="leads out"):
        list_names(folder / "out", folder)
    os.mkfifo(folder / "pipe")
    with pytest.raises(NotADirectoryError):
        list_names(folder / "pipe", folder)


def test_many_threads_leave_no_descriptor_open(folder: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    os.mkfifo(folder / "pipe")

    def read() -> None:
        for name in ("inner/file", "pipe", "missing", "../outside.txt") * 20:
            with contextlib.suppress(OSError):
                read_regular(folder / name, folder, MOST)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_name_of_other_bytes_is_shown_with_a_stand_in() -> None:
    assert shown(Path(os.fsdecode(b"Jos\xe9"))) == "Jos\N{REPLACEMENT CHARACTER}"
    assert shown("José") == "José"
