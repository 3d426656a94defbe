"""Goop.api through a real peer: every action under api.json and the caller's policy, and nobody else near the private operation."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from goop2.app import open_peer
from goop2.scripting.engine import Success
from goop2.scripting.invocation import Caller
from goop2.services.peer import Peer
from goop2.services.rest_api import function

ALICE, BOB = Caller("alice-id", email="alice@example.org"), Caller("bob-id")
POSTS = {
    "name": "posts",
    "columns": [
        {"name": "slug", "type": "text", "required": True},
        {"name": "title", "type": "text"},
        {"name": "published", "type": "integer", "default": 0},
    ],
    "access": {"insert": "email"},
}
DIARY = {
    "name": "diary",
    "columns": [{"name": "body", "type": "text"}],
    "access": dict.fromkeys(("read", "insert", "update", "delete"), "local"),
}
API = {
    "posts": {
        "table": "posts",
        "slug": "slug",
        "filter": "published = 1",
        "fields": ["_id", "slug", "title"],
        "get": True,
        "list": {"order": "_id DESC", "limit": 3},
        "insert": True,
        "update": True,
        "delete": True,
        "map": {"key": "slug", "value": "title"},
    },
    "titles": {"table": "posts", "map": {"key": "slug", "value": "title"}},
    "secret": {"table": "diary", "get": True, "list": True},
    "broken": {"table": "posts", "filter": "no such sql", "list": True},
    "gone": {"table": "nowhere", "list": True},
}


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[Peer]:
    (tmp_path / "site/lua/functions").mkdir(parents=True)
    (tmp_path / "schemas").mkdir()
    for table in (POSTS, DIARY):
        (tmp_path / f"schemas/{table['name']}.json").write_text(json.dumps(table))
    (tmp_path / "goop.json").write_text(json.dumps({"lua": {"enabled": True, "rate_limit_per_peer": 1000, "rate_limit_global": 1000}}))
    async with open_peer(tmp_path, {}) as peer:
        for number in range(1, 6):
            row = {"slug": f"s{number}", "title": f"Title {number}", "published": 0 if number == 5 else 1}
            await peer.tables.perform("insert", peer.owner, {"table": "posts", "data": row})
        await peer.tables.perform("insert", peer.owner, {"table": "diary", "data": {"body": "secret"}})
        yield peer


def declare(peer: Peer, document: object) -> None:
    (peer.folder / "site/api.json").write_text(document if isinstance(document, str) else json.dumps(document))


async def ask(peer: Peer, action: str, resource: str, caller: Caller = BOB, **more: object) -> object:
    """The answer, or the class of the failure."""
    result = await peer.engine.call(caller, "api", json.dumps({"action": action, "resource": resource, **more}).encode())
    return json.loads(result.json) if isinstance(result, Success) else result.code.value


async def test_a_slug_that_is_no_column_finds_nothing_and_removes_nothing(peer: Peer) -> None:
    declare(peer, {"posts": {"table": "posts", "slug": "slag", "get": True, "delete": True, "list": True}})
    assert await ask(peer, "get", "posts", slug="slag") == "bad_request"
    assert await ask(peer, "delete", "posts", peer.owner, slug="slag") == "bad_request"
    assert len((await ask(peer, "list", "posts"))["items"]) == 5  # type: ignore[index]


async def test_get_by_slug_and_by_id_gives_the_fields(peer: Peer) -> None:
    declare(peer, API)
    item = {"_id": 2, "slug": "s2", "title": "Title 2"}
    assert await ask(peer, "get", "posts", slug="s2") == {"found": True, "item": item}
    assert await ask(peer, "get", "posts", id=2) == {"found": True, "item": item}
    assert await ask(peer, "get", "posts", slug="s5") == {"found": False}
    assert await ask(peer, "get", "posts", slug="s2' OR 1 --") == {"found": False}
    assert await ask(peer, "get", "posts") == "bad_request"


async def test_a_list_is_filtered_ordered_and_paged_and_the_limit_is_the_most(peer: Peer) -> None:
    declare(peer, API)

    async def slugs(**page: object) -> list[str]:
        answer = await ask(peer, "list", "posts", BOB, **page)
        assert isinstance(answer, dict)
        return [item["slug"] for item in answer["items"]]

    assert await slugs() == ["s4", "s3", "s2"]
    assert await slugs(limit=100) == ["s4", "s3", "s2"]
    assert await slugs(limit=2, offset=2) == ["s2", "s1"]
    assert await slugs(limit=0) == []
    assert await slugs(offset=9) == []
    assert await slugs(order="_id", where="1", filter="1", fields=["published"], columns=["published"]) == ["s4", "s3", "s2"]


async def test_a_map_is_one_object(peer: Peer) -> None:
    declare(peer, API)
    assert await ask(peer, "map", "posts") == {f"s{number}": f"Title {number}" for number in range(1, 5)}
    assert len(await ask(peer, "map", "titles")) == 5  # type: ignore[arg-type]


async def test_what_is_not_declared_is_not_there(peer: Peer) -> None:
    declare(peer, API)
    assert await ask(peer, "get", "titles", id=1) == "forbidden"
    assert await ask(peer, "insert", "titles", ALICE, data={"slug": "x"}) == "forbidden"
    assert await ask(peer, "list", "diary") == "not_found"
    assert await ask(peer, "list", "_tables") == "not_found"
    assert await ask(peer, "list", "constructor") == "not_found"
    assert await ask(peer, "destroy", "posts") == "bad_request"
    assert await ask(peer, "list", "gone") == "not_found"
    assert await ask(peer, "list", "broken") == "bad_request"


async def test_the_tables_policy_holds_whatever_api_json_allows(peer: Peer) -> None:
    declare(peer, API)
    row = {"slug": "mine", "title": "Mine", "published": 1}
    assert await ask(peer, "insert", "posts", BOB, data=row) == "forbidden"
    assert await ask(peer, "insert", "posts", ALICE, data=row) == {"id": 6}
    assert await ask(peer, "update", "posts", BOB, slug="mine", data={"title": "x"}) == "not_found"
    assert await ask(peer, "update", "posts", ALICE, slug="mine", data={"title": "My own"}) == {"ok": True}
    assert await ask(peer, "delete", "posts", ALICE, id=1) == "not_found"
    assert await ask(peer, "list", "secret") == "not_found"
    assert await ask(peer, "get", "posts", slug="mine") == {"found": True, "item": {"_id": 6, "slug": "mine", "title": "My own"}}
    assert await ask(peer, "delete", "posts", ALICE, slug="mine") == {"ok": True}
    assert await ask(peer, "delete", "posts", ALICE, slug="mine") == "not_found"


async def test_the_filter_holds_for_writing(peer: Peer) -> None:
    declare(peer, API)
    assert await ask(peer, "insert", "posts", ALICE, data={"slug": "draft", "published": 0}) == "forbidden"
    assert await ask(peer, "insert", "posts", ALICE, data={"slug": "mine", "published": 1}) == {"id": 6}
    assert await ask(peer, "update", "posts", ALICE, id=6, data={"published": 0}) == "forbidden"
    assert await ask(peer, "update", "posts", peer.owner, id=5, data={"title": "x"}) == "not_found"
    assert await ask(peer, "delete", "posts", peer.owner, id=5) == "not_found"


async def test_without_api_json_every_table_but_local_ones_is_a_resource(peer: Peer) -> None:
    answer = await ask(peer, "list", "posts")
    assert isinstance(answer, dict)
    assert [item["_id"] for item in answer["items"]] == [5, 4, 3, 2, 1]
    assert await ask(peer, "insert", "posts", ALICE, data={"slug": "x"}) == {"id": 6}
    assert await ask(peer, "get", "posts", slug="x") == "bad_request"
    assert await ask(peer, "map", "posts") == "forbidden"
    for name in ("diary", "_tables", "_chat_messages", "sqlite_schema", "nowhere", ""):
        for caller in (BOB, peer.owner):
            assert await ask(peer, "list", name, caller) == "not_found"


async def test_a_broken_api_json_closes_the_api_until_it_is_mended(peer: Peer) -> None:
    declare(peer, '{"posts": {"table": "posts",\n "list": tru}}')
    result = await peer.engine.call(peer.owner, "api", b'{"action": "list", "resource": "posts"}')
    assert not isinstance(result, Success)
    assert (result.code.value, "line 2, column 10" in result.message) == ("unavailable", True)
    declare(peer, API)
    assert isinstance(await ask(peer, "list", "posts"), dict)
    (peer.folder / "site/api.json").unlink()
    assert isinstance(await ask(peer, "insert", "posts", ALICE, data={"slug": "x"}), dict)


async def test_the_sites_own_function_of_that_name_comes_first(peer: Peer) -> None:
    (peer.folder / "site/lua/functions/api.lua").write_text("function call(request) return request.params.action .. '!' end")
    await peer.catalog.scan()
    assert await ask(peer, "list", "posts") == "list!"


ATTEMPTS = (
    "return {found = goop.api ~= nil or goop.perform ~= nil}",
    "local seen = {} for name in pairs(goop) do seen[#seen + 1] = name end return {found = table.concat(seen, ' '):find('api') ~= nil}",
    "return {found = select('#', ...) > 0}",
    "local first, second = ... return {found = second ~= nil}",
)


@pytest.mark.parametrize("body", ATTEMPTS)
@pytest.mark.parametrize("name", ["sly", "api"])
async def test_no_script_of_the_site_reaches_the_private_operation(peer: Peer, body: str, name: str) -> None:
    (peer.folder / f"site/lua/functions/{name}.lua").write_text(
        f"function call(...) local function try(...) {body} end return try(select(2, ...)) end"
    )
    await peer.catalog.scan()
    result = await peer.engine.call(peer.owner, name, b"{}")
    assert isinstance(result, Success), result
    assert json.loads(result.json) == {"found": False}


async def test_a_worker_that_asks_for_it_in_another_scripts_name_is_refused(peer: Peer) -> None:
    from goop2.scripting.catalog import Script
    from goop2.scripting.invocation import Invocation

    (peer.folder / "site/lua/functions/sly.lua").write_text("function call() end")
    await peer.catalog.scan()
    script = peer.catalog.function("sly")
    assert isinstance(script, Script)
    operation = peer.pool._operations.lent["api.perform"]
    answer = await operation(Invocation(script, b"", peer.owner, 0.0), b"rows", b"diary", b"{}")
    assert answer[0] == b"!"


async def test_a_worker_that_asks_for_what_api_lua_never_asks_breaks_the_protocol(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a KeyError, with a traceback in the log for each call: here the operations the real ones stand under are taken away."""
    monkeypatch.setattr(function, "_NEEDS", {})
    with capture_logs() as lines:
        assert await ask(peer, "list", "posts") == "unavailable"
    (line,) = [line for line in lines if line["log_level"] == "error"]
    assert (line["event"], line["script"], line["caller"]) == ("a worker broke the protocol and was ended", "api", BOB.id), line
    assert line["pid"]
    assert peer.pool.protocol_violations == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda file: file.mkdir(),
        lambda file: os.mkfifo(file),
        lambda file: file.symlink_to("nothing"),
        lambda file: file.symlink_to("../goop.json"),
        lambda file: file.symlink_to("/dev/zero"),
    ],
)
async def test_an_api_json_that_is_no_file_of_the_site_closes_the_api_too(peer: Peer, make: Callable[[Path], None]) -> None:
    file = peer.folder / "site/api.json"
    file.unlink(missing_ok=True)
    make(file)
    assert await ask(peer, "list", "posts") == "unavailable"
