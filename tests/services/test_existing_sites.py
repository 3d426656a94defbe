"""Scripts in the style of existing sites, written from existing-sites.md alone: each run as owner, member of each role and stranger.

Tables come from schema files with roles, as templates bring them; the helpers are goop.orm, expr, config, route, owner, group and template.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.scripting.test_sides import until
from tests.storage.manual import peer_with

from goop2.sandbox.orm_calls import OrmCalls
from goop2.sandbox.worker_operations import operations_of
from goop2.scripting.api.site_functions import ORM
from goop2.scripting.engine import Failure, Success
from goop2.scripting.invocation import Caller
from goop2.services.groups.closing import PAUSE_SECONDS
from goop2.services.groups.script_operations import TYPES
from goop2.services.peer import Peer
from goop2.storage.expressions import EXPRESSION_MAX_CHARS
from goop2.storage.orm_tables import AGGREGATE_OPTIONS

BOARD = """
local cards, cfg
local function init()
  cards = cards or goop.orm("cards")
  cfg = cfg or goop.config("settings", { title = "Board", limit = 5 })
end
local function writer(fn)
  return function(params)
    init()
    local role = goop.group.member.role()
    if role ~= "owner" and role ~= "coauthor" then error("not for you: " .. role) end
    return fn(params)
  end
end
local function add(params)
  cards:update_where({ position = goop.expr("position + 1") }, { where = "position >= ?", args = { params.position } })
  return cards:insert({ title = params.title, position = params.position })
end
local function move(params)
  return cards:update_where({ position = goop.expr("position + " .. tonumber(params.by)) }, { where = "1" })
end
local function list()
  init()
  return { title = cfg.title, limit = cfg.limit, cards = cards:pluck("title", { order = "position" }), member = goop.group.is_member(),
           role = goop.group.member.role(), me = goop.group.member.id == goop.peer.id, site = goop.template.name }
end
local rename = goop.owner(function(params) init() local done = cfg:set("title", params.title) return { done, cfg.title } end)
call = goop.route{ list = list, add = writer(add), move = writer(move), rename = rename }
"""
POLL = """
local votes
function call(request)
  votes = votes or goop.orm("votes")
  if request.params.choice then
    local id, err = votes:upsert("voter", { voter = goop.peer.id, choice = request.params.choice })
    if not id then error(err) end
  end
  return votes:aggregate("choice, COUNT(*) AS n", { group_by = "choice" })
end
"""
SEED = """
local cards = goop.orm("cards")
function call()
  local first = cards:seed({ { title = "one", position = 0 }, { title = "two", position = 1 }, { nosuch = 1 } })
  return { first, cards:seed({ { title = "x" } }) }
end
"""
METHODS = """
local t = assert(goop.orm("cards"))
function call(request)
  local name, arguments = request.params.method, request.params.arguments
  local first, second = t[name](t, arguments[1], arguments[2])
  return { first == nil and goop.json.null or first, second }
end
"""
EXPR = """
function call(request)
  local t = goop.orm("cards")
  local changes = {}
  changes[request.params.column or "position"] = goop.expr(request.params.sql)
  return { t:update_where(changes, { where = request.params.where or "title = 'one'", args = request.params.args }) }
end
"""
MARKED = "function call(request) return { goop.orm('cards'):update_where(request.params.changes, { where = '1' }) } end"
SETTINGS = """
function call(request)
  local cfg = goop.config("one_row", { colour = "red", size = 1, set = "hidden" })
  local before = { cfg.colour, cfg.size, cfg.nothing == nil }
  assert(cfg:save{ colour = "blue", size = 3 })
  assert(cfg:set("size", 4))
  local again = goop.config("one_row")
  local none, why = goop.config("nosuch")
  local bad, message = cfg:set("weight", 1)
  return { before, cfg.colour, cfg.size, again.size, tostring(none), why, tostring(bad), message, goop.schema.count("one_row") }
