"""`goop2 standby --join`: the peer's process is killed, its standby takes over by itself, and the old folder serves no more."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.command import PATIENCE_SECONDS, goop2, on_any_port, start
from tests.cli.test_backup import name_place, names_in, running, sign
from tests.cluster.hub import Hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A guestbook with a backup and a server between machines."""
    folder = tmp_path / "blog"
    goop2("init", folder, "--template", "guestbook")
    on_any_port(folder)
    name_place(folder, f"file://{tmp_path}/place")
    assert goop2("lua", "call", folder, "visit").returncode == 0
    hub = Hub(folder)
    settings = json.loads((folder / "goop.json").read_text())
    (folder / "goop.json").write_text(json.dumps({**settings, "cluster": {"nats": hub.url}}))
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()


def _line(process: subprocess.Popen[bytes], begin: str) -> str:
    """Read the process's answers up to the line with `begin` in it."""
    assert process.stdout is not None
    assert process.stderr is not None
    while line := process.stdout.readline().decode():
        if begin in line:
            return line
    raise AssertionError(process.stderr.read().decode())


def test_a_standby_takes_over_by_itself_and_the_old_folder_neither_serves_nor_writes(hub: Hub, tmp_path: Path) -> None:
    blog, spare = hub.folder, tmp_path / "spare"
    invited = goop2("cluster", "invite", "spare", blog, "--standby")
    assert invited.returncode == 0, invited.stderr
    assert "cluster.lease is set" in invited.stderr
    assert json.loads((blog / "goop.json").read_text())["cluster"]["lease"] is True
    key = invited.stdout.strip()
    assert goop2("backup", blog, "--identity", tmp_path / "key").returncode == 0
    with running(blog) as peer:
        sign(blog, "Ann")
        assert goop2("backup", blog).returncode == 0
        with start("standby", spare, "--join", hub.url, "--key", key, "--identity", tmp_path / "key") as standby:
            _line(standby, "standing by for ")
            held = json.loads(goop2("cluster", "status", blog, "--json").stdout)["lease"]
            assert held["held"] is True
            peer.kill()
            _line(standby, " is up ")
            assert goop2("id", spare).stdout == goop2("id", blog).stdout
            assert names_in(spare) == ["Ann"]
            sign(spare, "Bob")
            refused = goop2("data", blog, "write", "INSERT INTO guestbook (_owner, name, message) VALUES ('me', 'Eve', 'Hello')")
            assert refused.returncode != 0
            with start("peer", blog) as old:
                assert old.wait(PATIENCE_SECONDS) == 2
                assert old.stderr is not None
                assert "has taken the place of this peer" in old.stderr.read().decode()
            standby.send_signal(signal.SIGTERM)
            assert standby.wait(PATIENCE_SECONDS) == 0
    assert names_in(spare) == ["Ann", "Bob"]
    assert names_in(blog) == ["Ann"]


def test_a_standby_needs_a_backup_to_follow(hub: Hub) -> None:
    settings = json.loads((hub.folder / "goop.json").read_text())
    (hub.folder / "goop.json").write_text(json.dumps({**settings, "backup": {"to": ""}}))
    invited = goop2("cluster", "invite", "spare", hub.folder, "--standby")
    assert invited.returncode == 2
    assert "a standby follows the peer's backup, and this peer has none: name a place in backup.to first" in invited.stderr
    (hub.folder / "goop.json").write_text(json.dumps({**settings, "backup": {"to": ""}, "cluster": {"nats": hub.url, "lease": True}}))
    started = goop2("peer", hub.folder)
    assert started.returncode == 2
    assert "which needs backup.to" in started.stderr
