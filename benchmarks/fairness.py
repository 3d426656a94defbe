"""How long short calls wait beside callers who keep workers busy with endless scripts: a real peer, asked over loopback."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.report import table
from benchmarks.web import peer_of

INNOCENTS = 200
SECONDS = 20.0
HOSTILE = ((0, 0), (4, 2), (6, 8))
"""Callers, and connections of each."""
P99_TARGET_MS = 50
SCRIPTS = {
    "hello": '--- @rate_limit 0\nfunction call(request)\n  return "Hello, " .. goop.peer.label\nend\n',
    "loop": "--- @rate_limit 0\nfunction call(request)\n  while true do end\nend\n",
}

INTRODUCTION = f"""{INNOCENTS} callers ask a greeting once a second each, over HTTP, for {SECONDS:.0f} s, beside callers that keep every
connection of theirs busy with `while true do end` until it times out after 5 s. Default settings. A wait counts from when its call was due;
the clients share the two cores with the peer. Target: the 99th percentile at most {P99_TARGET_MS} ms, or twice that of the first line."""


async def run() -> str:
    """Measure, and return the section of docs/benchmarks.md."""
    lines = [await asyncio.to_thread(_measure, callers, connections) for callers, connections in HOSTILE]
    heads = ["callers that loop × connections of each", "median, ms", "99 of 100, ms", "longest, ms", "failed"]
    return "\n\n".join(["## Fairness", INTRODUCTION, table(heads, lines)])


def _measure(callers: int, connections: int) -> list[str]:
    with tempfile.TemporaryDirectory() as name, peer_of(Path(name), SCRIPTS) as site:
        where = urlsplit(site)
        command = [sys.executable, "-m", "benchmarks.crowd", str(where.port), where.netloc, str(INNOCENTS), str(SECONDS)]
        told = subprocess.run([*command, str(callers), str(connections)], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return [f"{callers} × {connections}" if callers else "none", told[0], f"**{told[1]}**", *told[2:]]
