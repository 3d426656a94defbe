"""What the manual shows with data, run as it stands there, in confined workers of a real peer."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.storage.manual import GAME_MOVE, POSTS, RAW, SCORES, SCORES_END, call, failed, peer_with

from goop2.scripting.invocation import Caller

ALICE = Caller("alice", email="alice@example.org")
MAKE_POSTS = """
goop.schema.create("posts", {{name = "title", type = "text"}, {name = "slug", type = "text"}, {name = "published", type = "integer"}})
goop.schema.create("responses", {{name = "answer", type = "text"}})
goop.schema.create("games", {{name = "board", type = "text"}, {name = "turn", type = "text"}})
for index, slug in ipairs({"hello-world", "second", "draft"}) do
  goop.schema.insert("posts", {title = "Post " .. index, slug = slug, published = index < 3 and 1 or 0})
end
goop.schema.insert("responses", {answer = "yes"})
local game_id = goop.schema.insert("games", {board = "---------", turn = "X"})
"""


def function(body: str, result: str = "true") -> str:
    return f"function call(request)\n{body}\nreturn {result}\nend\n"


async def test_the_scores_table(tmp_path: Path) -> None:
    scores = function(SCORES + 'local updated = goop.schema.get("scores", 1)\n' + SCORES_END, "{row, all, updated, ok, err, info, is_orm}")
    async with peer_with(tmp_path, {"scores": scores.replace("err, info", "err or 'none', info")}) as peer:
        row, every, updated, valid, error, info, is_orm = await call(peer, "scores", caller=ALICE)
        assert (row["_id"], row["player"], row["points"], row["_owner"]) == (1, "Alice", 100, "alice")
        assert (row["_owner_email"], every, updated["points"], valid, error, is_orm) == (
            "alice@example.org",
            [row],
            200,
            True,
            "none",
            True,
        )
        assert info == {
            "name": "scores",
            "columns": [{"name": "player", "type": "text", "required": True}, {"name": "points", "type": "integer", "default": 0}],
        }


async def test_the_posts_queries(tmp_path: Path) -> None:
    async with peer_with(tmp_path, {"posts": function(MAKE_POSTS + POSTS, "{rows, row.title}")}) as peer:
        rows, title = await call(peer, "posts")
        assert rows == [{"title": "Post 2", "slug": "second"}, {"title": "Post 1", "slug": "hello-world"}]
        assert title == "Post 1"


async def test_raw_sql(tmp_path: Path) -> None:
    async with peer_with(tmp_path, {"raw": function(MAKE_POSTS + RAW, "{#rows, count, goop.db.scalar('SELECT turn FROM games')}")}) as peer:
        assert await call(peer, "raw") == [3, 1, "O"]


async def test_the_game_move_accepts_one_move_and_refuses_the_rest(tmp_path: Path) -> None:
    start = function(MAKE_POSTS + 'goop.db.exec("UPDATE games SET turn = ? WHERE _id = 1", request.params.turn)')
    async with peer_with(
        tmp_path,
        {"start": start, "game-move": GAME_MOVE, "turn": function("goop.db.exec('UPDATE games SET turn = ?', request.params.turn)")},
    ) as peer:
        await call(peer, "start", {"turn": "alice"})
        assert failed(await call(peer, "game-move", {"game_id": 9, "position": 0}, ALICE)).startswith("game-move:")
        assert await call(peer, "game-move", {"game_id": 1, "position": 4}, Caller("bob")) == {"error": "not your turn"}
        assert await call(peer, "game-move", {"game_id": 1, "position": 4}, ALICE) == {"board": "----X----", "turn": "O"}
        assert await call(peer, "game-move", {"game_id": 1, "position": 0}, ALICE) == {"error": "not your turn"}
        await call(peer, "turn", {"turn": "alice"})
        assert await call(peer, "game-move", {"game_id": 1, "position": 4}, ALICE) == {"error": "cell occupied"}


@pytest.mark.parametrize(("name", "content"), [("site/api.json", '{"posts": {"table": "posts"}}')])
async def test_api_json_is_read_and_decoded(tmp_path: Path, name: str, content: str) -> None:
    read = function('local content, err = goop.site.read("api.json")\nlocal config = goop.json.decode(content)', "config")
    async with peer_with(tmp_path, {"read": read}) as peer:
        (tmp_path / name).write_text(content)
        assert await call(peer, "read") == {"posts": {"table": "posts"}}
