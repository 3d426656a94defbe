"""`goop2 backup` and `goop2 restore`, with the real Litestream: what an owner types, and what is left after everything was killed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.command import PATIENCE_SECONDS, goop2, on_any_port, start

LOST_MAX_SECONDS = 2.0
"""Of what was written before everything was killed (cluster.md)."""
PASSPHRASE = "a long passphrase"


@pytest.fixture
def blog(tmp_path: Path) -> Path:
    """A guestbook that has run once, and whose backup has a place."""
    folder = tmp_path / "blog"
    goop2("init", folder, "--template", "guestbook")
    on_any_port(folder)
    name_place(folder, f"file://{tmp_path}/place")
    assert goop2("lua", "call", folder, "visit").returncode == 0
    return folder


def name_place(folder: Path, place: str) -> None:
    settings = json.loads((folder / "goop.json").read_text())
    (folder / "goop.json").write_text(json.dumps({**settings, "backup": {"to": place}}))


def sign(folder: Path, name: str) -> None:
    statement = f"INSERT INTO guestbook (_owner, name, message) VALUES ('me', '{name}', 'Hello')"
    assert goop2("data", folder, "write", statement).returncode == 0


def names_in(folder: Path) -> list[str]:
    return [each["name"] for each in json.loads(goop2("data", folder, "query", "SELECT name FROM guestbook", "--json").stdout)]


def litestream_of(peer: int) -> int | None:
    """Return the process number of the Litestream of a peer."""
    children = Path(f"/proc/{peer}/task/{peer}/children").read_text().split()
    for child in children:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{child}/comm").read_text().strip() == "litestream":
                return int(child)
    return None


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@contextlib.contextmanager
def running(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the peer until the block is left."""
    with start("peer", folder) as peer:
        assert peer.stdout is not None
        peer.stdout.readline()
        try:
            yield peer
        finally:
            peer.terminate()


def test_a_folder_is_copied_tested_and_brought_back_with_its_identity(blog: Path, tmp_path: Path) -> None:
    sign(blog, "Ann")
    assert goop2("backup", blog).stdout == f"copied  to file://{tmp_path}/place\n"
    checked = json.loads(goop2("backup", blog, "--check", "--json").stdout)
    assert (checked["ok"], checked["problem"], checked["rows"]) == (True, "", 1)
    assert goop2("backup", blog, "--identity", tmp_path / "key", "--encrypt", stdin=PASSPHRASE).returncode == 0
    done = goop2("restore", "--from", f"file://{tmp_path}/place", tmp_path / "new", "--identity", tmp_path / "key", stdin=PASSPHRASE)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(rf"restored  blog: \d+ files, 1 tables, into {re.escape(str(tmp_path))}/new\n", done.stdout)
    assert names_in(tmp_path / "new") == ["Ann"]
    assert goop2("id", tmp_path / "new").stdout == goop2("id", blog).stdout
    # The copy is not to write where the first one does, before its owner says so.
    refused = goop2("backup", tmp_path / "new")
    assert (refused.returncode, "another folder makes its backup at" in refused.stderr) == (2, True)
    assert goop2("backup", tmp_path / "new", "--take-over").returncode == 0
    assert goop2("backup", blog).returncode == 2


def test_a_running_peer_copies_everything_and_nothing_written_is_lost_but_the_last_seconds(blog: Path, tmp_path: Path) -> None:
    with running(blog) as peer:
        assert goop2("backup", blog).returncode == 0
        litestream = litestream_of(peer.pid)
        assert litestream is not None
        command_line = Path(f"/proc/{litestream}/cmdline").read_bytes()
        assert b"-config" in command_line
        assert str(tmp_path).encode() not in command_line
        connection = sqlite3.connect(blog / "data.db", isolation_level=None)
        ends = time.monotonic() + 3.0
        while time.monotonic() < ends:
            connection.execute("INSERT INTO guestbook (_owner, name, message) VALUES ('me', ?, 'x')", (repr(time.time()),))
            time.sleep(0.005)
        os.kill(litestream, signal.SIGKILL)
        peer.kill()
        killed = time.time()
        connection.close()
    assert goop2("restore", "--from", f"file://{tmp_path}/place", tmp_path / "new").returncode == 0
    written = [float(name) for name in names_in(tmp_path / "new")]
    assert written == sorted(written)
    lost = killed - written[-1]
    assert lost < LOST_MAX_SECONDS, f"{lost:.2f} s of what was written are lost"


