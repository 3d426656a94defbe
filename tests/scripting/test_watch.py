"""Hot reload with real files and real watchers: whatever way an editor saves, the change is live.

Half a second is promised. The tests wait longer, for machines that do ten things at once, but less
than RESCAN_SECONDS, so that no look without an event comes to their help.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import watchfiles
from structlog.testing import capture_logs

from goop2.scripting import inotify, limits, watch
from goop2.scripting.catalog import BrokenScript, Catalog, Script
from goop2.scripting.limits import EMPTY_HELD_SECONDS, RELOAD_LIVE_SECONDS, RESCAN_SECONDS
from goop2.scripting.watch import watch_folders

PATIENCE_SECONDS = RESCAN_SECONDS / 2


async def compile_all_but_questions(name: str, source: bytes) -> str:
    return f"{name}:1: unexpected symbol near '?'" if b"?" in source else ""


class Peer:
    """A peer folder whose scripts are watched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scripts = folder / "site/lua"
        self.catalog = Catalog(folder, Path("site/lua"), compile_all_but_questions)
        self.stop = asyncio.Event()

    def make(self, name: str, content: str = "old") -> Path:
        path = self.scripts / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def source(self, name: str) -> str | None:
        found = self.catalog.command(name)
        return found.source.decode() if isinstance(found, Script) else None

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Watched, with the watchers standing."""
        watching = asyncio.create_task(self.catalog.watch(self.stop))
        await asyncio.sleep(0.1)  # the watchers do not tell when they stand
        yield
        self.stop.set()
        await asyncio.wait_for(watching, 5)


async def live(condition: Callable[[], bool]) -> None:
    """Comes back when it is so; fails when that takes too long."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - the disk and the watchers give no event to wait for
            await asyncio.sleep(0.005)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def peer(tmp_path: Path) -> Peer:
    return Peer(tmp_path)


def write_in_place(path: Path) -> None:
    path.write_text("new")


def append(path: Path) -> None:
    path.write_text("")
    with path.open("a") as file:
        file.write("new")


def rename_over(path: Path) -> None:
    temporary = path.with_name(".hello.lua.tmp")
    temporary.write_text("new")
    temporary.replace(path)


def rename_over_from_another_folder(path: Path) -> None:
    temporary = path.parents[2] / "hello.lua"
    temporary.write_text("new")
    temporary.replace(path)


def delete_and_create(path: Path) -> None:
    path.unlink()
    path.write_text("new")


def keep_a_backup(path: Path) -> None:
    path.rename(path.with_name("hello.lua~"))
    path.write_text("new")


def replace_by_a_link(path: Path) -> None:
    path.with_name("other.lua").write_text("new")
    path.unlink()
    path.symlink_to("other.lua")


SAVES = [write_in_place, append, rename_over, rename_over_from_another_folder, delete_and_create, keep_a_backup, replace_by_a_link]


@pytest.mark.parametrize("save", SAVES)
async def test_a_saved_change_is_live_however_an_editor_saves(peer: Peer, save: Callable[[Path], None]) -> None:
    path = peer.make("hello.lua")
    async with peer.watched():
        assert peer.source("hello") == "old"
        save(path)
        await live(lambda: peer.source("hello") == "new")


async def test_ten_saves_in_a_row_are_all_seen(peer: Peer) -> None:
    peer.make("hello.lua")
    async with peer.watched():
        for number in range(10):
            peer.make("hello.lua", f"n{number}")
            await live(lambda number=number: peer.source("hello") == f"n{number}")  # type: ignore[misc]


async def test_a_new_file_is_live_and_a_deleted_one_gone(peer: Peer) -> None:
    peer.make("hello.lua")
    async with peer.watched():
        path = peer.make("bye.lua")
        await live(lambda: peer.source("bye") == "old")
        path.unlink()
        await live(lambda: peer.catalog.command("bye") is None)


