"""The goop table as scripts see it, and what its functions say to wrong arguments, are as recorded."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.command import goop2
from tests.recording.recorded import as_json, compare, masked

from goop2.folder.creation import create
from goop2.scripting.api import FUNCTIONS

PROBE = Path(__file__).with_name("probe.lua")
STRANGER = ("--as", "12D3KooWRBy97UB99e3J6hiPesre1MZeuNQvfan4gBziswrRJsNK")
FUNCTION = "function call(request) return request.params.globals and globals() or request.params.errors and errors() or names() end"
COMMAND = """
function handle(args)
  local found = args == "globals" and globals() or args == "errors" and errors() or names()
  local text = goop.json.encode(found)
  return text
end
"""


def test_the_goop_table_and_its_errors_are_as_recorded(tmp_path: Path) -> None:
    folder = tmp_path / "peer"
    create(folder, "Recorded", "start")
    (folder / "site/lua/functions/probe.lua").write_text(f"{PROBE.read_text()}{FUNCTION}")
    for what in ("names", "globals"):
        (folder / f"site/lua/probe-{what}.lua").write_text(f"{PROBE.read_text()}{COMMAND}")
    recording = {}
    for caller, arguments in (("owner", ()), ("visitor", STRANGER)):
        for what in ("names", "globals", "errors"):
            recording[f"data function, {caller}, {what}"] = asked(folder, "call", "probe", json.dumps({what: True}), *arguments)
        for what in ("names", "globals"):
            recording[f"chat command, {caller}, {what}"] = asked(folder, "chat", f"!probe-{what} {what}", *arguments)
    text = as_json(recording)
    names = recording["data function, owner, names"]
    assert isinstance(names, dict)
    assert {function.name for function in FUNCTIONS} <= set(names)
    compare("goop-table.json", masked(text, DIR=folder))


def asked(folder: Path, kind: str, *arguments: str) -> object:
    """Return the JSON that a script of the peer in `folder` answers."""
    done = goop2("lua", kind, folder, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), (done.stdout, done.stderr)
    return json.loads(done.stdout)
