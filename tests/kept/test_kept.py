"""Folders that earlier versions made start with this one, and their commands still print what they printed then.

`make.py` made them and recorded the commands. A recorded line may change only where the specification says so: the commit that
changes it names the line.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
from pathlib import Path

import pytest
from tests.cli.command import goop2
from tests.e2e.peers import running
from tests.kept.make import HOST, MEMBER, RECORDING

KEPT = Path(__file__).parent
HEAD = ["script", "state", "calls a minute", "what it is for"]
VERSIONS = sorted(path.parent.name for path in KEPT.glob(f"*/{RECORDING}"))
FOLDERS = [(version, template) for version in VERSIONS for template in json.loads((KEPT / version / RECORDING).read_text())["folders"]]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Where copies of kept folders go."""
    return tmp_path


def copy_of(version: str, template: str, target: Path) -> Path:
    """Copy a kept folder, with a network port that is free now."""
    folder = target / template
    shutil.copytree(KEPT / version / template, folder)
    document = json.loads((folder / "goop.json").read_text())
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        document["p2p"]["listen_port"] = sock.getsockname()[1]
    (folder / "goop.json").write_text(json.dumps(document))
    for private in (folder / "goop.json", folder / "data.db", *(folder / "data").iterdir()):
        private.chmod(0o600)  # as the peer left them; git does not keep it
    return folder


def rows(text: str) -> list[list[str]]:
    """Return the cells of a printed table: `lua list` has a head line since 0.2.0, and columns as wide as it needs."""
    return [cells for line in text.splitlines() if (cells := re.split(r"  +", line.rstrip())) != HEAD]


def test_every_version_kept_has_folders() -> None:
    assert VERSIONS
    assert len(FOLDERS) >= 7


@pytest.mark.parametrize(("version", "template"), FOLDERS)
def test_a_kept_folder_answers_its_commands_as_it_did(version: str, template: str, copied: Path) -> None:
    folder = copy_of(version, template, copied)
    goop2("lua", "check", folder)  # what is said once about an older folder is said here
    for each in json.loads((KEPT / version / RECORDING).read_text())["folders"][template]:
        done = goop2(*(str(folder) if word == "DIR" else word for word in each["command"]))
        answer = {"code": done.returncode, "stdout": done.stdout, "stderr": done.stderr.replace(str(folder), "DIR")}
        assert {"command": each["command"], **answer, "stdout": rows(done.stdout)} == {**each, "stdout": rows(each["stdout"])}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_kept_peer_starts_with_its_messages_and_groups(version: str, copied: Path) -> None:
    folder = copy_of(version, HOST, copied)
    messages = json.loads(goop2("data", folder, "query", "SELECT content FROM _chat_messages ORDER BY id", "--json").stdout)
    assert [message["content"] for message in messages] == ["hello from the host", "!hello Alice", "Hello, Alice!"]
    with running(folder, HOST) as up:
        hosted = {group["name"]: group for group in json.loads(up.goop2("group", "list", "--dir", folder, "--json").stdout)["hosted"]}
        assert set(hosted) == {"Friends", "Readers"}
        members = up.goop2("group", "members", hosted["Friends"]["id"], "--dir", folder, "--json").stdout
    assert goop2("id", copy_of(version, MEMBER, copied)).stdout.strip() in members


@pytest.mark.parametrize(("version", "template"), FOLDERS)
def test_a_kept_peer_starts_and_ends(version: str, template: str, copied: Path) -> None:
    folder = copy_of(version, template, copied)
    with running(folder, template) as up:
        assert up.id == goop2("id", folder).stdout.strip()
