"""goop.route, goop.owner, goop.peer.email, and `!name` for the `handle` of a data function, in real workers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.scripting.test_engine import open_engine
from tests.scripting.workshop import stranger

from goop2.scripting.engine import Failure, Success
from goop2.scripting.invocation import Caller, ErrorCode

OWNER = Caller("us", owner=True)
"""The peer that `open_engine` opens."""
ROUTED = """
local count = 0
local function add(params) count = count + params.n return count, "dropped" end
local both = goop.route{ add = add, secret = goop.owner(function(params) return "for " .. params.name end), nothing = 5 }
function call(request)
  return request.params.raw and both(request.params.raw ~= true and request.params.raw or nil) or both(request)
end
function handle(args) return goop.peer.email .. "|" .. args .. "|" .. tostring(goop.orm) .. tostring(goop.db) end
"""
SCRIPTS = {
    "functions/board": ROUTED,
    "functions/plain": "function call() return goop.peer.email end",
    "functions/seems": "handle = 5 -- no function",
    "functions/both": "function handle() return 'function' end",
    "both": "function handle() return 'file' end",
    "functions/list": "function call() return {(goop.commands())} end",
    "functions/tamper": "function call() goop.peer.id = goop.self.id local got = goop.owner(function() return 'in' end)() return got end",
    "functions/keys": "function call() goop.kv.set('k', 'of the file') end function handle() return tostring(goop.kv.get('k')) end",
}


@pytest.mark.parametrize(
    ("params", "error"),
    [
        (b"{}", "board:6: action parameter required"),
        (b'{"action": 5}', "board:6: action parameter required"),
        (b'{"action": "steal"}', "board:6: unknown action: steal"),
        (b'{"action": "nothing"}', "board:6: action nothing is not a function"),
        (b'{"raw": true}', "board:6: request.params missing"),
        (b'{"raw": {"params": 5}}', "board:6: request.params missing"),
        (b'{"action": "secret", "name": "x"}', "board:6: only the site owner can do this"),
    ],
)
async def test_a_route_says_what_is_wrong_at_the_line_that_calls_it(tmp_path: Path, params: bytes, error: str) -> None:
    async with open_engine(tmp_path, SCRIPTS) as (engine, _):
        outcome = await engine.call(stranger(1), "board", params)
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.message) == (ErrorCode.SCRIPT_ERROR, error)


async def test_a_route_calls_its_action_with_the_parameters_alone(tmp_path: Path) -> None:
    async with open_engine(tmp_path, SCRIPTS) as (engine, _):
        assert await engine.call(stranger(1), "board", b'{"action": "add", "n": 2}') == Success(b"2")
        assert await engine.call(OWNER, "board", b'{"action": "secret", "name": "me"}') == Success(b'"for me"')


async def test_a_script_cannot_make_its_caller_the_owner(tmp_path: Path) -> None:
    async with open_engine(tmp_path, SCRIPTS) as (engine, _):
        outcome = await engine.call(stranger(1), "tamper")
    assert isinstance(outcome, Failure)
    assert outcome.message == "tamper:1: only the site owner can do this"


async def test_a_script_knows_the_e_mail_its_caller_says(tmp_path: Path) -> None:
    async with open_engine(tmp_path, SCRIPTS) as (engine, _):
        assert await engine.call(Caller("p", email="a@b.example"), "plain") == Success(b'"a@b.example"')
        assert await engine.call(Caller("p"), "plain") == Success(b'""')


async def test_a_function_with_a_handle_is_a_command_under_the_rules_of_commands(tmp_path: Path) -> None:
    async with open_engine(tmp_path, SCRIPTS) as (engine, runs):
        assert (await engine.command(Caller("p", email="e"), "!Board hi there")).text == "e|hi there|nilnil"
        assert [(run.kind, run.script) for run in runs.recent(9)][:1] == [("command", "board")]
        assert (await engine.command(stranger(1), "!both")).text == "file"
        assert (await engine.command(stranger(1), "!plain")).text == "Unknown command: plain"


async def test_a_function_that_turns_out_to_have_no_handle_is_no_command(tmp_path: Path) -> None:
    async with open_engine(tmp_path, SCRIPTS) as (engine, runs):
        first = await engine.command(stranger(1), "!seems")
        ran = len(list(runs.recent(9)))
        second = await engine.command(stranger(1), "!seems")
        assert (first.text, second.text, len(list(runs.recent(9)))) == ("Unknown command: seems", "Unknown command: seems", ran)
