"""Calls between peers, over new streams and kept ones, and files, beside bare py-libp2p and go-libp2p doing the same exchange.

The asked side is a real `goop2 peer` whose function runs in a confined worker; the others answer a constant.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop import go_program
from tests.interop.python_environment import make

from benchmarks import layers
from benchmarks.report import table
from goop2.control_socket import ask
from goop2.folder.identity import load_or_create

ROUNDS = 5
ROUND_SECONDS = 1.0
"""A peer is asked 6,000 times a minute by another: a faster machine would come there within a second and a half."""
FILE_BYTES = 49_000_000
FILES = 2
"""A site's file is 50 MB at most."""
LAYER_RUNS = 3
"""A system looks 250 times a second of processor time."""
DIALS, DIAL_ROUNDS = 25, 3
"""An address may connect 120 times a minute."""
DIAL_MAX_MS = 15
START_SECONDS = 20.0

INTRODUCTION = f"""Two peers in two processes on loopback; {ROUNDS} rounds of {ROUND_SECONDS} s, sides in turn, medians. A call runs
a Lua function that gives a greeting; *new stream*: as any peer of the network is called, *kept stream*: as peers of ours call each other.
*Bare* is py-libp2p alone with its own Noise and Yamux, nothing run and a constant for an answer, over new and kept streams just so. Ours
has a muxer of its own on the socket itself and agrees on the protocol in one step ([architecture](architecture.md))."""

GO = """The same against go-libp2p, whose program (tests/interop/golang/bench.go) answers a constant too, each side one process with as
many threads as it likes: Go uses both cores for a single transfer, and runs no script."""

WHERE = """Where our processor time goes, sampled in both processes while 50 visitors call over kept streams, and while files are
carried; per cent. Workers, which run the scripts, are processes of their own and not counted."""

_CALLS = [str(ROUND_SECONDS)]
_KEPT_50 = ("kept", *_CALLS, "50")
EXCHANGES = (
    ("a call, new stream, a second", ("new", *_CALLS, "1"), 6.0),
    ("a call, kept stream, a second", ("kept", *_CALLS, "1"), 2.0),
    ("50 visitors at once, new streams, calls a second", ("new", *_CALLS, "50"), 6.0),
    ("50 visitors at once, kept streams, calls a second", _KEPT_50, 2.0),
    (f"{FILES * FILE_BYTES // 1_000_000} MB in {FILES} files, MB/s", ("files", str(FILES)), 2.5),
)
"""What it is called, how every program is asked for it, and the least ratio to bare py-libp2p."""
OURS = (sys.executable, "-m", "benchmarks.our_p2p")
Asked = Callable[[tuple[str, ...]], float]
"""Gives the figure of a program for such an exchange."""


async def run() -> str:
    """Measure, and return the section of docs/benchmarks.md."""
    return await asyncio.to_thread(_measure)


def _measure() -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "large.bin"
        file.write_bytes(os.urandom(FILE_BYTES))
        python = str(make())
        with _served(python, "-m", "benchmarks.bare_p2p", "serve", str(file)) as address:
            bare = _asking(address, python, "-m", "benchmarks.bare_p2p")
            lines = [[*_compared(folder, what, bare, exchange), f"≥ {least}"] for what, exchange, least in EXCHANGES]
        against_go = _against_go(folder, file)
        with _peer(folder) as address:
            dial = statistics.median(_asking(address, *OURS)(("dial", str(DIALS))) for _ in range(DIAL_ROUNDS))
        where = _where(folder)
    dialling = (
        f"A dial with Noise and identify takes **{dial:.1f} ms** (median of {DIALS * DIAL_ROUNDS}; at most {DIAL_MAX_MS} on loopback)."
    )
    to_bare = table(["", "bare py-libp2p", "ours", "ratio", "target"], lines)
    return "\n\n".join(["## Between peers", INTRODUCTION, to_bare, dialling, "### Beside go-libp2p", GO, against_go, WHERE, where])


