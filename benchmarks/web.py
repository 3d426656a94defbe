"""`Goop.data.call` over HTTP: how many a second, and how long one takes while others ask steadily.

A real `goop2 peer` in a process of its own, asked as the owner's own page asks. How many is counted by wrk; without it
that part is left out.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.report import table

ROUNDS = 5
ROUND_SECONDS = 2
CONNECTIONS = (8, 16, 64)
TARGET = 4000
HALF = TARGET // 2
P99_TARGET_MS = 15
SCRIPT = 'function call(request)\n  return "Hello, " .. goop.peer.label\nend\n'
BODY = '{"function":"hello","params":{}}'

INTRODUCTION = f"""`POST /api/data/lua/call` to a function that gives a greeting, as the owner, {ROUNDS} rounds of {ROUND_SECONDS} s,
medians. The client (wrk; for the steady rate one of ours, which counts from when a request was due) shares the two cores with the peer."""


async def run() -> str:
    """Measure, and return the section of docs/benchmarks.md."""
    return await asyncio.to_thread(_measure)


def _measure() -> str:
    with tempfile.TemporaryDirectory() as name, peer_of(Path(name), {"hello": SCRIPT}) as site:
        lines = [_most(site, connections) for connections in CONNECTIONS] if shutil.which("wrk") else []
        lines.append(_steady(site))
    return "\n\n".join(
        ["## Calls over HTTP", INTRODUCTION, table(["load", "calls/s", "target", "median, ms", "99 of 100, ms", "target"], lines)]
    )


@contextmanager
def peer_of(folder: Path, scripts: Mapping[str, str]) -> Iterator[str]:
    """A running peer with these data functions; the address of its site."""
    functions = folder / "site/lua/functions"
    functions.mkdir(parents=True)
    for name, source in scripts.items():
        (functions / f"{name}.lua").write_text(source)
    (folder / "goop.json").write_text(json.dumps({"lua": {"enabled": True}, "viewer": {"http_addr": "127.0.0.1:0"}}))
    peer = subprocess.Popen([sys.executable, "-m", "goop2", "peer", str(folder)], stdout=subprocess.PIPE, text=True)
    assert peer.stdout is not None
    try:
        line = peer.stdout.readline()
        found = re.search(r"site: (\S+)", line)
        assert found, line
        yield found[1]
    finally:
        peer.terminate()
        peer.wait()


def _most(site: str, connections: int) -> list[str]:
    """Measure as many requests as the peer answers over so many connections; return a line of the table."""
    figures = [wrk(site, connections) for _ in range(ROUNDS)]
    rate, median, p99 = (statistics.median(column) for column in zip(*figures, strict=True))
    return [f"{connections} connections, each always asking", f"**{rate:,.0f}**", f"≥ {TARGET:,}", f"{median:.1f}", f"{p99:.1f}", ""]


def wrk(site: str, connections: int, path: str = "/api/data/lua/call", body: str = BODY) -> tuple[float, float, float]:
    """(requests a second, median, 99th percentile in milliseconds) of a POST with this body, which must not hold a quote of Lua."""
    where = urlsplit(site)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f"wrk.method = 'POST'\nwrk.body = '{body}'\nwrk.headers['Host'] = '{where.netloc}'\n")
        script.write("wrk.headers['Content-Type'] = 'application/json'\n")
        script.flush()
        load = ["wrk", "-t1", f"-c{connections}", f"-d{ROUND_SECONDS}s", "--latency", "-s", script.name]
        told = subprocess.run([*load, f"http://127.0.0.1:{where.port}{path}"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "Non-2xx" not in told, told
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    assert rate, told
    return float(rate[1]), _milliseconds(told, "50%"), _milliseconds(told, "99%")


def _milliseconds(told: str, which: str) -> float:
    found = re.search(rf"{which}\s+([\d.]+)(us|ms|s)", told)
    assert found, told
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def _steady(site: str) -> list[str]:
    """At half the target, whatever the answers do."""
    where = urlsplit(site)
    command = [sys.executable, "-m", "benchmarks.steady", str(where.port), where.netloc, str(HALF), str(ROUND_SECONDS)]
    rounds = [
        [float(word) for word in subprocess.run(command, input=BODY, stdout=subprocess.PIPE, text=True, check=True).stdout.split()]
        for _ in range(ROUNDS)
    ]
    median, p99, _ = (statistics.median(column) for column in zip(*rounds, strict=True))
    return [f"{HALF:,} a second, steadily", f"{HALF:,}", "", f"{median:.1f}", f"**{p99:.1f}**", f"≤ {P99_TARGET_MS} ms"]