async def test_a_syntax_error_keeps_the_last_good_version_until_it_is_mended(peer: Peer) -> None:
    peer.make("hello.lua")
    async with peer.watched():
        peer.make("hello.lua", "???")
        await live(lambda: peer.catalog.listing()[0].state == "broken")
        assert peer.source("hello") == "old"
        peer.make("hello.lua", "new")
        await live(lambda: peer.source("hello") == "new")


async def test_a_script_folder_that_appears_later_is_read(peer: Peer) -> None:
    async with peer.watched():
        peer.make("hello.lua")
        await live(lambda: peer.source("hello") == "old")
        peer.make("hello.lua", "new")
        await live(lambda: peer.source("hello") == "new")


async def test_a_functions_folder_that_appears_later_is_read(peer: Peer) -> None:
    peer.make("hello.lua")
    async with peer.watched():
        peer.make("functions/score.lua", "?")
        await live(lambda: isinstance(peer.catalog.function("score"), BrokenScript))
        peer.make("functions/score.lua")
        await live(lambda: isinstance(peer.catalog.function("score"), Script))


@pytest.mark.parametrize("gone", ["site/lua", "site"])
async def test_a_script_folder_that_is_deleted_and_made_again_is_read(peer: Peer, gone: str) -> None:
    peer.make("hello.lua")
    async with peer.watched():
        for content in ("new", "newer"):
            shutil.rmtree(peer.folder / gone)
            peer.make("hello.lua", content)
            await live(lambda content=content: peer.source("hello") == content)  # type: ignore[misc]
        shutil.rmtree(peer.folder / gone)
        await live(lambda: peer.catalog.command("hello") is None)
        peer.make("hello.lua", "newest")
        await live(lambda: peer.source("hello") == "newest")


@pytest.mark.parametrize("moved", ["site/lua", "site"])
async def test_a_script_folder_that_is_moved_away_and_replaced_is_read(peer: Peer, moved: str) -> None:
    peer.make("hello.lua")
    async with peer.watched():
        (peer.folder / moved).rename(peer.folder / "away")
        await live(lambda: peer.catalog.command("hello") is None)
        peer.make("hello.lua", "new")
        await live(lambda: peer.source("hello") == "new")
        peer.make("hello.lua", "newer")
        await live(lambda: peer.source("hello") == "newer")


async def test_what_a_link_leads_to_is_watched_too(peer: Peer) -> None:
    target = peer.make("shared/hello.lua")
    (peer.scripts / "hello.lua").symlink_to(target)
    async with peer.watched():
        await live(lambda: peer.source("hello") == "old")
        target.write_text("new")
        await live(lambda: peer.source("hello") == "new")


async def test_a_change_in_the_midst_of_a_thousand_others_is_seen(peer: Peer) -> None:
    peer.make("hello.lua")
    async with peer.watched():
        for number in range(1000):
            peer.make(f".noise-{number % 7}", str(number))
        peer.make("hello.lua", "new")
        for number in range(1000):
            peer.make(f".noise-{number % 7}", str(number))
        await live(lambda: peer.source("hello") == "new")


async def test_files_that_never_become_quiet_do_not_hide_a_change(peer: Peer) -> None:
    peer.make("hello.lua")

    async def chatter() -> NoReturn:
        while True:
            peer.make(".chatter", "x")
            await asyncio.sleep(0.01)

    async with peer.watched():
        chattering = asyncio.create_task(chatter())
        peer.make("hello.lua", "new")
        await live(lambda: peer.source("hello") == "new")
        chattering.cancel()


# The watch itself.


async def test_every_look_is_taken_under_standing_watchers(tmp_path: Path) -> None:
    """A change made during a look, when the looker has read the folder already, brings the next look."""
    stop, looks = asyncio.Event(), 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks < 5:
            (tmp_path / f"{looks}.lua").write_text("")
        else:
            stop.set()

    await asyncio.wait_for(watch_folders(lambda: [tmp_path], look, stop), PATIENCE_SECONDS)
    assert looks == 5


