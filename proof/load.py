"""`python -m proof.load MINUTES` (`make load`), `python -m proof.load MINUTES soak` (`make soak`): a peer that many visitors ask for long.

Load: 1,000 visitors of all templates; no answer may fail. Then one visitor in a hundred is hostile: the 99th percentile of the others at
most doubles. Both: memory, descriptors, threads, processes and files of the peer do not grow. It asks nobody but this machine.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

import psutil
from benchmarks.started_peer import processes_of, shares

from goop2.folder.creation import create
from goop2.folder.templates import DEMO

VISITORS: Final = 1000
PER_SECOND: Final = 200.0
SOAK_PER_SECOND: Final = 50.0
HOSTILE: Final = VISITORS // 100
SAMPLE_SECONDS: Final = 5.0
WARM_PART: Final = 5
"""One part in so many of the time: caches fill, workers come. What grows is looked for after it."""
MEMORY_GROWTH_SHARE: Final = 0.10
GROWTH: Final = {"memory_mb": 8.0, "descriptors": 4.0, "threads": 2.0, "processes": 2.0, "files": 4.0}
"""By how much the last part may lie above the first; memory also by a tenth."""
LATENCY_RATIO_MAX: Final = 2.0
LATENCY_FLOOR_MS: Final = 10.0
"""Twice of less than this is noise of the machine."""
START_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Sample:
    """What the peer and its workers hold at one moment."""

    memory_mb: float
    descriptors: float
    threads: float
    processes: float
    files: float


def main(minutes: float, soak: bool) -> int:
    """Return 1 when something failed or grew."""
    faults = []
    with _peer() as (folder, pid, port, host):
        samples: list[Sample] = []
        with _sampled(folder, pid, samples):
            quiet = _asked(port, host, SOAK_PER_SECOND if soak else PER_SECOND, minutes * 60, 0)
        print(f"{quiet['asked']} questions of {VISITORS} visitors: {_told(quiet)}")
        if quiet["failed"]:
            faults.append(f"{quiet['failed']} answers failed: {quiet['failures']}")
        faults += _grown(samples)
        if not soak:
            beside = _asked(port, host, PER_SECOND, minutes * 60 / 5, HOSTILE)
            print(f"beside {HOSTILE} endless callers: {_told(beside)}")
            if beside["failed"]:
                faults.append(f"{beside['failed']} answers failed beside endless callers: {beside['failures']}")
            if beside["p99"] > LATENCY_RATIO_MAX * max(quiet["p99"], LATENCY_FLOOR_MS):
                faults.append(f"p99 is {beside['p99'] / quiet['p99']:.1f} times as long beside endless callers")
    print(*(faults or ["nothing failed and nothing grew"]), sep="\n")
    return 1 if faults else 0


def _told(seen: Mapping[str, Any]) -> str:
    return f"{seen['failed']} failed, median {seen['median']} ms, p99 {seen['p99']} ms"


@contextlib.contextmanager
def _peer() -> Iterator[tuple[Path, int, int, str]]:
    """Yield folder, process, port and the host of the site of a peer with every template."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "peer"
        create(folder, "load", DEMO)
        functions = folder / "site/lua/functions"
        (functions / "greet.lua").write_text('--- @rate_limit 0\nfunction call() return "Hello, " .. goop.peer.label end\n')
        (functions / "endless.lua").write_text("--- @rate_limit 0\nfunction call() while true do end end\n")
        settings = json.loads((folder / "goop.json").read_text())
        settings["lua"] |= {"rate_limit_global": 1_000_000, "rate_limit_per_peer": 100_000}
        settings |= {"p2p": {"listen_port": 0}}
        (folder / "goop.json").write_text(json.dumps(settings))
        peer = subprocess.Popen([sys.executable, "-m", "goop2", "peer", "--quiet", str(folder)], stdout=subprocess.PIPE, text=True)
        try:
            assert peer.stdout is not None
            line = peer.stdout.readline()
            address = urlsplit(line.partition("site: ")[2].split()[0])
            assert address.hostname is not None
            assert address.port is not None
            yield folder, peer.pid, address.port, f"{address.hostname}:{address.port}"
        finally:
            peer.terminate()
            peer.wait(START_SECONDS)


def _asked(port: int, host: str, per_second: float, seconds: float, hostile: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "proof.visitors", str(port), host, str(VISITORS), str(per_second), str(seconds), str(hostile)]
    said: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return said


@contextlib.contextmanager
def _sampled(folder: Path, pid: int, samples: list[Sample]) -> Iterator[None]:
    """Take a sample every few seconds until the block is left."""
    over = threading.Event()

    def keep_sampling() -> None:
        while not over.wait(SAMPLE_SECONDS):
            with contextlib.suppress(psutil.Error, OSError):
                samples.append(_sample(folder, pid))

    thread = threading.Thread(target=keep_sampling)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _sample(folder: Path, pid: int) -> Sample:
    processes = processes_of(pid)
    pids = (processes.peer, *processes.scripting)
    peer = psutil.Process(pid)
    files = sum(1 for path in folder.rglob("*") if path.is_file())
    return Sample(shares(pids), peer.num_fds(), peer.num_threads(), len(pids), files)


def _grown(samples: Sequence[Sample]) -> list[str]:
    """Return a sentence for each figure that is higher in the last third than in the first, the time of warming up left out."""
    warm = samples[len(samples) // WARM_PART :]
    third = len(warm) // 3
    if not third:
        return [f"only {len(samples)} samples: give it more minutes"]
    faults = []
    columns = zip(*map(astuple, warm), strict=True)
    for field, column in zip(fields(Sample), columns, strict=True):
        first, last = median(column[:third]), median(column[-third:])
        print(f"{field.name.replace('_', ' ')}: {first:.1f} at first, {last:.1f} at last")
        allowed = GROWTH[field.name] + (first * MEMORY_GROWTH_SHARE if field.name == "memory_mb" else 0)
        if last - first > allowed:
            faults.append(f"{field.name.replace('_', ' ')} grew from {first:.1f} to {last:.1f}")
    return faults


if __name__ == "__main__":
    began = time.monotonic()
    result = main(float(sys.argv[1]), "soak" in sys.argv[2:])
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(result)
