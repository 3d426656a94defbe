"""`goop2 standby`: a peer is killed, its standby is promoted, and the old one stops when it comes back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.cli.command import PATIENCE_SECONDS, goop2, on_any_port, start
from tests.cli.test_backup import name_place, names_in, running, sign


@pytest.fixture
def blog(tmp_path: Path) -> Path:
    """A guestbook whose backup has a place, with a row and a copy of its key."""
    folder = tmp_path / "blog"
    goop2("init", folder, "--template", "guestbook")
    on_any_port(folder)
    name_place(folder, f"file://{tmp_path}/place")
    assert goop2("lua", "call", folder, "visit").returncode == 0
    sign(folder, "Ann")
    assert goop2("backup", folder).returncode == 0
    assert goop2("backup", folder, "--identity", tmp_path / "key").returncode == 0
    return folder


def test_a_standby_takes_the_place_of_a_peer_that_was_killed_and_the_old_one_stops(blog: Path, tmp_path: Path) -> None:
    place, spare = f"file://{tmp_path}/place", tmp_path / "spare"
    with start("standby", spare, "--from", place, "--identity", tmp_path / "key") as standby:
        assert standby.stdout is not None
        assert standby.stdout.readline().decode() == f"standing by for blog  following {place}\n"
        with running(blog) as peer:
            sign(blog, "Bob")
            assert goop2("backup", blog).returncode == 0
            assert goop2("peer", spare).returncode == 2, "nothing is served from a standby"
            peer.kill()
            peer.wait()
        done = goop2("standby", "promote", spare)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("promoted  blog: ")
        assert standby.wait(PATIENCE_SECONDS) == 0
    assert names_in(spare) == ["Ann", "Bob"]
    assert goop2("id", spare).stdout == goop2("id", blog).stdout
    with running(spare):
        sign(spare, "Cleo")
        assert goop2("backup", spare).returncode == 0
        with start("peer", blog) as old:
            assert old.wait(PATIENCE_SECONDS) == 2
            assert old.stderr is not None
            assert "has taken the place of this peer, which stops" in old.stderr.read().decode()
    assert goop2("restore", "--from", place, tmp_path / "new").returncode == 0
    assert names_in(tmp_path / "new") == ["Ann", "Bob", "Cleo"]


def test_what_was_followed_is_taken_when_the_place_is_gone_too(blog: Path, tmp_path: Path) -> None:
    place, spare = tmp_path / "place", tmp_path / "spare"
    with start("standby", spare, "--from", f"file://{place}") as standby:
        end = time.monotonic() + PATIENCE_SECONDS
        while not ((spare / ".standby/data.db").exists() and (spare / ".standby/files.db").exists()):
            assert time.monotonic() < end
            time.sleep(0.05)
        place.rename(tmp_path / "gone")
        done = goop2("standby", "promote", spare)
        standby.wait(PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
    assert "the place of the backup cannot be reached: this is what was followed until" in done.stderr
    assert names_in(spare) == ["Ann"]
    assert blog.exists()


def test_what_cannot_be_done_is_one_sentence(blog: Path, tmp_path: Path) -> None:
    place = f"file://{tmp_path}/place"
    done = goop2("standby", "promote", blog)
    assert (done.returncode, "is no standby" in done.stderr) == (2, True)
    done = goop2("standby", blog, "--from", place)
    assert (done.returncode, "is not empty, and a standby takes a folder of its own" in done.stderr) == (2, True)
    done = goop2("standby", tmp_path / "spare", "--from", "file:///nowhere")
    assert (done.returncode, "there is no backup at file:///nowhere" in done.stderr) == (2, True)
    goop2("init", tmp_path / "other")
    goop2("id", tmp_path / "other")
    goop2("backup", tmp_path / "other", "--identity", tmp_path / "other.key")
    done = goop2("standby", tmp_path / "spare", "--from", place, "--identity", tmp_path / "other.key")
    assert (done.returncode, "name the key of this peer" in done.stderr) == (2, True)
    assert not (tmp_path / "spare/data/identity.key").exists()
