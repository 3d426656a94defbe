"""A real nats-server with the files of a cluster, and real workers that join it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import MappingProxyType

from tests.cli.command import environment
from tests.started import Started

from goop2.app import open_peer
from goop2.cluster.setup_files import CONFIGURATION, FOLDER, ClusterFiles, Role, invite, set_up
from goop2.folder.creation import create
from goop2.services.cluster_view import ClusterView
from goop2.services.peer import Peer

SERVER = str(Path(sys.executable).with_name("nats-server"))
WORKER = (sys.executable, "-m", "goop2", "worker")
UP_SECONDS = 20.0
SCRIPTS = {
    "hello": "function handle(args) return 'Hello, ' .. args .. '!' end",
    "functions/score": "function call(request) goop.log.info('counted') return { n = request.params.n + 1 } end",
    "functions/spin": "function call(request) local t = os.clock() while os.clock() < t + request.params.s do end return 'done' end",
    "functions/wait": "function call(request) local t = os.time() + request.params.s while os.time() < t do end return 'done' end",
    "functions/fetch": "function call(request) return goop.http.get('http://127.0.0.1:' .. request.params.port .. '/') end",
    "functions/mark": """
        function call(request)
          goop.schema.create("marks", { { name = "x", type = "integer" } })
          goop.schema.insert("marks", { x = request.params.n })
          return goop.schema.count("marks")
        end""",
    "functions/hold": "function call(request) goop.db.transaction(function() while true do end end) end",
    "functions/asks": """
        function call(request)
          local body, err = goop.http.get("http://127.0.0.1:9/")
          return { err = err, page = #goop.site.read("index.html") > 0 }
        end""",
    "functions/inside": """
        function call(request)
          local ok, err = pcall(function() goop.db.transaction(function() goop.site.read("index.html") end) end)
          return err
        end""",
}


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Hub:
    """The owner's folder, the server, and the keys of invited machines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: ClusterFiles = set_up(folder, "127.0.0.1", free_port(), (), folder / "data/cluster.nk")
        self.keys: dict[str, Path] = {}
        self.server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.files.own_url

    def invite(self, name: str, role: Role = "worker") -> Path:
        """Return the key of a machine, invited before the server starts."""
        _, self.keys[name] = invite(self.folder, name, role)
        return self.keys[name]

    def start(self) -> None:
        configuration = self.folder / FOLDER / CONFIGURATION
        self.server = subprocess.Popen([SERVER, "-c", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _until(lambda: _listens(self.files.listen_port))

    def stop(self) -> None:
        if self.server is not None:
            self.server.kill()
            self.server.wait()
            self.server = None

    def worker(self, name: str, slots: int = 2, url: str = "") -> Started[str]:
        """Start a worker; the caller ends it."""
        arguments = [*WORKER, "--join", url or self.url, "--key", str(self.keys[name]), "--slots", str(slots)]
        return Started(arguments, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + UP_SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not come up"
        time.sleep(0.02)


@contextmanager
def running_hub(folder: Path, *machines: str) -> Iterator[Hub]:
    """A peer folder with scripts, and a running server that knows these machines."""
    create(folder)
    (folder / "site/lua/functions").mkdir(exist_ok=True)
    for name, source in SCRIPTS.items():
        (folder / f"site/lua/{name}.lua").write_text(source)
    hub = Hub(folder)
    for machine in machines:
        hub.invite(machine)
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()


@contextmanager
def ended(worker: Started[str]) -> Iterator[Started[str]]:
    """A worker that is killed at the end of the block."""
    try:
        yield worker
    finally:
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        worker.communicate()


@asynccontextmanager
async def open_owner(hub: Hub, spill: str = "all", url: str = "", more: Mapping[str, str] = MappingProxyType({})) -> AsyncIterator[Peer]:
    """The peer of the hub's folder, with its scripts on."""
    changes = {
        "GOOP2_LUA_ENABLED": "true",
        "GOOP2_LUA_HTTP_ENABLED": "true",
        "GOOP2_LUA_RATE_LIMIT_PER_PEER": "100000",
        "GOOP2_LUA_RATE_LIMIT_GLOBAL": "100000",
        "GOOP2_CLUSTER_NATS": url or hub.url,
        "GOOP2_CLUSTER_SPILL": spill,
        **more,
    }
    async with open_peer(hub.folder, changes, watch=True) as peer:
        yield peer


def view(peer: Peer) -> ClusterView:
    assert peer.cluster is not None
    return peer.cluster.view()


async def until(condition: Callable[[], bool], seconds: float = UP_SECONDS) -> float:
    """Wait for something; return how long it took, in seconds."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "it did not happen"
        await asyncio.sleep(0.01)
    return time.monotonic() - begun


async def until_ready(peer: Peer, nodes: int = 1) -> None:
    await until(lambda: sum(node.state == "ready" for node in view(peer).nodes) == nodes)
