"""goop.use: code that scripts share. Found in lib alone, run once a call, never in circles, live as soon as it is saved."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from goop2.app import open_peer
from goop2.folder.creation import create
from goop2.scripting.catalog import Script
from goop2.scripting.engine import Failure, Success
from goop2.scripting.invocation import Invocation
from goop2.scripting.shared_code import shared_code
from goop2.services.peer import Peer

PATIENCE_SECONDS = 20.0
Save = Callable[..., None]
SOURCES = {
    "lib/text": "local text = {} function text.loud(s) return s:upper() .. '!' end return text",
    "lib/greet": """
      loads = (loads or 0) + 1
      local text = goop.use('text')
      return { hello = function(name) return text.loud('hello ' .. name) end }""",
    "hi": "function handle(args) return goop.use('greet').hello(args) end",
    "functions/hi": "function call(r) goop.use('greet') return { goop.use('greet').hello(r.params.name), loads } end",
    "lib/a": "local b = goop.use('b')",
    "lib/b": "local c = goop.use('c')",
    "lib/c": "local x = 1\nlocal a = goop.use('a')",
    "lib/self": "local me = goop.use('self')",
    "functions/circle": "function call(r)\n  local found = goop.use(r.params.name)\n  return found\nend",
    "functions/tail": "function call(r) return goop.use('last') end",
    "lib/last": "return goop.use('last')",
    "lib/fails": """local fails = {}
      function fails.now(what)
        error('no ' .. what)
      end
      function fails.code() error({code = 'sold_out', message = 'none left'}) end
      return fails""",
    "functions/fails": "function call(r)\n  local fails = goop.use('fails')\n\n  fails[r.params.how]('luck')\nend",
    "lib/broken": "return (",
    "lib/at_load": "local a = nil\nreturn a.b",
    "functions/again": """function call()
      local first, why = pcall(goop.use, 'at_load')
      local second, same = pcall(goop.use, 'at_load')
      return { first, second, why == same, why }
    end""",
    "functions/names": "function call(r)\n  local _, why = pcall(function() return (goop.use(r.params.name)) end)\n  return why\nend",
    "lib/db": "return { count = function() return goop.db and goop.db.scalar('SELECT 1') or 'no db' end }",
    "counts": "function handle() return tostring(goop.use('db').count()) end",
    "functions/counts": "function call() return goop.use('db').count() end",
}


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write scripts: save(**{"lib/util": source})."""
    create(tmp_path)
    (tmp_path / "goop.json").write_text('{"lua": {"enabled": true, "max_workers": 1}}')

    def save(**sources: str) -> None:
        for name, source in sources.items():
            file = tmp_path / f"site/lua/{name}.lua"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)

    return save


@pytest_asyncio.fixture
async def peer(tmp_path: Path, save: Save) -> AsyncIterator[Peer]:
    save(**SOURCES)
    (tmp_path / "outside.lua").write_text("return 'private'")
    (tmp_path / "site/lua/lib/linked.lua").symlink_to(tmp_path / "outside.lua")
    async with open_peer(tmp_path, {}, watch=True) as opened:
        yield opened


async def call(peer: Peer, function: str, **params: object) -> object:
    answer = await peer.engine.call(peer.owner, function, json.dumps(params).encode())
    return json.loads(answer.json) if isinstance(answer, Success) else answer


async def test_shared_code_is_used_by_commands_and_functions_and_runs_once_a_call(peer: Peer) -> None:
    assert (await peer.engine.command(peer.owner, "!hi Ann")).text == "HELLO ANN!"
    assert await call(peer, "hi", name="Bob") == ["HELLO BOB!", 1]
    assert await call(peer, "hi", name="Bob") == ["HELLO BOB!", 1]


async def test_it_has_the_rights_of_the_script_that_uses_it(peer: Peer) -> None:
    assert (await peer.engine.command(peer.owner, "!counts")).text == "no db"
    assert await call(peer, "counts") == 1


async def test_a_circle_is_an_error_that_names_it_and_both_places(peer: Peer) -> None:
    answer = await call(peer, "circle", name="a")
    assert isinstance(answer, Failure)
    assert answer.message == "circle:2: lib/c:2: goop.use: shared code may not use itself: a -> b -> c -> a"
    assert (answer.script, answer.line) == ("circle", 2)
    answer = await call(peer, "circle", name="self")
    assert isinstance(answer, Failure)
    assert answer.message == "circle:2: lib/self:1: goop.use: shared code may not use itself: self -> self"
    tail = await call(peer, "tail")  # a tail call has no place of its own in Lua
    assert isinstance(tail, Failure)
    assert tail.message == "tail: goop.use: shared code may not use itself: last -> last"