async def test_without_any_event_everything_is_looked_at_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "RESCAN_SECONDS", 0.1)
    stop, looks = asyncio.Event(), 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            stop.set()

    await asyncio.wait_for(watch_folders(lambda: [tmp_path], look, stop), PATIENCE_SECONDS)


@pytest.mark.parametrize(("is_all", "told", "seldom"), [(True, True, True), (False, True, False), (True, False, False)])
async def test_looks_without_an_event_are_seldom_where_the_kernel_tells_of_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_all: bool, told: bool, seldom: bool
) -> None:
    monkeypatch.setattr(watch, "RESCAN_SECONDS", 0.3)
    monkeypatch.setattr(watch, "RESCAN_COST", 0.0)
    if not inotify.is_available():
        pytest.skip("no inotify here")
    monkeypatch.setattr(inotify, "reports_all_changes", lambda _folders: told)
    stop, looks = asyncio.Event(), 0

    async def look() -> None:
        nonlocal looks
        looks += 1

    watching = asyncio.create_task(watch_folders(lambda: [tmp_path], look, stop, lambda: is_all))
    await asyncio.sleep(1.2)  # more than one of the shorter pauses between looks
    stop.set()
    await watching
    assert (looks == 1) == seldom


async def test_where_no_watchers_can_be_had_changes_are_looked_for(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise OSError("too many open files")

    monkeypatch.setattr(inotify, "is_available", lambda: False)
    monkeypatch.setattr(watchfiles, "awatch", refuse)
    peer.make("hello.lua")
    with capture_logs() as logs:
        async with peer.watched():
            peer.make("hello.lua", "new")
            await live(lambda: peer.source("hello") == "new")
    warnings = [line for line in logs if line["event"] == "changes of files are polled"]
    assert [line["reason"] for line in warnings] == ["too many open files"]


async def test_a_watcher_that_fails_in_the_middle_is_replaced(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    real, failures = watchfiles.awatch, 0

    async def failing(*arguments: Any, **options: Any) -> AsyncIterator[Any]:
        nonlocal failures
        if failures < 2:
            failures += 1
            await asyncio.sleep(0.05)  # it fails a moment after its start
            raise ExceptionGroup("unhandled errors", [RuntimeError("error in underlying watcher")])
        async for changes in real(*arguments, **options):
            yield changes

    monkeypatch.setattr(inotify, "is_available", lambda: False)
    monkeypatch.setattr(watchfiles, "awatch", failing)
    peer.make("hello.lua")
    async with peer.watched():
        await live(lambda: failures == 2)
        peer.make("hello.lua", "new")
        await live(lambda: peer.source("hello") == "new")


async def test_an_error_of_the_look_ends_the_watch(tmp_path: Path) -> None:
    async def look() -> NoReturn:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await watch_folders(lambda: [tmp_path], look, asyncio.Event())


@pytest.mark.parametrize("there", [True, False])
async def test_a_cancelled_watch_ends_at_once(peer: Peer, there: bool) -> None:
    if there:
        peer.make("hello.lua")
    watching = asyncio.create_task(peer.catalog.watch(peer.stop))
    await asyncio.sleep(0.1)  # the watchers do not tell when they stand
    watching.cancel()
    done, _ = await asyncio.wait({watching}, timeout=1)
    assert done
    assert watching.cancelled()


async def test_a_stopped_watch_leaves_no_task_behind(peer: Peer) -> None:
    peer.make("hello.lua")
    async with peer.watched():
        peer.make("hello.lua", "new")
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


# ── saves that empty the file first ──────────────────────────────────────────────────────────────


async def test_a_save_that_empties_the_file_first_keeps_the_last_good_version(peer: Peer) -> None:
    file = peer.make("hello.lua")
    async with peer.watched():
        await live(lambda: peer.source("hello") == "old")
        for content in ("", " \n", ""):  # and emptied again before the first is judged
            file.write_text(content)
            await asyncio.sleep(EMPTY_HELD_SECONDS * 0.6)  # most of the time an empty file is not believed
            assert peer.source("hello") == "old"
            assert peer.catalog.listing()[0].state == "ok"
            file.write_text("old")
            await asyncio.sleep(RELOAD_LIVE_SECONDS)  # as long as the documentation says
        file.write_text("new")
        await live(lambda: peer.source("hello") == "new")


async def test_a_script_that_stays_empty_is_said_to_be_after_a_moment(peer: Peer) -> None:
    file = peer.make("hello.lua")
    async with peer.watched():
        await live(lambda: peer.source("hello") == "old")
        file.write_text("")
        await live(lambda: isinstance(peer.catalog.command("hello"), BrokenScript))
        found = peer.catalog.command("hello")
        assert isinstance(found, BrokenScript)
        assert found.message == "hello.lua is empty"
        file.write_text("new")
        await live(lambda: peer.source("hello") == "new")


# ── names that are not UTF-8 ─────────────────────────────────────────────────────────────────────


async def test_a_file_whose_name_is_not_utf_8_does_not_end_the_watchers(peer: Peer, capsys: pytest.CaptureFixture[str]) -> None:
    peer.make("hello.lua")
    async with peer.watched():
        await live(lambda: peer.source("hello") == "old")
        (peer.scripts / os.fsdecode(b"b\xe9.txt")).touch()
        await live(lambda: bool(peer.catalog.warnings))
        peer.make("hello.lua", "new")
        await live(lambda: peer.source("hello") == "new")
    assert "changes are looked for" not in capsys.readouterr().out


async def test_a_folder_whose_name_is_not_utf_8_is_looked_at_now_and_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inotify, "is_available", lambda: False)  # to which any name is fine
    peer = Peer(tmp_path / os.fsdecode(b"Jos\xe9"))
    file = peer.make("hello.lua")
    async with peer.watched():
        await live(lambda: peer.source("hello") == "old")
        file.write_text("new")
        await live(lambda: peer.source("hello") == "new")
    assert "a folder's name is not UTF-8" in capsys.readouterr().out


# ── where the kernel tells ───────────────────────────────────────────────────────────────────────


async def test_a_folder_whose_name_is_not_utf_8_is_watched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    peer = Peer(tmp_path / os.fsdecode(b"Jos\xe9"))
    file = peer.make("hello.lua")
    async with peer.watched():
        file.write_text("new")
        await live(lambda: peer.source("hello") == "new")
    assert "changes are looked for" not in capsys.readouterr().out


@pytest.mark.parametrize("save", SAVES)
async def test_without_such_notifications_a_saved_change_is_live_too(
    peer: Peer, save: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inotify, "is_available", lambda: False)
    path = peer.make("hello.lua")
    async with peer.watched():
        save(path)
        await live(lambda: peer.source("hello") == "new")


async def test_where_the_system_gives_no_more_watches_changes_are_looked_for(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(inotify.Notifications, "_add", refuse)
    peer.make("hello.lua")
    before = descriptors()
    with capture_logs() as logs:
        async with peer.watched():
            peer.make("hello.lua", "new")
            await live(lambda: peer.source("hello") == "new")
    assert len([line for line in logs if line["event"] == "changes of files are polled"]) == 1
    assert descriptors() <= before


LOOK_SECONDS = 0.02


async def test_looks_without_an_event_come_the_more_seldom_the_longer_they_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "RESCAN_SECONDS", 0.05)
    stop, looks = asyncio.Event(), 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        await asyncio.sleep(LOOK_SECONDS)  # a look that takes longer than the pause between two

    watching = asyncio.create_task(watch_folders(lambda: [tmp_path], look, stop))
    begun = time.monotonic()
    await asyncio.sleep(1.5)  # with the pause of a short look there would be twenty
    seconds = time.monotonic() - begun  # longer on a busy machine
    stop.set()
    await watching
    assert looks <= 1 + seconds // (LOOK_SECONDS * limits.RESCAN_COST)
