"""Calls between peers, over new streams and kept ones, and files, beside bare py-libp2p doing the same exchange.

The asked side is a real `goop2 peer` whose function runs in a confined worker; bare answers a constant.
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop.python_environment import make

from benchmarks.report import table
from goop2.control_socket import ask
from goop2.folder.identity import load_or_create

ROUNDS = 5
ROUND_SECONDS = 1.0
"""A peer is asked 6,000 times a minute by another: a faster machine would come there within a second and a half."""
FILE_BYTES = 49_000_000
FILES = 2
"""A site's file is 50 MB at most."""
TARGET = 0.85
DIALS, DIAL_ROUNDS = 25, 3
"""An address may connect 120 times a minute."""
DIAL_MAX_MS = 15
START_SECONDS = 20.0

INTRODUCTION = f"""Two peers in two processes on loopback; {ROUNDS} rounds of {ROUND_SECONDS} s, sides in turn, medians. A call runs
a Lua function that gives a greeting; *new stream*: as any peer of the network is called, *kept stream*: as peers of ours call each other.
*Bare* is py-libp2p alone with its own Noise and Yamux, nothing run and a constant for an answer, over new and kept streams just so. Ours
has a muxer of its own on the socket itself and agrees on the protocol in one step ([architecture](architecture.md))."""

_CALLS = [str(ROUND_SECONDS)]
EXCHANGES = (
    ("a call, new stream, a second", "new", [*_CALLS, "1"]),
    ("a call, kept stream, a second", "kept", [*_CALLS, "1"]),
    ("50 visitors at once, new streams, calls a second", "new", [*_CALLS, "50"]),
    ("50 visitors at once, kept streams, calls a second", "kept", [*_CALLS, "50"]),
    (f"{FILES * FILE_BYTES // 1_000_000} MB in {FILES} files, MB/s", "files", [str(FILES)]),
)
"""What it is called, and how both programs are asked for it."""


async def run() -> str:
    """The whole section."""
    return await asyncio.to_thread(_measure)


def _measure() -> str:
    with tempfile.TemporaryDirectory() as name, _peer(Path(name)) as address, _bare(Path(name) / "site/large.bin") as bare:
        lines = [_compare(what, address, bare, kind, arguments) for what, kind, arguments in EXCHANGES]
        dial = statistics.median(_asked("our_p2p", "dial", address, str(DIALS)) for _ in range(DIAL_ROUNDS))
    dialling = (
        f"A dial with Noise and identify takes **{dial:.1f} ms** (median of {DIALS * DIAL_ROUNDS}; at most {DIAL_MAX_MS} on loopback)."
    )
    return "\n\n".join(["## Between peers", INTRODUCTION, table(["", "bare py-libp2p", "ours", "ratio", "target"], lines), dialling])


@contextmanager
def _peer(folder: Path) -> Iterator[str]:
    functions = folder / "site/lua/functions"
    functions.mkdir(parents=True)
    (functions / "hello.lua").write_text('--- @rate_limit 0\nfunction call() return "Hello, there" end\n')
    (folder / "site/large.bin").write_bytes(os.urandom(FILE_BYTES))
    (folder / "goop.json").write_text(json.dumps({"lua": {"enabled": True}, "viewer": {"http_addr": "127.0.0.1:0"}}))
    peer = subprocess.Popen([sys.executable, "-m", "goop2", "peer", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"/ip4/127.0.0.1/tcp/{_port(folder)}/p2p/{load_or_create(folder).peer_id}"
    finally:
        peer.send_signal(signal.SIGINT)
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
def _bare(file: Path) -> Iterator[str]:
    server = subprocess.Popen([make(), "-m", "benchmarks.bare_p2p", "serve", str(file)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()


def _compare(what: str, address: str, bare: str, kind: str, arguments: list[str]) -> list[str]:
    rounds = [(_asked("bare_p2p", kind, bare, *arguments), _asked("our_p2p", kind, address, *arguments)) for _ in range(ROUNDS)]
    ratio = statistics.median(ours / theirs for theirs, ours in rounds)
    theirs, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    return [what, f"{theirs:,.0f}", f"{ours:,.0f}", f"**{ratio:.2f}**", f"≥ {TARGET}"]


def _asked(program: str, *arguments: str) -> float:
    interpreter = make() if program == "bare_p2p" else sys.executable
    command = [interpreter, "-m", f"benchmarks.{program}", *arguments]
    return float(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout.split()[-1])
