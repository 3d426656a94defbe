"""Our calls beside what people would pick instead: gopher-lua in a Go program, and PocketBase's JavaScript routes over HTTP.

Both are built from Go modules (rival_programs) and have no wall. All sides are asked in turn, in one run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.interop.go_program import NoToolchainError, build

from benchmarks.data_workloads import DATA_WORKLOADS, LISTED, MOVE, fill
from benchmarks.ours import bench_peer, caller_of, throughput
from benchmarks.report import table
from benchmarks.web import SCRIPT, peer_of, wrk
from benchmarks.workloads import WORKLOADS, Workload
from goop2.app import open_peer

PROGRAMS: Final = Path(__file__).parent / "rival_programs"
ROUNDS = 5
ROUND_SECONDS = 2
WARM_UP_SECONDS = 0.5
WORKERS = 2
AT_ONCE = 8
CONNECTIONS = 16
START_SECONDS = 30

BY_NAME: Final = {each.name: each for each in (*WORKLOADS, *DATA_WORKLOADS)}
ENGINE_TARGETS: Final = {"hello": 2.5, "score": 2.5, "move": 2.5, "list": 3.5, "fib": 17.0}
"""Ours ÷ gopher-lua."""

_MOVE_JS = """const body = e.requestInfo().body;
  const game = new DynamicModel({ board: "", turn: "" });
  $app.db().newQuery("SELECT board, turn FROM games WHERE _id = {:id}").bind({ id: body.game_id }).one(game);
  if (game.turn === "") return e.json(200, { error: "not your turn" });
  const place = body.position;
  if (game.board.charAt(place) === "") return e.json(200, { error: "cell occupied" });
  const board = game.board.slice(0, place) + "X" + game.board.slice(place + 1);
  $app.db().newQuery("UPDATE games SET board = {:board}, turn = {:turn} WHERE _id = {:id}")
    .bind({ board: board, turn: "O", id: body.game_id }).execute();
  return e.json(200, { board: board, turn: "O" });"""

_LIST_JS = f"""const rows = arrayOf(new DynamicModel({{
    id: 0, owner: "", created: "", title: "", slug: "", body: "", summary: "", published: 0, score: -0, tag: "" }}));
  $app.db().newQuery("SELECT _id AS id, _owner AS owner, _created_at AS created, title, slug, body, summary, published, score, tag "
    + "FROM posts ORDER BY _id DESC LIMIT {LISTED}").all(rows);
  return e.json(200, rows);"""
"""Its models take no name that begins with an underscore, hence the aliases."""

_FIB_JS = """function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
  return e.json(200, fib(e.requestInfo().body.n));"""


@dataclass(frozen=True)
class Route:
    """One call over HTTP: our function, and PocketBase's route."""

    source: str
    javascript: str
    argument: str
    target: float
    """Ours ÷ PocketBase's, calls a second."""


ROUTES: Final = {
    "hello": Route(SCRIPT, 'return e.json(200, "Hello, " + e.requestInfo().body.name);', '{"name":"Alice"}', 1.0),
    "move": Route(MOVE, _MOVE_JS, BY_NAME["move"].argument, 1.2),
    "list": Route(BY_NAME["list"].source, _LIST_JS, "{}", 1.2),
    "fib": Route(BY_NAME["fib"].source, _FIB_JS, BY_NAME["fib"].argument, 14.0),
}

INTRODUCTION = f"""Scripts here and in *gopher-lua*, a Go program of ours: a fresh state a call, SQLite in Go,
{AT_ONCE} calls under way, no wall. `POST` over HTTP here and to *PocketBase* 0.36: routes in JavaScript, built from its Go module with the
fifteen runtimes of its own program, no wall; {CONNECTIONS} connections, wrk beside both. {ROUNDS} rounds of {ROUND_SECONDS} s,
medians of the rounds' ratios. Each call of ours has a fresh VM behind the wall."""


async def run() -> str:
    """Return the whole section; without Go, the sentence that says so."""
    head = "## Beside what people would pick instead"
    try:
        engine = await asyncio.to_thread(build, PROGRAMS, "./engine")
        pocketbase = await asyncio.to_thread(build, PROGRAMS, "./pocketbase")
    except NoToolchainError as error:
        return f"{head}\n\nNot measured here: {error}."
    if not shutil.which("wrk"):
        return f"{head}\n\nNot measured here: wrk is missing."
    engines, ours = await _engines(engine)
    pages, hello = await _pages(pocketbase)
    over = table(["", "ratio", "target"], [["hello: calls over HTTP ÷ calls of the engine itself", f"**{hello / ours:.2f}**", "≥ 0.6"]])
    return "\n\n".join([head, INTRODUCTION, engines, pages, over])


