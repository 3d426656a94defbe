"""Names below `goop` that scripts use and do not find, told by the text alone, through the checks of a script."""

from __future__ import annotations

from pathlib import Path

import pytest

import goop2
from goop2.scripting.api import FUNCTIONS
from goop2.scripting.api.declaration import operations
from goop2.scripting.checks.script_checks import FINDINGS_MAX, check
from goop2.scripting.goop_names import GoopNames

TEMPLATES = Path(goop2.__file__).parent / "folder/templates"
NAMES = GoopNames(FUNCTIONS)
UNKNOWN = {
    # source of a data function: what is told
    "goop.schema.fnd('t')": [(1, "goop.schema.fnd is not known here; goop.schema.find is")],
    "\n\nlocal t = goop.omr('t')": [(3, "goop.omr is not known here; goop.orm is")],
    "goop.zzzzzz.y()": [(1, "goop.zzzzzz is not known here")],
    "goop.orm.find('t', {})": [(1, "goop.orm is called first, then the method with a colon: goop.orm(…):find(…)")],
    "local x = [[\n\n]] --[[\n]]\ngoop . kv . gett('x')": [(5, "goop.kv.gett is not known here; goop.kv.get is")],
    "local x = goop.peer.name": [(1, "goop.peer.name is not known here; goop.peer.label is")],
}
KNOWN = (
    "local t = goop.orm('t') t:find({}) goop.config('t'):set('a', 1)",
    "return goop.peer.id .. goop.self.label .. goop.group.member.role() .. goop.group.member.id",
    "return goop.template.anything.at_all",
    "-- goop.nosuch\n--[==[ goop.nosuch ]==] local s = 'goop.nosuch' .. [[goop.nosuch]]",
    "goop.mine = function() end goop.mine() goop.mine.more = 1",
    "local goop = {} goop.nosuch()",
    "local function f(goop) return goop.nosuch end",
    "my.goop.nosuch() notgoop.x()",
    "local db = goop.db db.query('x')",
    "return goop.json.null",
)


def told(source: str, *, command: bool) -> list[tuple[int, str]]:
    """Return what is told of names below goop."""
    found = check("command" if command else "function", "x", source)
    return [(each.line, each.message) for each in found if each.message.startswith("goop.")]


@pytest.mark.parametrize("source", UNKNOWN)
def test_a_name_that_is_not_there_is_told_with_its_line(source: str) -> None:
    assert told(source, command=False) == UNKNOWN[source]


@pytest.mark.parametrize("source", KNOWN)
def test_what_is_there_or_the_scripts_own_is_not_told(source: str) -> None:
    assert told(source, command=False) == []


@pytest.mark.parametrize("name", [function.name for function in FUNCTIONS if not function.private])
def test_every_function_is_known(name: str) -> None:
    assert told(f"goop.{name}()", command=False) == []


def test_what_commands_do_not_have_is_told_of_commands() -> None:
    only = [each.name for each in operations(FUNCTIONS) if each.functions_only and not each.private and f"{each.name}." not in each.name]
    assert "orm" in only
    assert NAMES.fault("orm", command=False) == ""
    for name in ("orm", "db.query", "schema.find", "site.read", "config"):
        assert told(f"goop.{name}()", command=True) == [(1, f"goop.{name} is for data functions alone: in a chat command it is nil")]
    for name in ("route", "owner", "expr", "group.list", "template", "commands", "kv.get", "db"):
        assert told(f"goop.{name}()", command=True) == []


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.lua")), ids=lambda path: path.name)
def test_scripts_that_come_with_goop2_use_no_unknown_name(path: Path) -> None:
    assert told(path.read_text(), command=not {"functions", "tests"} & set(path.parts)) == []


def test_a_long_text_of_unknown_names_is_cut() -> None:
    assert len(told("goop.nosuch()\n" * 1000, command=False)) <= FINDINGS_MAX