def _against_go(folder: Path, file: Path) -> str:
    """The table, or why there is none."""
    try:
        program = str(go_program.build())
    except go_program.NoToolchainError as error:
        return f"Not measured: {error}."
    with _served(program, "bench-serve", str(file)) as address:
        go = _asking(address, program, "bench-ask")
        lines = [_compared(folder, what, go, exchange) for what, exchange, _least in EXCHANGES]
    return table(["", "go-libp2p", "ours", "ratio"], lines)


def _where(folder: Path) -> str:
    """Per cent of each side's time by layer, for calls and for files."""
    columns = [share for exchange in (_KEPT_50, ("files", str(FILES))) for share in _sampled(folder, exchange)]
    rows = [[layer, *(f"{column[layer]:.0f}" for column in columns)] for layer in columns[0]]
    return table(["", "calls: who asks", "calls: who answers", "files: who reads", "files: who sends"], rows)


def _sampled(folder: Path, exchange: tuple[str, ...]) -> list[dict[str, float]]:
    """Return the shares of the layers, of the peer that asks and of the one that answers."""
    result, asks = folder / "sampled.json", Counter[str]()
    with _peer(folder, sampled=result) as address:
        for _ in range(LAYER_RUNS):
            said: dict[str, int] = json.loads(_said(*OURS, "layers", address, *exchange))
            asks.update({layer.replace("_", " "): count for layer, count in said.items()})
    return [layers.shares(asks), layers.shares(Counter(json.loads(result.read_text("utf-8"))))]


@contextmanager
def _peer(parent: Path, sampled: Path | None = None) -> Iterator[str]:
    """The address of a new `goop2 peer`: it lets each network ask so often. `sampled`: where it writes what it was at, when it ends."""
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        functions = folder / "site/lua/functions"
        functions.mkdir(parents=True)
        (functions / "hello.lua").write_text('--- @rate_limit 0\nfunction call() return "Hello, there" end\n')
        (folder / "site/large.bin").write_bytes(os.urandom(FILE_BYTES))
        (folder / "goop.json").write_text(json.dumps({"lua": {"enabled": True}, "viewer": {"http_addr": "127.0.0.1:0"}}))
        program = ["benchmarks.layers", "peer", name, str(sampled)] if sampled else ["goop2", "peer", name]
        peer = subprocess.Popen([sys.executable, "-m", *program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            address = f"/ip4/127.0.0.1/tcp/{_port(folder)}/p2p/{load_or_create(folder).peer_id}"
            if sampled:
                peer.send_signal(signal.SIGUSR1)
            yield address
        finally:
            peer.terminate()  # a shell's background ignores SIGINT, and its children with it
            peer.wait()


def _port(folder: Path) -> str:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        found = asyncio.run(ask(folder, "self", {}, START_SECONDS)) if (folder / "data/peer.sock").exists() else None
        if found is not None and isinstance(found["addresses"], list):
            return str(found["addresses"][0]).split("/tcp/")[1].split("/")[0]
        time.sleep(0.1)
    raise TimeoutError("the peer never was on the network")


@contextmanager
def _served(*command: str) -> Iterator[str]:
    """The address of another program's answering side."""
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()


def _compared(folder: Path, what: str, theirs: Asked, exchange: tuple[str, ...]) -> list[str]:
    """What it is called, their figure, ours, and the ratio."""
    with _peer(folder) as address:
        ours = _asking(address, *OURS)
        rounds = [(theirs(exchange), ours(exchange)) for _ in range(ROUNDS)]
    ratio = statistics.median(one / other for other, one in rounds)
    their_median, our_median = (statistics.median(column) for column in zip(*rounds, strict=True))
    return [what, f"{their_median:,.0f}", f"{our_median:,.0f}", f"**{ratio:.2f}**"]


def _asking(address: str, *program: str) -> Asked:
    return lambda exchange: float(_said(*program, exchange[0], address, *exchange[1:]))


def _said(*command: str) -> str:
    """The last word a program says."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout.split()[-1]
