"""A browser that pauses a visited peer's download goes on where it was, however long the pause: Yamux's own writer would have given up."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from tests.cli.command import goop2
from tests.e2e.peers import running

from goop2.net.limits import MEGABYTE_BYTES

SIZE = 40 * MEGABYTE_BYTES
PAUSE_SECONDS = 20
HELD_MAX_BYTES = 32 * MEGABYTE_BYTES
"""What both peers together may have grown by while the file waits: windows, pipes and what one read holds, not the file."""


def test_a_download_that_pauses_for_20_seconds_comes_whole_and_nobody_holds_it_meanwhile(tmp_path: Path) -> None:
    with running(tmp_path / "alice", "Alice") as alice, running(tmp_path / "bob", "Bob") as bob:
        content = os.urandom(SIZE)
        (bob.folder / "site/film.bin").write_bytes(content)
        assert goop2("connect", alice.folder, bob.address).returncode == 0
        before = _resident(alice.process.pid, bob.process.pid)
        where = urlsplit(alice.visiting(bob, "film.bin"))
        with socket.create_connection(("127.0.0.1", where.port or 0)) as browser:
            browser.settimeout(60)
            browser.sendall(f"GET {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n\r\n".encode())
            with browser.makefile("rb") as answer:
                assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
                while answer.readline() != b"\r\n":
                    pass
                got = hashlib.sha256(answer.read(MEGABYTE_BYTES))
                time.sleep(PAUSE_SECONDS)  # the pause that is tried
                assert _resident(alice.process.pid, bob.process.pid) - before < HELD_MAX_BYTES
                while piece := answer.read(MEGABYTE_BYTES):
                    got.update(piece)
        assert got.digest() == hashlib.sha256(content).digest()


def _resident(*pids: int) -> int:
    return sum(int(psutil.Process(pid).memory_info().rss) for pid in pids)
