"""Make a peer folder from every template with the program of this commit, and record what its commands print.

Run it at the commit whose folders are to be kept: `python -m tests.kept.make tests/kept/VERSION`. `test_kept.py` starts what it made with
every later commit. The keys in these folders are nobody's: they were made for this.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from tests.cli.command import goop2
from tests.e2e.peers import Running, free_port, running

from goop2.folder.creation import create
from goop2.folder.templates import TEMPLATES

RECORDING = "recording.json"
HOST, MEMBER = "start", "guestbook"
"""The peers that talk to each other: one hosts the group the other joins."""
ROWS: dict[str, tuple[tuple[str, dict[str, object]], ...]] = {
    "blog": (
        ("posts", {"slug": "first", "title": "First", "tag": "note", "author": "Ann", "summary": "One", "text": "Hello,\nworld ☂"}),
        ("posts", {"slug": "second", "title": 'Two "quoted"', "tag": "story", "text": "=1+1"}),
    ),
    "guestbook": (("guestbook", {"name": "Ann", "message": "I was here"}), ("guestbook", {"name": "Björn", "message": "me too, \u4e16"})),
}
CALLS: dict[str, tuple[tuple[str, str], ...]] = {
    "start": (("score-quiz", '{"answers": ["B", "A", "C"]}'), ("game-move", '{"game_id": 1, "position": 0}')),
    "quiz": (("score-quiz", '{"answers": ["x"]}'),),
    "guestbook": (("visit", "{}"),),
    "tictactoe": (("new-game", "{}"), ("games", "{}")),
}
CHATS = ("!hello Alice", "!nosuch", "!weather", "!np")


def settings_for(folder: Path) -> None:
    """Ports that are free, keys in the store, and nothing else changed."""
    document = json.loads((folder / "goop.json").read_text())
    document["viewer"] = {"http_addr": "127.0.0.1:0"}
    document["p2p"] = {**document.get("p2p", {}), "listen_port": free_port()}
    (folder / "goop.json").write_text(json.dumps(document, indent=2) + "\n")


def post(site: str, path: str, body: object) -> None:
    """Ask the own site, as its owner's page does."""
    parts = urlsplit(site)
    request = urllib.request.Request(
        f"http://127.0.0.1:{parts.port}{path}",
        json.dumps(body).encode(),
        {"Host": parts.netloc, "Content-Type": "application/json", "Origin": f"http://{parts.netloc}"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200, answer.read()


def fill(up: Running, template: str) -> None:
    """Give a running peer its rows, and run its functions once."""
    for table, row in ROWS.get(template, ()):
        post(up.site, "/api/data/insert", {"table": table, "data": row})
    if template == "blank":
        columns = [{"name": "title", "type": "text"}, {"name": "done", "type": "integer"}]
        post(up.site, "/api/data/tables/create", {"name": "notes", "column_defs": columns})
        post(up.site, "/api/data/insert", {"table": "notes", "data": {"title": "milk", "done": 1}})
    for name, params in CALLS.get(template, ()):
        up.goop2("lua", "call", up.folder, name, params)


def talk(host: Running, member: Running) -> None:
    """Send messages both ways, and join a group."""
    for sender, receiver in ((host, member), (member, host)):
        done = sender.goop2("connect", sender.folder, receiver.address)
        assert done.returncode == 0, done.stderr
    assert host.send(member.id, "hello from the host").returncode == 0
    assert member.send(host.id, "!hello Alice").returncode == 0
    group = host.goop2("group", "create", "Friends", "--dir", host.folder).stdout.strip()
    joined = member.goop2("group", "join", host.id, group, "--dir", member.folder)
    assert joined.returncode == 0, joined.stderr
    assert host.goop2("group", "create", "Readers", "--type", "reading", "--max", "3", "--dir", host.folder).returncode == 0
    time.sleep(1)  # replies are kept before the peers end


def commands(folder: Path, template: str) -> list[list[str]]:
    """The commands whose output is kept; DIR stands for the folder."""
    tables = json.loads(goop2("data", folder, "tables", "--json").stdout or "[]")
    names = [table["name"] for table in tables]
    return [
        ["id", "DIR", "--json"],
        ["keys", "DIR", "--json"],
        ["lua", "check", "DIR"],
        ["lua", "list", "DIR"],
        ["data", "DIR", "tables", "--json"],
        *(["data", "DIR", "describe", name, "--json"] for name in names),
        *(["data", "DIR", "query", f'SELECT * FROM "{name}" ORDER BY _id', "--json"] for name in names),
        *(["data", "DIR", "export", name] for name in names),
        ["data", "DIR", "query", "SELECT peer_id, from_id, content FROM _chat_messages ORDER BY id", "--json"],
        *(["lua", "chat", "DIR", text] for text in CHATS),
        *(["lua", "call", "DIR", name, params] for name, params in CALLS.get(template, ()) if name in ("score-quiz", "game-move")),
    ]


def record(folder: Path, template: str) -> list[dict[str, object]]:
    """Run the commands on a copy of the folder."""
    kept = []
    for command in commands(folder, template):
        done = goop2(*(str(folder) if word == "DIR" else word for word in command))
        kept.append({"command": command, "code": done.returncode, "stdout": done.stdout, "stderr": done.stderr.replace(str(folder), "DIR")})
    return kept


def tidy(folder: Path) -> None:
    """Leave what a stopped peer leaves, and nothing of one that runs."""
    for name in ("peer.lock", "peer.sock", "metrics.token"):
        (folder / "data" / name).unlink(missing_ok=True)
    with closing(sqlite3.connect(folder / "data.db")) as database:  # whatever was left in the log is moved into the database
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not list(folder.glob("data.db-*")), "somebody has the database open"


def main(target: Path) -> None:
    """Make, fill, record."""
    target.mkdir(parents=True)
    for template in TEMPLATES:
        create(target / template, f"The {template}", template)
        settings_for(target / template)
        assert goop2("keys", target / template).returncode == 0
    with running(target / HOST, HOST) as host, running(target / MEMBER, MEMBER) as member:
        fill(host, HOST)
        fill(member, MEMBER)
        talk(host, member)
    for template in TEMPLATES:
        if template not in (HOST, MEMBER):
            with running(target / template, template) as up:
                fill(up, template)
        tidy(target / template)
    recording = {}
    for template in TEMPLATES:
        copy = target / f"{template}.copy"
        shutil.copytree(target / template, copy)
        recording[template] = record(copy, template)
        shutil.rmtree(copy)
    for log in target.glob("*.log"):
        log.unlink()
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    document = {"commit": commit, "folders": recording}
    (target / RECORDING).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
