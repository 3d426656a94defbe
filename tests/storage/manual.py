"""The manual's data examples, word for word, and a peer to run scripts on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from goop2.app import open_peer
from goop2.scripting.engine import Failure, Success
from goop2.scripting.invocation import Caller
from goop2.services.peer import Peer

LUA = {"enabled": True, "kv_enabled": True, "rate_limit_per_peer": 100_000, "rate_limit_global": 100_000}

SCORES = """goop.schema.create("scores", {
{name = "player", type = "text", required = true},
{name = "points", type = "integer", default = 0},
})
goop.schema.insert("scores", {player = "Alice", points = 100})
local row = goop.schema.get("scores", 1)
local all = goop.schema.list("scores", 10)
goop.schema.update("scores", 1, {points = 200})
"""
SCORES_END = """goop.schema.delete("scores", 1)
local ok, err = goop.schema.validate("scores", {player = "Bob"})
local info = goop.schema.describe("scores")
local is_orm = goop.schema.is_orm("scores")
"""
POSTS = """local rows = goop.schema.find("posts", {
where = "published = 1",
order = "_id DESC",
limit = 10,
fields = {"title", "slug"}
})
local row = goop.schema.find_one("posts", {
where = "slug = ?",
args = {"hello-world"}
})
"""
RAW = """local rows = goop.db.query("SELECT * FROM posts WHERE _owner = ?", goop.peer.id)
local count = goop.db.scalar("SELECT COUNT(*) FROM responses")
goop.db.exec("UPDATE games SET turn = ? WHERE _id = ?", "O", game_id)
"""
GAME_MOVE = (Path(__file__).parents[2] / "src/goop2/folder/templates/start/site/lua/functions/game-move.lua").read_text("utf-8")


@asynccontextmanager
async def peer_with(
    folder: Path, functions: Mapping[str, str], commands: Mapping[str, str] | None = None, **lua: object
) -> AsyncIterator[Peer]:
    """A peer of these scripts; `lua` changes settings."""
    (folder / "site/lua/functions").mkdir(parents=True, exist_ok=True)
    (folder / "goop.json").write_text(json.dumps({"lua": {**LUA, **lua}}))
    for name, source in functions.items():
        (folder / f"site/lua/functions/{name}.lua").write_text(source)
    for name, source in (commands or {}).items():
        (folder / f"site/lua/{name}.lua").write_text(source)
    async with open_peer(folder, {}) as peer:
        yield peer


async def call(peer: Peer, name: str, params: object = None, caller: Caller | None = None) -> Any:
    """The function's result as JSON holds it, or its failure."""
    answer = await peer.engine.call(caller or peer.owner, name, json.dumps(params or {}).encode())
    return json.loads(answer.json) if isinstance(answer, Success) else answer


def failed(answer: object) -> str:
    """The message of a failure."""
    assert isinstance(answer, Failure), answer
    return answer.message
