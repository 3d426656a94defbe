"""A `goop2 peer` as a user starts it, alone on its network where this machine lets us have one, and what its processes take."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import psutil

from goop2.folder import creation

MEGABYTE: Final = 2**20
NANOSECOND: Final = 1e-9
ALONE: Final = (
    "ip link set lo up && ip link add lan type veth peer name nobody && ip link set nobody up && ip address add 192.0.2.1/24 dev lan && "
    "ip link set lan multicast on up && ip route add 224.0.0.0/4 dev lan"
)
"""Makes a network of one machine, in a new network namespace: with an address to announce, and nobody to hear it."""
END_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Processes:
    """The processes of a peer that runs."""

    peer: int
    fork_server: int
    workers: tuple[int, ...]

    @property
    def scripting(self) -> tuple[int, ...]:
        """Return the processes that run scripts: the fork server and its workers."""
        return self.fork_server, *self.workers


@contextlib.contextmanager
def a_folder() -> Iterator[Path]:
    """Yield a new peer folder with the usual settings, on ports that are free."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "peer"
        creation.create(place)
        settings = json.loads((place / "goop.json").read_text("utf-8"))
        settings["viewer"] = {**settings.get("viewer", {}), "http_addr": "127.0.0.1:0"}
        settings["p2p"] = {**settings.get("p2p", {}), "listen_port": 0}
        (place / "goop.json").write_text(json.dumps(settings), "utf-8")
        yield place


@contextlib.contextmanager
def running(place: Path, *, program: Sequence[str] = (sys.executable, "-m", "goop2"), keep: Sequence[int] = ()) -> Iterator[int]:
    """Run `goop2 peer` in a folder, and yield its process once it serves; `keep`: descriptors it is given."""
    command = [*program, "peer", str(place)]
    with subprocess.Popen(alone(command), stdout=subprocess.PIPE, text=True, env=environment(place.parent), pass_fds=keep) as started:
        assert started.stdout
        line = started.stdout.readline()
        assert " is up " in line, line
        try:
            yield started.pid
        finally:
            started.terminate()
            started.wait(END_SECONDS)


def environment(home: Path) -> Mapping[str, str]:
    """Return ours, without what would change how the command behaves, and a home with nothing in it."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("GOOP2_", "PYTHON", "XDG_"))}
    return {**ours, "HOME": str(home)}


@cache
def can_be_alone() -> bool:
    """Return whether this user may make a network of one machine."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        return False
    return subprocess.run(["unshare", "--net", "sh", "-c", ALONE], capture_output=True).returncode == 0


def alone(command: Sequence[str]) -> list[str]:
    """Return a command that runs another one on a network of its own, where that can be."""
    return ["unshare", "--net", "sh", "-c", f'{ALONE} && exec "$@"', "sh", *command] if can_be_alone() else list(command)


def processes_of(peer: int) -> Processes:
    """Return the processes of a peer."""
    (fork_server,) = psutil.Process(peer).children()
    return Processes(peer, fork_server.pid, tuple(worker.pid for worker in fork_server.children()))


def shares(pids: Sequence[int]) -> float:
    """Return the megabytes these processes hold: what several share is counted in parts (PSS)."""
    return sum(_rolled_up(pid, "Pss") for pid in pids)


def own(pid: int) -> float:
    """Return the megabytes a process shares with nobody."""
    return _rolled_up(pid, "Private_Dirty") + _rolled_up(pid, "Private_Clean")


def _rolled_up(pid: int, name: str) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8")
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    assert found, text
    return int(found[1]) * 1024 / MEGABYTE


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the processor time that the threads of these processes have used, to the nanosecond."""
    threads = (path for pid in pids for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(path.read_text("utf-8").split()[0]) for path in threads) * NANOSECOND


def wakeups(pids: Sequence[int]) -> int:
    """Return how often the threads of these processes have gone to sleep of themselves, which is how often they were woken."""
    texts = (path.read_text("utf-8") for pid in pids for path in Path(f"/proc/{pid}/task").glob("*/status"))
    return sum(int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0]) for text in texts)


def settled(peer: int, seconds: float) -> None:
    """Wait until a peer is so old."""
    time.sleep(max(0.0, psutil.Process(peer).create_time() + seconds - time.time()))
