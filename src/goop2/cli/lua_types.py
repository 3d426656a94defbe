"""`goop2 lua types`: the types of the goop table for editors, in a folder: goop.lua and .luarc.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click

from goop2.cli import output, session
from goop2.cli.errors import CommandError
from goop2.cli.options import folder_argument

TYPES: Final = "goop.lua"
CONFIGURATION: Final = ".luarc.json"
_DISABLED: Final = ("io", "package", "debug", "ffi", "jit")
"""Libraries that the language server knows and a script has not."""


def files_for_editors() -> dict[str, str]:
    """Return path inside a peer folder → content, of what editors read there."""
    from goop2.scripting.api.docs import editor_types

    settings = {
        "$schema": "https://raw.githubusercontent.com/LuaLS/vscode-lua/master/setting/schema.json",
        "runtime.version": "LuaJIT",
        "runtime.builtin": dict.fromkeys(_DISABLED, "disable"),
        "workspace.library": [TYPES],
        "workspace.checkThirdParty": False,
        "diagnostics.disable": ["lowercase-global", "duplicate-set-field"],
    }
    return {TYPES: editor_types(), CONFIGURATION: json.dumps(settings, indent=2) + "\n"}


@click.command("types")
@folder_argument
def lua_types(folder: Path) -> None:
    """Write the types of the goop table for editors.

    goop.lua is made anew; .luarc.json, which names it to the Lua language server, only where there is none.
    """
    from goop2.folder.whole_file import replace_whole

    session.settings_of(folder)
    for name, text in files_for_editors().items():
        file = folder / name
        if name == CONFIGURATION and file.exists():
            print(f"kept  {output.one_line(str(file))}")
            continue
        if name == TYPES and not _is_ours(file):
            raise CommandError(f"{file} is a file of yours, not types that goop2 has made (---@meta): move it away first")
        try:
            replace_whole(file, text.encode())
            file.chmod(0o644)
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror or error}") from None
        print(f"made  {output.one_line(str(file))}")


def _is_ours(file: Path) -> bool:
    """Return whether the file may be replaced: none is there, or one that says of itself that it holds types alone."""
    try:
        with file.open("rb") as opened:
            return opened.readline(64).strip() == b"---@meta"
    except FileNotFoundError:
        return True
    except OSError:
        return False