end
"""
GROUPS = """
function call(request)
  local id = goop.group.create("Team", "template", "Board")
  local first = goop.group.members(id)
  local ok, err = pcall(goop.group.set_role, id, "12D3KooWNobody", "coauthor")
  local closed = goop.group.close(id)
  local gone, why = pcall(goop.group.close, id)
  return { #id > 0, first[1].peer_id == goop.self.id, first[1].role, err, closed, why, #goop.group.members("nosuch"), #goop.group.list(),
           goop.group.owner() == goop.self.id, #goop.group.grouptypes() }
end
"""
ROOMS = """
function call(request)
  local room = assert(goop.chat.create("Lounge", "For all", 5, "club"))
  local said = goop.chat.send(room.id, "hello")
  local state = goop.chat.state(room.id)
  local listed = goop.chat.rooms()
  local missing = goop.chat.send("nosuch", "x")
  local none, why = goop.chat.state("nosuch")
  local closed = goop.chat.close(room.id)
  local again = goop.chat.close(room.id)
  local bad, reason = goop.chat.create("x", "", -1)
  local first, member = state.messages[1], state.members[1]
  return { room.name, room.description, said == nil, first.text, first.from, member.peer_id == goop.self.id, #listed,
           missing, none == nil, why, closed == nil, again, bad == nil, reason }
end
"""
ODD = "local t, why = goop.orm('plain') function call() return { tostring(t), why, tostring(goop.orm('_meta')) } end"
CLOSING = """
function on_group_close(id) goop.orm("votes"):insert({ voter = id, choice = goop.peer.id == goop.self.id and "owner" or "other" }) end
"""
FUNCTIONS = {
    "closing": CLOSING,
    "rooms": ROOMS,
    "board": BOARD,
    "poll": POLL,
    "seed": SEED,
    "methods": METHODS,
    "expr": EXPR,
    "marked": MARKED,
    "settings": SETTINGS,
    "groups": GROUPS,
    "odd": ODD,
}
COMMANDS = {"nils": "function handle() return tostring(goop.orm) .. tostring(goop.config) .. type(goop.expr) .. type(goop.group.list) end"}
SCHEMAS: dict[str, dict[str, object]] = {
    "cards": {
        "columns": [{"name": "title", "type": "text", "required": True}, {"name": "position", "type": "integer", "default": 0}],
        "access": dict.fromkeys(("read", "insert", "update", "delete"), "group"),
        "roles": {"coauthor": {"read": True, "insert": True, "update": True, "delete": True}, "viewer": {"read": True}},
        "system_key": True,
    },
    "votes": {"columns": [{"name": "voter", "type": "text", "key": True}, {"name": "choice", "type": "text"}]},
    "settings": {"columns": [{"name": "key", "type": "text", "key": True}, {"name": "value", "type": "text"}]},
    "one_row": {"columns": [{"name": "colour", "type": "text"}, {"name": "size", "type": "integer"}]},
}
COAUTHOR, VIEWER, STRANGER = Caller("coauthor"), Caller("viewer"), Caller("stranger")


@pytest_asyncio.fixture(loop_scope="function")
async def peer(tmp_path: Path) -> AsyncIterator[Peer]:
    (tmp_path / "schemas").mkdir()
    for name, schema in SCHEMAS.items():
        (tmp_path / f"schemas/{name}.json").write_text(json.dumps({"name": name, **schema}))
    async with peer_with(tmp_path, FUNCTIONS, COMMANDS) as ready:
        ready.database.rows("INSERT INTO _meta VALUES ('template_manifest', '{\"name\": \"Board\"}'), ('template_require_email', '1')")
        ready.database.rows("CREATE TABLE plain (_id INTEGER PRIMARY KEY, secret TEXT)")
        group = ready.grouping.groups.host("Board", "template")
        for who in (COAUTHOR, VIEWER):
            ready.grouping.groups._with(group, who.id)
        ready.grouping.groups.set_role(group.id, COAUTHOR.id, "coauthor")
        yield ready


def owner(peer: Peer) -> Caller:
    return Caller(peer.identity.peer_id, owner=True)


async def asked(peer: Peer, caller: Caller, function: str, **params: object) -> object:
    """Return the result of a function, or its error."""
    outcome = await peer.engine.call(caller, function, json.dumps(params).encode())
    return json.loads(outcome.json) if isinstance(outcome, Success) else outcome.message


async def test_a_board_shifts_positions_for_its_authors_alone(peer: Peer) -> None:
    assert await asked(peer, owner(peer), "board", action="add", title="first", position=0) == 1
    assert await asked(peer, COAUTHOR, "board", action="add", title="before", position=0) == 2
    for caller, role in ((VIEWER, "viewer"), (STRANGER, "")):
        said = await asked(peer, caller, "board", action="add", title="mine", position=0)
        assert str(said).endswith(f"not for you: {role}")
    shown = await asked(peer, VIEWER, "board", action="list")
    expected = {"title": "Board", "limit": 5, "cards": ["before", "first"], "member": True, "role": "viewer", "me": True, "site": "Board"}
    assert shown == expected
    assert await asked(peer, COAUTHOR, "board", action="move", by=2) == 2
    assert peer.database.rows("SELECT position, _owner FROM cards ORDER BY _id")[1] == (2, "coauthor")


async def test_settings_are_the_owners(peer: Peer) -> None:
    assert "only the site owner can do this" in str(await asked(peer, COAUTHOR, "board", action="rename", title="Mine"))
    assert await asked(peer, owner(peer), "board", action="rename", title="New") == [True, "New"]
    shown = await asked(peer, STRANGER, "board", action="list")
    assert isinstance(shown, dict)
    assert (shown["title"], shown["member"], shown["role"]) == ("New", False, "")


async def test_a_poll_has_one_answer_a_peer(peer: Peer) -> None:
    for caller, choice in ((VIEWER, "a"), (STRANGER, "a"), (VIEWER, "b"), (VIEWER, "b")):
        result = await asked(peer, caller, "poll", choice=choice)
    assert result == [{"choice": "a", "n": 1}, {"choice": "b", "n": 1}]


async def test_a_seed_fills_an_empty_table_once(peer: Peer) -> None:
    assert await asked(peer, owner(peer), "seed") == [2, 0]


def test_every_method_of_a_handle_is_an_operation() -> None:
    done = {name for name in operations_of(OrmCalls.__new__(OrmCalls)) if name.startswith("orm.")}
    assert done == {method.name for method in ORM[0].methods}


async def test_an_unknown_option_is_told_with_those_there_are(peer: Peer) -> None:
    said = await asked(peer, STRANGER, "methods", method="aggregate", arguments=["COUNT(*)", {"having": "1"}])
    assert said == [None, f"cards: having is not an option of aggregate; there are {', '.join(AGGREGATE_OPTIONS)}"]


METHOD_CASES = {
    "find": ([{"where": "position > ?", "args": [0], "fields": ["title"]}], [[{"title": "two"}]]),
    "find_one": ([{"where": "title = 'nosuch'"}], [None]),
    "get_by": (["title", "nosuch"], [None]),
    "list": ([0], 2),
    "count": ([{"where": "position = 1"}], [1]),
    "exists": ([{"where": "nosuch = 1"}], [False]),
    "distinct": (["title"], [["one", "two"]]),
    "aggregate": (["COALESCE(MAX(position), -1) as v"], [[{"v": 1}]]),
    "update": (["1", {"position": 9}], [True]),
    "delete": ([1], [True]),
    "delete_where": ([{"where": "position = 1"}], [1]),
    "validate": ([{"title": "x"}], [True]),
    "upsert": (["title", {"title": "two", "position": 7}], [2]),
}
FAILURES = {
    "find": ([{"where": "(SELECT 1 FROM plain)"}], None, "may not read the table plain"),
    "find_one": ([{"nosuch": 1}], None, "nosuch is not an option"),
    "get": ([99], None, "not found"),
    "get_by": (["nosuch", 1], None, 'no column "nosuch"'),
    "pluck": (["title, (SELECT 1)"], None, "no column"),
    "distinct": (["_meta"], None, "no column"),
    "aggregate": (["(SELECT secret FROM plain) AS s"], None, "may not read the table plain"),
    "insert": ([{"title": 5}], None, "takes a text"),
    "update": ([99, {"title": "x"}], False, "has no row 99"),
    "delete": ([99], False, "has no row 99"),
    "update_where": ([{"position": 1}], 0, "update_where requires a where clause"),
    "delete_where": ([{"where": "  "}], 0, "delete_where requires a where clause"),
    "count": ([{"where": "nosuch = 1"}], 0, "nosuch"),
    "upsert": (["title", {"position": 1}], None, "must contain key column"),
    "seed": ([{"title": "x"}], 0, "seed takes a list of rows"),
    "validate": ([{}], False, "cards.title is required"),
}


@pytest.mark.parametrize("method", METHOD_CASES)
async def test_each_method_of_a_handle_gives_what_it_says(peer: Peer, method: str) -> None:
    await asked(peer, owner(peer), "seed")
    arguments, expected = METHOD_CASES[method]
    result = await asked(peer, STRANGER, "methods", method=method, arguments=arguments)
    assert (len(result[0]) if isinstance(expected, int) else result) == expected  # type: ignore[index]


async def test_each_method_of_a_handle_says_what_is_wrong(peer: Peer) -> None:
    for method, (arguments, first, message) in FAILURES.items():
        result = await asked(peer, STRANGER, "methods", method=method, arguments=arguments)
        assert isinstance(result, list), (method, result)
        assert (method, result[0]) == (method, first)
        assert message in result[1], method


INJECTED = [
    "(SELECT secret FROM plain)",
    "(SELECT 1)",
    "EXISTS (SELECT 1 FROM cards)",
    "1) WHERE 1 /*",
    "1), \"_owner\" = ('me'",
    "1, _owner = 'me'",
    "1) -- ",
    "1; DELETE FROM cards",
    "?",
    ":a",
    "'open",
    "((1)",
    "load_extension('x')",
    "sum(position)",
    "1" * (EXPRESSION_MAX_CHARS + 1),
    "nosuch",
    "position IN plain",
    "",
]


REACHING = [
    "(SELECT secret FROM plain) = 'x'",
    "1 = 1 UNION SELECT secret FROM plain",
    "title = 'one'; DELETE FROM cards",
    "0) OR (SELECT count(*) FROM _meta) > 0 OR (0",
    "EXISTS (SELECT 1 FROM sqlite_schema)",
    "1 = 1) -- ",
    "load_extension('x')",
    "writefile('/tmp/x', 'x')",
    "title LIKE ?",
    "((",
]
WITH_OPTIONS: dict[str, tuple[list[object], str]] = {
    # method: arguments before the options, and which options are SQL
    "find": ([], "where order"),
    "find_one": ([], "where"),
    "count": ([], "where"),
    "exists": ([], "where"),
    "pluck": (["title"], "where order"),
    "distinct": (["title"], "where"),
    "aggregate": (["COUNT(*) AS n"], "where group_by"),
    "delete_where": ([], "where"),
    "update_where": ([{"title": "changed"}], "where"),
}


@pytest.mark.parametrize("method", WITH_OPTIONS)
async def test_no_option_of_a_method_reaches_another_table_or_statement(peer: Peer, method: str) -> None:
    await asked(peer, owner(peer), "seed")
    peer.database.rows("INSERT INTO plain (secret) VALUES ('a secret')")
    before = peer.database.rows("SELECT * FROM cards"), peer.database.rows("SELECT * FROM plain")
    first, options = WITH_OPTIONS[method]
    for option in options.split():
        for sql in REACHING:
            said = await asked(peer, STRANGER, "methods", method=method, arguments=[*first, {option: sql}])
            assert "a secret" not in json.dumps(said), (option, sql)
            assert isinstance(said, list), (option, sql, said)
            assert said[0] in (None, 0, False), (option, sql, said)
    assert (peer.database.rows("SELECT * FROM cards"), peer.database.rows("SELECT * FROM plain")) == before


WRONG_OPTIONS: list[tuple[object, str]] = [
    ({"where": 5}, "where"),
    ({"where": ["1"]}, "where"),
    ({"where": "title = ?", "args": "one"}, "args"),
    ({"where": "title = ?", "args": [{"a": 1}]}, "args"),
    ({"where": "title = ?", "args": ["one", "two"]}, ""),
    ({"where": "1", "limit": "many"}, "limit"),
    ({"where": "1", "nosuch": 1}, "nosuch is not an option"),
    (["where"], ""),
]


@pytest.mark.parametrize("method", WITH_OPTIONS)
async def test_options_of_a_wrong_form_are_told_and_change_nothing(peer: Peer, method: str) -> None:
    await asked(peer, owner(peer), "seed")
    before = peer.database.rows("SELECT * FROM cards")
    first, _ = WITH_OPTIONS[method]
    for options, named in WRONG_OPTIONS:
        if method == "find_one" and named == "limit":
            continue  # it has the limit 1
        said = await asked(peer, STRANGER, "methods", method=method, arguments=[*first, options])
        if isinstance(said, list):
            assert said[0] in (None, 0, False), (options, said)
            said = said[1] if len(said) > 1 else ""
        assert method == "exists" or named in str(said), (options, said)
    assert peer.database.rows("SELECT * FROM cards") == before


async def test_an_expression_that_reaches_further_changes_nothing(peer: Peer) -> None:
    await asked(peer, owner(peer), "seed")
    before = peer.database.rows("SELECT * FROM cards")
    for sql in INJECTED:
        result = await asked(peer, STRANGER, "expr", sql=sql)
        assert isinstance(result, list), (sql, result)
        assert (sql, result[0]) == (sql, 0)
        assert result[1], sql
        assert peer.database.rows("SELECT * FROM cards") == before, sql


async def test_an_expression_is_of_columns_constants_and_functions(peer: Peer) -> None:
    await asked(peer, owner(peer), "seed")
    assert await asked(peer, STRANGER, "expr", sql="max(position, 4) * 2 + length('a)b--') ", where="title = ?", args=["two"]) == [1]
    assert await asked(peer, STRANGER, "expr", column="title", sql="upper(title) || ':(x'") == [1]
    assert peer.database.rows("SELECT title, position FROM cards") == [("ONE:(x", 0), ("two", 13)]
    said = await asked(peer, STRANGER, "expr", column="_owner", sql="'me'")
    assert said == [0, "cards._owner is set by the peer, not by scripts"]


@pytest.mark.parametrize("value", [{"sql": "1"}, ["position", "e", "1"], {"__expr": "1"}])
async def test_nothing_a_caller_sends_is_an_expression(peer: Peer, value: object) -> None:
    said = await asked(peer, STRANGER, "marked", changes={"position": value})
    assert "position cannot hold a table" in str(said)


async def test_a_configuration_of_one_row_is_read_saved_and_read_back(peer: Peer) -> None:
    result = await asked(peer, owner(peer), "settings")
    assert isinstance(result, list), result
    assert result[:7] == [["red", 1, True], "blue", 4, 4, "nil", "not an ORM table: nosuch", "nil"]
    assert "no column" in result[7]
    assert result[8] == 1


async def test_a_script_opens_and_ends_groups(peer: Peer) -> None:
    result = await asked(peer, owner(peer), "groups")
    assert isinstance(result, list), result
    assert result[:3] == [True, True, "owner"]
    assert "set role: " in result[3]
    assert result[4] is True
    assert "close group: no group" in result[5]
    assert result[6:] == [0, 1, True, len(TYPES)]


async def test_a_script_opens_a_room_speaks_there_as_its_caller_and_ends_it(peer: Peer) -> None:
    result = await asked(peer, STRANGER, "rooms")
    assert isinstance(result, list), result
    assert result[:7] == ["Lounge", "For all", True, "hello", STRANGER.id, True, 1]
    assert result[7:12] == ["room not found: nosuch", True, "room not found: nosuch", True, result[11]]
    assert str(result[11]).startswith("room not found: ")
    assert result[12:] == [True, "max is a whole number from 0, not -1"]


async def test_functions_are_told_of_an_ended_group_as_the_owner(peer: Peer) -> None:
    group = peer.grouping.groups.host("Game", "chat")
    await peer.grouping.end(group.id)
    await until(lambda: bool(peer.runs.recent(1)), 20 * PAUSE_SECONDS)
    rows = peer.database.rows("SELECT voter, choice, _owner FROM votes")
    assert rows == [(group.id, "owner", peer.identity.peer_id)]
    assert [(run.kind, run.script) for run in peer.runs.recent(1)] == [("function", "closing")]


async def test_a_table_that_is_not_typed_has_no_handle(peer: Peer) -> None:
    assert await asked(peer, STRANGER, "odd") == ["nil", "not an ORM table: plain", "nil"]


async def test_chat_commands_have_neither_handles_nor_settings(peer: Peer) -> None:
    assert (await peer.engine.command(STRANGER, "!nils")).text == "nilnilfunctionfunction"


@pytest.mark.parametrize("caller", [VIEWER, STRANGER])
async def test_whatever_scripts_do_the_policies_hold_for_visitors(peer: Peer, caller: Caller) -> None:
    await asked(peer, owner(peer), "seed")
    outcome = await peer.tables.perform("insert", caller, {"table": "cards", "data": {"title": "x"}})
    assert isinstance(outcome, Failure)
    assert outcome.code == "forbidden"
    expression = await peer.tables.perform("update", COAUTHOR, {"table": "cards", "id": 1, "data": {"position": {"sql": "1"}}})
    assert isinstance(expression, Failure)
