"""The names that the checks know are those that a script really has."""

from __future__ import annotations

import json
from pathlib import Path

from goop2.app import open_peer
from goop2.scripting.checks.known_names import GLOBALS, LIBRARIES
from goop2.scripting.engine import Success

LISTS = """
function call()
  local found = { globals = {}, libraries = {} }
  for name in pairs(_G) do if name ~= "call" then table.insert(found.globals, name) end end
  for _, library in ipairs({ "string", "table", "math", "os", "coroutine", "bit" }) do
    found.libraries[library] = {}
    for name in pairs(_G[library]) do table.insert(found.libraries[library], name) end
  end
  return found
end
"""


async def test_they_are_the_names_of_a_real_vm(tmp_path: Path) -> None:
    (tmp_path / "site/lua/functions").mkdir(parents=True)
    (tmp_path / "site/lua/functions/names.lua").write_text(LISTS)
    (tmp_path / "goop.json").write_text(json.dumps({"lua": {"enabled": True, "max_workers": 2}}))
    async with open_peer(tmp_path, {}) as peer:
        answer = await peer.engine.call(peer.owner, "names")
    assert isinstance(answer, Success), answer
    found = json.loads(answer.json)
    assert set(found["globals"]) - {"loadstring"} == set(GLOBALS) - {"loadstring"}
    for library, names in found["libraries"].items():
        # Plain Lua and LuaJIT differ in a few old names; what is there must be known.
        assert set(names) <= LIBRARIES[library], library
