"""Calls between peers over a new stream each, beside bare py-libp2p doing the same exchange; and how fast a file comes.

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

from benchmarks.report import table
from goop2.control import ask
from goop2.identity import load_or_create

ROUNDS = 5
ROUND_SECONDS = 2
AT_ONCE = (1, 8, 50)
FILE_BYTES = 49_000_000
TARGET = 0.85
START_SECONDS = 20.0

INTRODUCTION = f"""A call of a function that gives a greeting, each over a new stream, two peers in two processes on loopback;
{ROUNDS} rounds of {ROUND_SECONDS} s, sides in turn, medians. *Bare* is py-libp2p alone: the same stream, Noise and Yamux, a constant for
an answer."""


async def run() -> str:
    """The whole section."""
    return await asyncio.to_thread(_measure)


def _measure() -> str:
    with tempfile.TemporaryDirectory() as name, _peer(Path(name)) as address, _bare() as bare:
        lines = [_compare(address, bare, at_once) for at_once in AT_ONCE]
        speed = statistics.median(_ours(address, "file", "/large.bin") for _ in range(3))
    head = ["under way at once", "bare py-libp2p, exchanges/s", "ours, calls/s", "ratio", "target"]
    file = f"A file of {FILE_BYTES // 1_000_000} MB of a site: {speed:,.0f} MB/s."
    return "\n\n".join(["## Between peers", INTRODUCTION, table(head, lines), file])


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
def _bare() -> Iterator[str]:
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.bare_p2p", "serve"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()


def _compare(address: str, bare: str, at_once: int) -> list[str]:
    rounds = []
    for _ in range(ROUNDS):
        command = [sys.executable, "-m", "benchmarks.bare_p2p", "ask", bare, str(ROUND_SECONDS), str(at_once)]
        theirs = float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        rounds.append((theirs, _ours(address, str(ROUND_SECONDS), str(at_once))))
    ratio = statistics.median(ours / theirs for theirs, ours in rounds)
    theirs, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    return [str(at_once), f"{theirs:,.0f}", f"{ours:,.0f}", f"**{ratio:.2f}**", f"≥ {TARGET}"]


def _ours(address: str, *arguments: str) -> float:
    command = [sys.executable, "-m", "benchmarks.our_p2p", address, *arguments]
    return float(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout.split()[-1])
