"""A peer folder from a stranger's archive: links, pipes and endless files in it neither open nor change what is not the peer's."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.command import goop2
from tests.cli.conftest import Save

from goop2.peers.discovery.peers_file import PeersFileError, RememberedPeers
from goop2.web.console.metrics import metrics_token

READS = "function call() return goop.db.scalar('SELECT count(*) FROM logins') end"
WRITES = "function call() return goop.db.exec('UPDATE logins SET password = 1') end"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another program's database, outside of the peer folder."""
    file = tmp_path / "private" / "other.sqlite"
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript("CREATE TABLE logins(password TEXT); INSERT INTO logins VALUES ('hunter2')")
    return file


def allow(folder: Path, name: str) -> None:
    file = folder / "goop.json"
    file.write_text(file.read_text().replace("{", '{"storage": {"links_out": ["' + name + '"]},', 1))


def test_a_database_linked_from_elsewhere_is_neither_read_nor_changed(folder: Path, save: Save, other: Path) -> None:
    (folder / "data.db").symlink_to(other)
    before = other.read_bytes()
    done = goop2("lua", "list", folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert '"storage": {"links_out": ["data.db"]}' in done.stderr
    assert goop2("data", folder, "tables").returncode == 2
    assert other.read_bytes() == before


@pytest.mark.parametrize("inside", [True, False])
def test_a_linked_database_that_is_allowed_serves_scripts(folder: Path, save: Save, other: Path, inside: bool) -> None:
    target = other
    if inside:
        target = folder / "elsewhere.db"
        other.rename(target)
    else:
        allow(folder, "data.db")
    (folder / "data.db").symlink_to(target)
    save("functions/r", READS)
    save("functions/w", WRITES)
    assert goop2("lua", "call", folder, "r", "{}").stdout == "1\n"
    assert goop2("lua", "call", folder, "w", "{}").stdout == "1\n"


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_a_link_beside_the_database_is_not_written_through(folder: Path, tmp_path: Path, suffix: str) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("private")
    (folder / f"data.db{suffix}").symlink_to(letter)
    done = goop2("lua", "list", folder)
    assert done.returncode == 2
    assert f"data.db{suffix} cannot be opened as a database: it is a link; move it away" in done.stderr
    assert letter.read_text() == "private"


def test_a_site_linked_from_elsewhere_is_not_served(folder: Path, save: Save, tmp_path: Path) -> None:
    (folder / "site").rename(folder / "was")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "letter.txt").write_text("private")
    (folder / "site").symlink_to("../private")
    file = folder / "goop.json"
    file.write_text(file.read_text().replace('"lua": {', '"lua": {"script_dir": "was/lua",', 1))
    (folder / "was/lua/functions/r.lua").write_text("function call() return goop.site.read('letter.txt') end")
    done = goop2("lua", "call", folder, "r", "{}")
    assert (done.returncode, done.stdout) == (2, "")
    assert '"storage": {"links_out": ["site"]}' in done.stderr
    allow(folder, "site")
    assert goop2("lua", "call", folder, "r", "{}").stdout == '"private"\n'


def test_a_site_that_may_lie_elsewhere_has_its_scripts_there(folder: Path, save: Save, tmp_path: Path) -> None:
    (folder / "site").rename(tmp_path / "site")
    (folder / "site").symlink_to("../site")
    (tmp_path / "site/lua/.state").mkdir()
    (tmp_path / "site/lua/.state/v.json").write_text('{"a": 1}')
    save("v", "function handle() return tostring(goop.kv.get('a')) end")
    assert goop2("lua", "chat", folder, "!v").returncode == 2
    allow(folder, "site")
    assert goop2("lua", "chat", folder, "!v", env={"GOOP2_LUA_KV_ENABLED": "true"}).stdout == "1\n"


def test_what_is_no_schema_file_stops_nothing(folder: Path) -> None:
    schemas = folder / "schemas"
    schemas.mkdir(exist_ok=True)
    (schemas / "posts.json").write_text('{"name":"posts","columns":[{"name":"title","type":"text"}]}')
    (schemas / "._posts.json").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        \xb0\xff")
    (schemas / ".#posts.json").symlink_to("me@host.1234:1")
    (schemas / "posts.json~").write_text("{")
    (schemas / "folder.json").mkdir()
    (schemas / "gone.json").symlink_to("/nowhere")
    os.mkfifo(schemas / "pipe.json")
    (schemas / "zero.json").symlink_to("/dev/zero")
    (schemas / "large.json").write_bytes(b" " * (1024 * 1024 + 1))
    done = goop2("lua", "list", folder)
    assert done.returncode == 0
    assert [line.removeprefix(f"warning: {schemas}/") for line in done.stderr.splitlines()] == [
        "folder.json is passed over: it is a folder, not a regular file",
        "gone.json is passed over: it is a link to nothing",
        "large.json is passed over: it is larger than 1048576 bytes",
        "pipe.json is passed over: it is a named pipe, not a regular file",
        "zero.json is passed over: it is a device, not a regular file",
    ]
    assert "posts" in goop2("data", folder, "tables").stdout


def test_a_schema_folder_linked_from_elsewhere_is_passed_over(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "config.json").write_text('{"token": "private"}')
    shutil.rmtree(folder / "schemas")
    (folder / "schemas").symlink_to("../private")
    done = goop2("lua", "list", folder)
    assert done.returncode == 0
    assert "schemas is passed over: it leads out of" in done.stderr


def test_a_pipe_in_data_holds_nobody(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data" / "metrics.token")
    os.mkfifo(tmp_path / "data" / "peers.json")
    assert metrics_token(tmp_path) == ""
    with pytest.raises(PeersFileError, match="it is a named pipe, not a regular file"):
        RememberedPeers(tmp_path).addresses()


def test_a_token_linked_from_elsewhere_opens_nothing(tmp_path: Path) -> None:
    peer = tmp_path / "peer"
    (peer / "data").mkdir(parents=True)
    (tmp_path / "secret").write_text("x" * 64)
    (peer / "data" / "metrics.token").symlink_to("../../secret")
    assert metrics_token(peer) == ""


def test_what_a_crash_or_a_link_left_in_the_place_of_a_new_peers_file_is_replaced(tmp_path: Path) -> None:
    from tests.peers.discovery.test_peers_file import ANN, address

    peer = tmp_path / "peer"
    (peer / "data").mkdir(parents=True)
    (tmp_path / "letter.txt").write_text("private")
    (peer / "data" / "peers.json.new").symlink_to("../../letter.txt")
    RememberedPeers(peer).add(address(ANN))
    assert (tmp_path / "letter.txt").read_text() == "private"
    assert RememberedPeers(peer).addresses() == [address(ANN)]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda file: file.symlink_to("../letter.txt")])
def test_a_lock_that_cannot_be_had_is_not_taken_for_a_running_peer(folder: Path, make: Callable[[Path], None]) -> None:
    (folder / "data").mkdir(0o700)
    make(folder / "data" / "peer.lock")
    done = goop2("peers", folder)
    assert done.returncode == 2
    assert f"{folder / 'data' / 'peer.lock'} " in done.stderr
    assert "runs" not in done.stderr
    assert not (folder / "letter.txt").exists()
