"""What is left of the answers a second when a crowd gives up and comes again: a real peer, asked over loopback."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.impatient import PATIENCE_SECONDS
from benchmarks.report import table
from benchmarks.web import peer_of

FEW, MANY = 200, 1000
ROUNDS = 5
SECONDS = 6.0
TARGET = 0.5
SCRIPTS = {"hello": '--- @rate_limit 0\nfunction call(request)\n  return "Hello, " .. goop.peer.label\nend\n'}

INTRODUCTION = f"""Callers ask a greeting over HTTP, each on a connection of its own and as soon as it has the last answer. Who waits longer
than {PATIENCE_SECONDS:.0f} s hangs up and comes again. {ROUNDS} rounds of {SECONDS:.0f} s, in turn, medians. Clients share the two cores
with the peer. Target: {MANY:,} such connections leave at least {TARGET} of the answers that {FEW} get."""


async def run() -> str:
    """Measure, and return the section of docs/benchmarks.md."""
    return await asyncio.to_thread(_measure)


def _measure() -> str:
    seen: dict[int, list[list[float]]] = {FEW: [], MANY: []}
    with tempfile.TemporaryDirectory() as name, peer_of(Path(name), SCRIPTS) as site:
        for _ in range(ROUNDS):
            for connections, rounds in seen.items():
                rounds.append(_crowd(site, connections))
    medians = {connections: [statistics.median(column) for column in zip(*rounds, strict=True)] for connections, rounds in seen.items()}
    ratio = statistics.median(many[0] / few[0] for few, many in zip(seen[FEW], seen[MANY], strict=True))
    lines = [[f"{connections:,}", *(f"{figure:,.0f}" for figure in figures), ""] for connections, figures in medians.items()]
    lines[-1][-1] = f"**{ratio:.2f}** (≥ {TARGET})"
    heads = ["connections", "answers/s", "refusals/s", "hang-ups/s", f"of the answers with {FEW}"]
    return "\n\n".join(["## A crowd that gives up", INTRODUCTION, table(heads, lines)])


def _crowd(site: str, connections: int) -> list[float]:
    where = urlsplit(site)
    command = [sys.executable, "-m", "benchmarks.impatient", str(where.port), where.netloc, str(connections), str(SECONDS)]
    return [float(word) for word in subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()]
