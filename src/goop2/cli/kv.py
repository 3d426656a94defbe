"""`goop2 kv DIR SCRIPT list|get|set|del`: what a script keeps by goop.kv. A value comes from stdin or a prompt, never as an argument."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from goop2.cli import output, rows, session
from goop2.cli.errors import CommandError
from goop2.cli.options import folder_argument, json_option
from goop2.cli.table_design import open_writing

if TYPE_CHECKING:
    from goop2.storage.database import Database
    from goop2.storage.key_value import Store

FUNCTIONS: Final = "functions/"
VALUE_MAX_BYTES: Final = 1024 * 1024
"""Read of a value; what a script may keep is far less."""


@click.group("kv")
@folder_argument
@click.argument("script", metavar="SCRIPT")
@click.pass_context
def kv(context: click.Context, folder: Path, script: str) -> None:
    """What a script keeps by goop.kv: list, get, set and delete.

    \b
    goop2 kv mysite weather list
    goop2 kv mysite weather set api_key < key.txt
    goop2 kv mysite functions/score get best

    SCRIPT is a command's name, or functions/NAME for a data function; a name that only one of them has needs no functions/. It works
    beside a running peer, whose scripts have the value at their next call.
    """
    context.obj = (folder, script)


@kv.command("list")
@click.pass_obj
@json_option
def list_keys(which: tuple[Path, str], as_json: bool) -> None:
    """List the keys and the size of each value.

    The values stay hidden.
    """
    from goop2.storage.key_value import kept_keys

    folder, name = which
    with open_writing(folder) as database:
        store = _store(database, folder, name)
        found = [each for each in kept_keys(database) if (each.kind, each.script) == (store.kind, store.script)]
    if as_json:
        output.answer_json([{"key": each.key, "bytes": each.bytes} for each in found])
    else:
        rows.print_table(["key", "bytes"], iter([(each.key, each.bytes) for each in found]))


@kv.command("get")
@click.argument("key", metavar="KEY")
@click.pass_obj
@json_option
def get(which: tuple[Path, str], key: str, as_json: bool) -> None:
    """Print a value: a text as it is, anything else as JSON."""
    from goop2.storage import key_value

    folder, name = which
    with open_writing(folder) as database:
        text = key_value.get(database, _store(database, folder, name), key)
    if text is None:
        raise CommandError(f"{name} keeps nothing under {output.one_line(key)!r}")
    value = json.loads(text)
    if as_json:
        output.result(text)
    else:
        output.answer(value if isinstance(value, str) else text)


@kv.command("set")
@click.argument("key", metavar="KEY")
@click.option("--json", "is_json", is_flag=True, help="The value is JSON; without it, a text.")
@click.pass_obj
def put(which: tuple[Path, str], key: str, is_json: bool) -> None:
    """Keep a value under KEY. It is read from stdin, or asked for on a terminal without being shown.

    The end of its last line is left out.
    """
    from goop2.storage import key_value

    folder, name = which
    settings = session.settings_of(folder)
    with open_writing(folder) as database:
        store = _store(database, folder, name, must_be_there=True)
        key_value.put(database, store, key, _value(key, is_json=is_json))
    print(f"kept  {output.one_line(key)}")
    if not settings.lua.kv_enabled:
        output.note(f'scripts have no goop.kv: set "kv_enabled": true in the section "lua" of {folder / "goop.json"}')


@kv.command("del")
@click.argument("key", metavar="KEY")
@click.pass_obj
def delete(which: tuple[Path, str], key: str) -> None:
    """Forget a value."""
    from goop2.storage import key_value

    folder, name = which
    with open_writing(folder) as database:
        store = _store(database, folder, name)
        if key_value.get(database, store, key) is None:
            raise CommandError(f"{name} keeps nothing under {output.one_line(key)!r}")
        key_value.delete(database, store, key)
    print(f"forgotten  {output.one_line(key)}")


def _value(key: str, *, is_json: bool) -> str:
    """Return the value as JSON text, from stdin or a prompt that does not show it."""
    if output.is_terminal(sys.stdin):
        import getpass

        text = getpass.getpass(f"Value of {output.one_line(key)}: ")
    else:
        raw = sys.stdin.buffer.read(VALUE_MAX_BYTES + 1)
        if len(raw) > VALUE_MAX_BYTES:
            raise CommandError(f"the value is larger than {VALUE_MAX_BYTES} bytes")
        try:
            text = raw.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise CommandError("the value is not UTF-8") from None
    if not is_json:
        return json.dumps(text, ensure_ascii=False)
    from goop2.protocols.untrusted_json import InvalidJsonError, decode

    try:
        value: object = decode(text.encode())
    except InvalidJsonError as error:
        raise CommandError(f"the value is no JSON: {error}") from None
    return json.dumps(value, ensure_ascii=False)


def _store(database: Database, folder: Path, name: str, *, must_be_there: bool = False) -> Store:
    """Return whose keys are meant. Raises `CommandError` when nothing of that name is there."""
    from goop2.storage.key_value import Store, kept_keys

    scripts = session.settings_of(folder).script_dir(folder)
    keeping = {(each.kind, each.script) for each in kept_keys(database)}
    bare = name.removeprefix(FUNCTIONS).removesuffix(".lua")
    kinds = ("function",) if name.startswith(FUNCTIONS) else ("command", "function")
    for kind in kinds:
        # Commands are typed by people, so their case does not matter.
        script = bare.lower() if kind == "command" else bare
        if _is_script(scripts if kind == "command" else scripts / "functions", script, any_case=kind == "command"):
            return Store(kind, script)
    for kind in () if must_be_there else kinds:
        script = bare.lower() if kind == "command" else bare
        if (kind, script) in keeping:  # of a script that is gone
            return Store(kind, script)
    place = f"{scripts.name}/{FUNCTIONS if name.startswith(FUNCTIONS) else ''}{bare}.lua"
    raise CommandError(f"there is no script {output.one_line(name)!r}: it would be {place}, or functions/NAME for a data function")


def _is_script(folder: Path, name: str, *, any_case: bool) -> bool:
    try:
        files = {path.name.lower() if any_case else path.name for path in folder.iterdir()}
    except OSError:
        return False
    return f"{name}.lua" in files