def test_litestream_ends_with_a_peer_that_is_killed_and_the_next_peer_goes_on(blog: Path, tmp_path: Path) -> None:
    with running(blog) as peer:
        assert goop2("backup", blog).returncode == 0
        litestream = litestream_of(peer.pid)
        assert litestream is not None
        sign(blog, "Ann")
        peer.kill()
        peer.wait()
        end = time.monotonic() + PATIENCE_SECONDS
        while not has_ended(litestream):
            assert time.monotonic() < end
            time.sleep(0.02)
    with running(blog):
        sign(blog, "Bob")
        assert goop2("backup", blog).returncode == 0
        assert goop2("restore", "--from", f"file://{tmp_path}/place", tmp_path / "new").returncode == 0
    assert names_in(tmp_path / "new") == ["Ann", "Bob"]


def test_what_a_restore_has_not_is_said_before_anything_is_done(blog: Path, tmp_path: Path) -> None:
    (blog / "site/link").symlink_to("/etc/hostname")
    assert "not copied: site/link (a link)" in goop2("backup", blog).stderr
    done = goop2("restore", "--from", f"file://{tmp_path}/place", tmp_path / "new")
    assert "this is the backup of blog, made on" in done.stderr
    assert "missing: the peer's key, which is never in a backup; without --identity the restored peer gets a new id" in done.stderr
    assert "missing: site/link (a link)" in done.stderr
    again = goop2("restore", "--from", f"file://{tmp_path}/place", tmp_path / "new")
    assert (again.returncode, "is not empty" in again.stderr, "missing" in again.stderr) == (2, True, False)


def test_the_key_of_another_peer_is_refused_and_nothing_is_left(blog: Path, tmp_path: Path) -> None:
    goop2("backup", blog)
    goop2("init", tmp_path / "other")
    goop2("id", tmp_path / "other")
    goop2("backup", tmp_path / "other", "--identity", tmp_path / "key")
    before = sorted(tmp_path.iterdir())
    done = goop2("restore", "--from", f"file://{tmp_path}/place", tmp_path / "new", "--identity", tmp_path / "key")
    assert (done.returncode, "name the key of this peer" in done.stderr) == (2, True)
    assert sorted(tmp_path.iterdir()) == before


def test_a_damaged_backup_is_found_by_the_check(blog: Path, tmp_path: Path) -> None:
    goop2("backup", blog)
    for file in (tmp_path / "place/1/data").rglob("*.ltx"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(content)
    done = goop2("backup", blog, "--check")
    assert (done.returncode, "was not restored" in done.stderr) == (2, True)
    findings = {each["what"]: each for each in json.loads(goop2("doctor", blog, "--json").stdout)["checks"]}
    assert (findings["Litestream"]["ok"], findings["restoring"]["ok"]) == (True, False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("backup", "DIR", "--check", "--take-over"), "three different things"),
        (("backup", "DIR", "--encrypt"), "--encrypt is for --identity FILE"),
        (("restore", "--from", "ftp://host/a", "NEW"), "allowed is file:///folder, s3://bucket/path or sftp://user@host/path"),
        (("restore", "--from", "file:///nowhere/at/all", "NEW"), "there is no backup at file:///nowhere/at/all"),
        (("restore", "--from", "sftp://me@127.0.0.1:1/a?host-key=ssh-ed25519%20AAAA", "NEW"), "error: Litestream says: "),
    ],
)
def test_what_cannot_be_done_is_one_sentence(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    goop2("init", tmp_path / "peer")
    places = {"DIR": str(tmp_path / "peer"), "NEW": str(tmp_path / "new")}
    done = goop2(*(places.get(each, each) for each in arguments))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert told in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_folder_without_a_place_is_told_how_to_name_one(tmp_path: Path) -> None:
    goop2("init", tmp_path / "peer")
    done = goop2("backup", tmp_path / "peer")
    assert (done.returncode, 'set "backup": {"to": "file:///backup/blog"} in' in done.stderr) == (2, True)
