"""`goop2 new command|function|page|table|test NAME`: a file to begin with. Nothing that is there is touched."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Final

import click

from goop2.cli import output, session
from goop2.cli.errors import CommandError
from goop2.cli.options import folder_argument

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
TABLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")
PAGE: Final = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>NAME</title>
    <link rel="stylesheet" href="look.css">
    <script src="/sdk/goop-data.js" defer></script>
  </head>
  <body>
    <main class="page">
      <h1>NAME</h1>
      <p id="answer">This page is <code>site/NAME.html</code>.</p>
    </main>
    <!-- <script type="module">
      document.getElementById("answer").textContent = JSON.stringify(await Goop.data.call("a-function", {}));
    </script> -->
  </body>
</html>
"""
TEST: Final = """--- Tests: goop2 lua test NAME

test("NAME", function()
  -- expect(chat("!hello Alice")).equals("Hello, Alice!")
  -- expect(call("a-function", { text = "Hi" })).equals({ text = "Hi" })
  expect(1 + 1).equals(2)
end)
"""


@click.group("new")
@folder_argument
@click.pass_context
def new(context: click.Context, folder: Path) -> None:
    """Make a command, function, page, table or test to begin with."""
    context.obj = folder


@new.command("command")
@click.argument("name", metavar="NAME")
@click.pass_obj
def command(folder: Path, name: str) -> None:
    """Make a chat command: !NAME."""
    _script(folder, "command", name)
    _next(f"goop2 lua chat {_shown(folder)} '!{name.lower()} Alice'")


@new.command("function")
@click.argument("name", metavar="NAME")
@click.pass_obj
def function(folder: Path, name: str) -> None:
    """Make a data function, which pages call."""
    _script(folder, "function", name)
    _next(f'goop2 lua call {_shown(folder)} {name} \'{{"text": "Hi"}}\'')


@new.command("page")
@click.argument("name", metavar="NAME")
@click.pass_obj
def page(folder: Path, name: str) -> None:
    """Make a page of the site: NAME.html."""
    root = session.settings_of(folder).paths.site_root
    _write(folder, f"{root}/{_checked(name.removesuffix('.html'))}.html", PAGE.replace("NAME", name.removesuffix(".html")))
    _next(f"goop2 peer {_shown(folder)} --live")


@new.command("table")
@click.argument("name", metavar="NAME")
@click.pass_obj
def table(folder: Path, name: str) -> None:
    """Make a table: the file of its columns and policies."""
    if not TABLE.match(name):
        raise CommandError("a table's name is a letter, then letters, digits and _, at most 64 in all")
    columns = [{"name": "text", "type": "text", "required": True}]
    access = {"read": "open", "insert": "open", "update": "owner", "delete": "owner"}
    document = {"name": name, "columns": columns, "access": access}
    _write(folder, f"schemas/{name}.json", json.dumps(document, indent=2) + "\n")
    _next(f"goop2 data {_shown(folder)} describe {name}, once the peer has run; a running one makes it at once")


@new.command("test")
@click.argument("name", metavar="NAME")
@click.pass_obj
def test(folder: Path, name: str) -> None:
    """Make a file of tests: tests/NAME_test.lua."""
    bare = _checked(name.removesuffix(".lua").removesuffix("_test"))
    _write(folder, f"tests/{bare}_test.lua", TEST.replace("NAME", bare))
    _next(f"goop2 lua test {_shown(folder)} {bare}")


def _script(folder: Path, kind: str, name: str) -> None:
    from goop2.folder.script_changes import NEW

    script_dir = session.settings_of(folder).lua.script_dir
    inside = f"{script_dir}/{'functions/' if kind == 'function' else ''}{_checked(name)}.lua"
    text = {str(each): text for each, text in NEW.items()}[kind]
    _write(folder, inside, text.replace("NAME", name))


def _checked(name: str) -> str:
    if not NAME.match(name):
        raise CommandError(f"{output.one_line(name, 64)!r} is no name here: it is 1 to 64 letters, digits, - and _")
    return name


def _write(folder: Path, inside: str, text: str) -> None:
    from goop2.folder.creation import FolderError, add

    session.settings_of(folder)
    file = folder / inside
    try:
        made = add(folder, inside, text)
    except FolderError as error:
        raise CommandError(str(error)) from None
    if not made:
        raise CommandError(f"{file} is there already, and stays as it is")
    print(f"made  {output.one_line(str(file))}")


def _next(what: str) -> None:
    output.note(f"next: {what}")


def _shown(folder: Path) -> str:
    return shlex.quote(str(folder))
