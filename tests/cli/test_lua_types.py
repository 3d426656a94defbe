"""goop.lua and .luarc.json: in each new folder, made anew on request, never served and never run."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.command import goop2
from tests.cli.conftest import Save
from tests.web.served import served

from goop2.folder.creation import create
from goop2.scripting.api.docs import editor_types


def test_a_new_folder_has_types_and_they_are_renewed(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    assert goop2("init", folder).returncode == 0
    assert (folder / "goop.lua").read_text() == editor_types()
    assert json.loads((folder / ".luarc.json").read_text())["workspace.library"] == ["goop.lua"]
    (folder / "goop.lua").write_text("---@meta\n-- an older one")
    (folder / ".luarc.json").write_text("{}")
    renewed = goop2("lua", "types", folder)
    assert renewed.stdout == f"made  {folder}/goop.lua\nkept  {folder}/.luarc.json\n"
    assert (folder / "goop.lua").read_text() == editor_types()
    assert (folder / ".luarc.json").read_text() == "{}"
    (folder / "goop.lua").write_text("return 1")
    refused = goop2("lua", "types", folder)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert (folder / "goop.lua").read_text() == "return 1"


def test_types_in_a_folder_of_scripts_are_no_script(folder: Path, save: Save) -> None:
    save("goop", editor_types())
    save("functions/goop", editor_types())
    listed = goop2("lua", "list", folder, "--json")
    assert '"name": "goop"' not in listed.stdout
    assert '"hello"' in listed.stdout
    assert goop2("lua", "check", folder).returncode == 0
    save("goop", "function handle() return 'mine' end")
    assert goop2("lua", "chat", folder, "!goop").stdout == "mine\n"


async def test_types_are_never_served(tmp_path: Path) -> None:
    create(tmp_path / "p", "Fred", more={"goop.lua": editor_types(), ".luarc.json": "{}"})
    async with served(tmp_path / "p") as up:
        for path in ("goop.lua", ".luarc.json", "../goop.lua", "%2e%2e/goop.lua", "tests/start_test.lua", "lua/hello.lua"):
            for where in (f"/{path}", f"{up.front}{path}"):
                answer = await up.ask(where)
                assert answer.status in (400, 404), (where, answer.status)
                assert b"---" not in answer.body
