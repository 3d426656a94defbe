"""The `goop2` command and the names of all its subcommands; `goop2 --help` reads them from here."""

from __future__ import annotations

import click

import goop2 as package
from goop2.cli.backup import backup, restore
from goop2.cli.chat import chat
from goop2.cli.cluster import cluster
from goop2.cli.completion import completion
from goop2.cli.console import console
from goop2.cli.data import data
from goop2.cli.demo import demo
from goop2.cli.doctor import doctor
from goop2.cli.folder import identity, init, keys
from goop2.cli.group import group
from goop2.cli.kv import kv
from goop2.cli.lua import lua
from goop2.cli.new import new
from goop2.cli.options import TextType
from goop2.cli.peer import peer
from goop2.cli.peers import call, connect, peers, send
from goop2.cli.rendezvous import rendezvous
from goop2.cli.run_logs import logs
from goop2.cli.schedule import schedule
from goop2.cli.standby import standby
from goop2.cli.table_design import DESIGN_COMMANDS
from goop2.cli.table_import import import_rows
from goop2.cli.table_rows import ROW_COMMANDS
from goop2.cli.template import template
from goop2.cli.worker import worker

HELP_WIDTH = 100


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": HELP_WIDTH},
    epilog=(
        "DIR may be left out: the current folder is meant, or the nearest above it with a goop.json; --dir DIR names it at any place. "
        "Exit codes: 0 done, 1 a script or its input failed, 2 the command, the folder or the machine is at fault."
    ),
)
@click.version_option(package.__version__, "-v", "--version", message="goop2 %(version)s")
def goop2() -> None:
    """A folder becomes a peer, and its Lua scripts answer, behind a wall.

    Begin with "goop2 demo", or make a folder of your own: "goop2 init DIR", then "goop2 peer DIR" for its pages, "goop2 chat DIR" for a
    prompt.
    """


@click.command("version")
def version() -> None:
    """Print the version."""
    click.echo(f"goop2 {package.__version__}")


@click.command("help")
@click.argument("words", metavar="[COMMAND]...", nargs=-1)
@click.pass_context
def help_(context: click.Context, words: tuple[str, ...]) -> None:
    """Say how a command is used."""
    command: click.Command = goop2
    place = click.Context(goop2, info_name="goop2", **goop2.context_settings)
    for word in words:
        inner = command.commands.get(word) if isinstance(command, click.Group) else None
        if inner is None:
            raise click.UsageError(f"there is no command {' '.join(words)!r}", context)
        command, place = inner, click.Context(inner, parent=place, info_name=word, **goop2.context_settings)
    click.echo(command.get_help(place))


def _take_only_text(command: click.Command) -> None:
    """Check in this command and those below it that values which click passes on unconverted are text."""
    for parameter in command.params:
        if parameter.type is click.STRING:
            parameter.type = TextType()
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _take_only_text(inner)


for command in (
    init,
    new,
    demo,
    peer,
    console,
    rendezvous,
    chat,
    lua,
    logs,
    data,
    backup,
    restore,
    standby,
    kv,
    schedule,
    template,
    call,
    send,
    peers,
    connect,
    group,
    cluster,
    worker,
    doctor,
    identity,
    keys,
    completion,
    version,
    help_,
):
    goop2.add_command(command)
for command in (*DESIGN_COMMANDS, *ROW_COMMANDS, import_rows):
    data.add_command(command)
_take_only_text(goop2)
