"""What a peer leaves behind when it is stopped while scripts write."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from goop2.app import open_peer
from goop2.scripting.invocation import Caller

WRITE = """--- @rate_limit 0
function call()
  goop.schema.create("t", {{name = "a", type = "text"}})
  for i = 1, 100 do goop.schema.insert("t", {a = ("x"):rep(1000)}) end
end
"""


async def test_a_peer_stopped_under_load_leaves_no_write_ahead_log(tmp_path: Path) -> None:
    functions = tmp_path / "site/lua/functions"
    functions.mkdir(parents=True)
    (functions / "write.lua").write_text(WRITE)
    (tmp_path / "goop.json").write_text(json.dumps({"lua": {"enabled": True}}))
    for _ in range(3):
        async with open_peer(tmp_path, {}) as peer:

            async def keep_writing(peer: object, number: int) -> None:
                while True:
                    await peer.engine.call(Caller(f"writer-{number}"), "write")  # type: ignore[attr-defined]
                    await asyncio.sleep(0)

            writing = [asyncio.create_task(keep_writing(peer, number)) for number in range(6)]
            await asyncio.sleep(1.0)  # the load that is tried
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
        log = tmp_path / "data.db-wal"
        assert not log.exists() or log.stat().st_size == 0
