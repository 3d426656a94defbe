"""A peer for proof/faults.py: started as a user starts it, asked over HTTP, looked at from outside."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psutil

from goop2.folder.creation import create

ANSWER_SECONDS: Final = 30.0
START_SECONDS: Final = 30.0
SCRIPTS: Final = {
    "hello": 'function call() return "hello" end',
    "wait": "function call() local t = os.clock() while os.clock() - t < 2 do end return 'waited' end",
    "write": "function call(r) return assert(goop.schema.insert('kept', {number = r.params.number})) end",
    "count": "function call() return goop.db.query('SELECT COUNT(*) AS n FROM kept')[1].n end",
    "total": "function call() return assert(goop.db.query('SELECT SUM(LENGTH(text)) AS n FROM kept'))[1].n end",
    "fill": "function call() return assert(goop.schema.insert('kept', {number = 0, text = ('x'):rep(400000)})) end",
}
TABLE: Final = {
    "name": "kept",
    "columns": [{"name": "number", "type": "integer"}, {"name": "text", "type": "text"}],
    "access": {"read": "open", "insert": "open", "update": "owner", "delete": "owner"},
}


class FaultyPeer:
    """A `goop2 peer` that was started as a process, and what it prints."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "goop2", "peer", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said: list[str] = []
        self._up = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._up.wait(START_SECONDS):
            raise TimeoutError(f"the peer does not start: {self.said}")

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if "site: " in line:
                address = urlsplit(line.partition("site: ")[2].split()[0])
                self.host, self.port = address.netloc, address.port
                self._up.set()

    def ask(self, method: str, path: str, body: object = None, seconds: float = ANSWER_SECONDS) -> tuple[int, str]:
        """Return status and text of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        with contextlib.closing(connection):
            headers = {"Host": self.host, "Accept": "application/json", "Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def call(self, function: str, **params: object) -> tuple[int, str]:
        """Return status and text of a call."""
        return self.ask("POST", "/api/data/lua/call", {"function": function, "params": params})

    def works_again(self, seconds: float = 10.0) -> float:
        """Return after how many seconds a call is answered well. Raises `AssertionError` when none is."""
        begun, last = time.monotonic(), ""
        while time.monotonic() - begun < seconds:
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, last = self.call("hello")
                if status == http.HTTPStatus.OK:
                    return time.monotonic() - begun
            time.sleep(0.05)
        raise AssertionError(f"no call is answered: {last}")

    @property
    def fork_server(self) -> psutil.Process:
        (child,) = psutil.Process(self.process.pid).children()
        return child

    @property
    def workers(self) -> list[psutil.Process]:
        return self.fork_server.children()

    def busy_worker(self, seconds: float = 5.0) -> psutil.Process:
        """Return the worker that computes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for worker in self.workers:
                with contextlib.suppress(psutil.Error):
                    if worker.cpu_percent(0.05) > 50:
                        return worker
        raise AssertionError("no worker computes")

    def stop(self) -> None:
        """End it, or kill it when it does not end."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def make_folder(folder: Path) -> Path:
    """Make a peer folder with the scripts and the table above."""
    create(folder, "faults", "blank")
    functions = folder / "site/lua/functions"
    functions.mkdir(parents=True, exist_ok=True)
    for name, source in SCRIPTS.items():
        (functions / f"{name}.lua").write_text(f"--- @rate_limit 0\n{source}\n")
    (folder / "schemas").mkdir(exist_ok=True)
    (folder / "schemas/kept.json").write_text(json.dumps(TABLE))
    settings = json.loads((folder / "goop.json").read_text())
    settings |= {"lua": {"enabled": True, "timeout_seconds": 5}, "viewer": {"http_addr": "127.0.0.1:0"}, "p2p": {"listen_port": 0}}
    (folder / "goop.json").write_text(json.dumps(settings))
    return folder


@contextlib.contextmanager
def running(folder: Path) -> Iterator[FaultyPeer]:
    """Run a peer until the block is left."""
    peer = FaultyPeer(folder)
    try:
        yield peer
    finally:
        peer.stop()
