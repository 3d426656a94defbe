"""How long others wait for the write lock beside three scripts that hold it again and again: a real peer's parts, real workers."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from benchmarks.report import table
from goop2.app import open_peer
from goop2.scripting.invocation import Caller
from goop2.services.peer import Peer

HOGS = 3
SHORT_SECONDS, LONGEST_SECONDS = 0.15, 0.9
"""Of a transaction; one of more than a second is undone and its worker ended."""
MEASUREMENTS = 12
MILLISECONDS = 1000.0

HOG = """--- @rate_limit 0
function call(request)
  for i = 1, 20 do
    local ok = pcall(goop.db.transaction, function()
      goop.db.exec("UPDATE hogs SET a = a + 1")
      local c = os.clock()
      while os.clock() - c < request.params.hold do end
    end)
    if not ok then return i end
  end
end
"""
SET = '--- @rate_limit 0\nfunction call() return goop.kv.set("a", 1) or true end\n'
MAKE = """function call()
  goop.schema.create("hogs", {{name = "a", type = "integer"}})
  return goop.schema.insert("hogs", {a = 1})
end
"""

INTRODUCTION = f"""{HOGS} callers call a script again and again that writes in one transaction after the other. Meanwhile another script's
`goop.kv.set` is called, and a message from another peer is kept, which is when it is acknowledged. {MEASUREMENTS} of each."""


async def run() -> str:
    """Measure, and return the section of docs/benchmarks.md."""
    lines = []
    for hold, others, message in ((SHORT_SECONDS, 1.1, 0.5), (LONGEST_SECONDS, None, 1.5)):
        with tempfile.TemporaryDirectory() as name:
            async with open_peer(_folder(Path(name)), {}) as peer:
                await peer.engine.call(peer.owner, "make")
                sets, acknowledged = await _beside(peer, hold)
        if others is not None:
            lines.append(_line(f"`goop.kv.set` beside transactions of {hold} s", sets, others))
        lines.append(_line(f"a message beside transactions of {hold} s", acknowledged, message))
    return "\n\n".join(["## The write lock", INTRODUCTION, table(["what waits", "median, ms", "longest, ms", "target, ms"], lines)])


def _folder(folder: Path) -> Path:
    functions = folder / "site/lua/functions"
    functions.mkdir(parents=True)
    (folder / "goop.json").write_text(json.dumps({"lua": {"enabled": True, "kv_enabled": True, "max_workers": 32}}))
    for name, source in (("hog", HOG), ("set", SET), ("make", MAKE)):
        (functions / f"{name}.lua").write_text(source)
    return folder


async def _beside(peer: Peer, hold: float) -> tuple[list[float], list[float]]:
    """Seconds of each measurement."""

    async def keep_calling(caller: Caller) -> None:
        while True:
            await peer.engine.call(caller, "hog", json.dumps({"hold": hold}).encode())

    hogs = [asyncio.create_task(keep_calling(Caller(f"hog-{number}"))) for number in range(HOGS)]
    await asyncio.sleep(2 * hold)
    sets = [await _timed(partial(peer.engine.call, Caller("other"), "set")) for _ in range(MEASUREMENTS)]
    messages = [await _timed(partial(peer.chat.receive, "peer", f"id-{number}", "hello", None)) for number in range(MEASUREMENTS)]
    for hog in hogs:
        hog.cancel()
    await asyncio.gather(*hogs, return_exceptions=True)
    return sets, messages


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await work()
    taken = time.perf_counter() - begun
    await asyncio.sleep(0.1)
    return taken


def _line(what: str, seconds: list[float], target: float) -> list[str]:
    ordered = sorted(seconds)
    return [
        what,
        f"{ordered[len(ordered) // 2] * MILLISECONDS:.0f}",
        f"**{ordered[-1] * MILLISECONDS:.0f}**",
        f"≤ {target * MILLISECONDS:.0f}",
    ]
