"""Real peers in processes of their own, each with every template on its pages."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from tests.cli.command import PATIENCE_SECONDS, PROGRAM, goop2, start
from tests.e2e.lan import Machine
from tests.started import Started

from goop2.folder.creation import create
from goop2.folder.identity import load_or_create
from goop2.folder.templates import DEMO
from goop2.web.http.peer_host import host_label


@dataclass(frozen=True)
class Running:
    """A peer that is up and on the network."""

    folder: Path
    id: str
    console: str
    site: str
    """The own site's address."""
    address: str
    """As others can dial it."""
    process: subprocess.Popen[bytes]
    label: str
    machine: Machine | None = None
    """The one it runs on; None: this."""
    program: Sequence[str] = PROGRAM

    def goop2(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """A command on its machine."""
        return self.machine.goop2(*arguments, program=self.program) if self.machine else goop2(*arguments, program=self.program)

    def sees(self) -> list[str]:
        """Labels of the peers that are here."""
        return [peer["label"] for peer in json.loads(self.goop2("peers", self.folder, "--json").stdout or "[]")]

    def send(self, peer: str, text: str) -> subprocess.CompletedProcess[str]:
        """A direct message to another peer, from a terminal."""
        return self.goop2("send", peer, text, "--dir", self.folder)

    def said(self) -> str:
        """All that was ever said, as the database has it."""
        return self.goop2("data", self.folder, "query", "SELECT content FROM _chat_messages").stdout

    def visiting(self, other: Running, path: str = "") -> str:
        """The address of a page of another peer's site in this one's browser."""
        return f"http://{host_label(other.id)}.localhost:{urlsplit(self.site).port}/{path}"


def free_port() -> int:
    """A TCP port nobody has now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def running(
    folder: Path, label: str, machine: Machine | None = None, *, program: Sequence[str] = PROGRAM, **settings: dict[str, object]
) -> Iterator[Running]:
    """A peer with the demo's pages, or the one in the folder, until the block is left; it must end as it should, unless it was killed."""
    if not folder.exists():
        made(folder, label, **settings)
    port = json.loads((folder / "goop.json").read_text())["p2p"]["listen_port"]
    peer_id = load_or_create(folder).peer_id
    log = folder.with_name(f"{folder.name}.log")
    with log.open("ab") as stderr, _started(folder, machine, stderr, program) as process:
        try:
            ip = machine.address if machine else "127.0.0.1"
            address = f"/ip{6 if ':' in ip else 4}/{ip}/tcp/{port}/p2p/{peer_id}"
            yield Running(folder, peer_id, *_addresses(process), address, _on_the_network(folder, process), label, machine, program)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                assert process.wait(PATIENCE_SECONDS) == 0
    assert "Traceback" not in log.read_text(), log.read_text()


def made(folder: Path, label: str, **settings: dict[str, object]) -> None:
    """A new peer whose pages take any free port."""
    create(folder, label, DEMO)
    document = json.loads((folder / "goop.json").read_text())
    document |= {"viewer": {"http_addr": "127.0.0.1:0"}, "p2p": {"listen_port": free_port()}, **settings}
    (folder / "goop.json").write_text(json.dumps(document))


def _started(folder: Path, machine: Machine | None, stderr: IO[bytes], program: Sequence[str]) -> Started[bytes]:
    if machine:
        return machine.start("peer", folder, stderr=stderr, program=program)
    return start("peer", folder, stderr=stderr.fileno(), program=program)


def _addresses(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    found = re.search(r"console: (\S+)  site: (\S+)", line)
    assert found, line
    return found[1], found[2]


def _on_the_network(folder: Path, process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    end = time.monotonic() + PATIENCE_SECONDS
    while not (folder / "data/peer.sock").exists():
        assert process.poll() is None, "the peer has ended"
        assert time.monotonic() < end, "it never was on the network"
        time.sleep(0.05)
    return process