async def test_an_error_in_shared_code_carries_both_places(peer: Peer) -> None:
    answer = await call(peer, "fails", how="now")
    assert isinstance(answer, Failure)
    assert (answer.message, answer.line) == ("fails:4: lib/fails:3: no luck", 4)
    answer = await call(peer, "fails", how="code")
    assert isinstance(answer, Failure)
    assert (answer.message, answer.detail) == ("fails:4: lib/fails:5: none left", {"code": "sold_out"})
    (run,) = peer.runs.recent(1)
    assert "lib/fails:5" in run.traceback
    assert "fails:4" in run.traceback


async def test_code_that_fails_while_it_loads_can_be_tried_again(peer: Peer) -> None:
    found = await call(peer, "again")
    assert isinstance(found, list)
    assert found[:3] == [False, False, True]
    assert found[3].startswith("lib/at_load:2: attempt to index")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nosuch", "names:2: goop.use: there is no lib/nosuch.lua in the folder of the scripts"),
        ("../hi", 'not "../hi"'),
        ("functions/hi", 'not "functions/hi"'),
        ("lib/text", 'not "lib/text"'),
        ("text.lua", 'not "text.lua"'),
        ("", 'not ""'),
        ("hi", "there is no lib/hi.lua"),
        ("linked", "there is no lib/linked.lua"),
        ("broken", "lib/broken:1: unexpected symbol"),
    ],
)
async def test_only_a_name_in_lib_is_found(peer: Peer, name: str, sentence: str) -> None:
    assert sentence in str(await call(peer, "names", name=name))


async def test_a_script_learns_nothing_by_a_name_that_is_no_text(peer: Peer) -> None:
    source = shared_code(peer.catalog)
    script = peer.catalog.function("hi")
    assert isinstance(script, Script)
    invocation = Invocation(script, b"{}", peer.owner, 0.0)
    for wrong in (b"\xff", b"a" * 5000, 5, None):
        shape, *values = await source(invocation, wrong)
        (message,) = values
        assert shape == b"!"
        assert isinstance(message, bytes)
        assert len(message) < 200


async def test_a_saved_change_is_live_for_who_uses_it_and_a_broken_one_is_not(peer: Peer, save: Save) -> None:
    assert await call(peer, "hi", name="Bob") == ["HELLO BOB!", 1]
    changes: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    peer.catalog.subscribe(lambda change: changes.put_nowait((change.what, change.name)))
    save(**{"lib/text": "return { loud = function(s) return s .. '...' end }"})
    assert await asyncio.wait_for(changes.get(), PATIENCE_SECONDS) == ("loaded", "text")
    assert await call(peer, "hi", name="Bob") == ["hello Bob...", 1]
    save(**{"lib/text": "return {"})
    assert await asyncio.wait_for(changes.get(), PATIENCE_SECONDS) == ("broken", "text")
    assert await call(peer, "hi", name="Bob") == ["hello Bob...", 1]
    (listed,) = [each for each in peer.catalog.listing() if (each.kind, each.name) == ("library", "text")]
    assert (listed.state, listed.older_runs) == ("broken", True)


async def test_shared_code_is_no_command_and_no_function(peer: Peer) -> None:
    assert (await peer.engine.command(peer.owner, "!text")).text == "Unknown command: text"
    assert isinstance(await call(peer, "text"), Failure)
    assert "text" not in dict(peer.catalog.commands())


async def test_many_files_and_deep_ones_are_bounded(peer: Peer, save: Save) -> None:
    changes: asyncio.Queue[str] = asyncio.Queue()
    peer.catalog.subscribe(lambda change: changes.put_nowait(change.name))
    deep = {f"lib/deep{number}": f"return goop.use('deep{number + 1}')" for number in range(40)}
    save(**deep, **{"functions/deep": "function call() return goop.use('deep0') end"})
    seen: set[str] = set()
    while len(seen) < 41:
        seen.add(await asyncio.wait_for(changes.get(), PATIENCE_SECONDS))
    answer = await call(peer, "deep")
    assert isinstance(answer, Failure)
    assert "one call may use 100 files, and 20 of them from one another" in answer.message