# ── gopher-lua ───────────────────────────────────────────────────────────────────────────────────


async def _engines(program: Path) -> tuple[str, float]:
    """Return the table beside gopher-lua, and our calls of hello a second."""
    rows, hello = [], 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _fill(folder / "data.db")
        for workload, _ in _targets():
            (folder / f"{workload.name}.lua").write_text(workload.source)
            (folder / f"{workload.name}.json").write_text(workload.argument)
        async with bench_peer(WORKERS, [workload for workload, _ in _targets()]) as peer:
            fill(peer.database.connection)
            for workload, target in _targets():
                call = caller_of(peer, workload)
                await throughput(call, AT_ONCE, WARM_UP_SECONDS)
                pairs = []
                for _ in range(ROUNDS):
                    theirs = await asyncio.to_thread(_gopher, program, folder, workload)
                    pairs.append((await throughput(call, AT_ONCE, ROUND_SECONDS), theirs))
                rows.append(_row(workload.name, pairs, target))
                hello = _median(pairs, lambda pair: pair[0]) if workload.name == "hello" else hello
    return table(["script", "ours, calls/s", "gopher-lua, calls/s", "ratio", "target"], rows), hello


def _targets() -> list[tuple[Workload, float]]:
    return [(BY_NAME[name], target) for name, target in ENGINE_TARGETS.items()]


def _gopher(program: Path, folder: Path, workload: Workload) -> float:
    done = subprocess.run([program, folder, str(ROUND_SECONDS), workload.name], stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


# ── PocketBase ───────────────────────────────────────────────────────────────────────────────────


async def _pages(program: Path) -> tuple[str, float]:
    """Return the table beside PocketBase, and our calls of hello over HTTP a second."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        folder = Path(one)
        (folder / "goop.json").write_text("{}")
        async with open_peer(folder, {}) as peer:
            fill(peer.database.connection)
        return await asyncio.to_thread(_compare, folder, program, Path(other))


def _compare(folder: Path, program: Path, beside: Path) -> tuple[str, float]:
    rows, hello = [], 0.0
    with peer_of(folder, {name: route.source for name, route in ROUTES.items()}) as site, _pocketbase(program, beside) as address:
        for name, route in ROUTES.items():
            body = f'{{"function":"{name}","params":{route.argument}}}'
            figures = [(wrk(site, CONNECTIONS, body=body), wrk(address, CONNECTIONS, f"/{name}", route.argument)) for _ in range(ROUNDS)]
            pairs = [(mine[0], theirs[0]) for mine, theirs in figures]
            rows.append(_row(name, pairs, route.target))
            if name == "hello":
                hello = _median(pairs, lambda pair: pair[0])
                slowest = statistics.median(mine[2] for mine, _ in figures), statistics.median(theirs[2] for _, theirs in figures)
                rows.append(
                    ["hello: 99 of 100, ms", f"{slowest[0]:.1f}", f"{slowest[1]:.1f}", f"**{slowest[0] / slowest[1]:.2f}**", "≤ 0.5"]
                )
    return table(["over HTTP", "ours, calls/s", "PocketBase, calls/s", "ratio", "target"], rows), hello


@contextmanager
def _pocketbase(program: Path, folder: Path) -> Iterator[str]:
    """Run PocketBase with our routes and the tables of the benchmark; give its address."""
    data, hooks = folder / "data", folder / "hooks"
    data.mkdir()
    hooks.mkdir()
    _fill(data / "data.db")
    routes = [f'routerAdd("POST", "/{name}", (e) => {{\n  {route.javascript}\n}});\n' for name, route in ROUTES.items()]
    (hooks / "bench.pb.js").write_text("\n".join(routes))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [program, "serve", f"--http=127.0.0.1:{port}", f"--dir={data}"],
        env={**os.environ, "HOOKS": str(hooks), "GOMAXPROCS": "2"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)  # nothing tells when it listens
    raise TimeoutError(f"PocketBase does not listen on port {port} after {START_SECONDS} s")


# ── both ─────────────────────────────────────────────────────────────────────────────────────────


def _fill(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        fill(connection)


def _median(pairs: list[tuple[float, float]], figure: Callable[[tuple[float, float]], float]) -> float:
    return statistics.median(map(figure, pairs))


def _row(name: str, pairs: list[tuple[float, float]], target: float) -> list[str]:
    ratio = _median(pairs, lambda pair: pair[0] / pair[1])
    mine, theirs = _median(pairs, lambda pair: pair[0]), _median(pairs, lambda pair: pair[1])
    return [name, f"{mine:,.0f}", f"{theirs:,.0f}", f"**{ratio:.2f}**", f"≥ {target:g}"]
