"""`goop2 demo`: a peer to try things on, made where there is none."""

from __future__ import annotations

from pathlib import Path

import click

from goop2.cli import logs, output, session
from goop2.cli.chat import at_a_terminal, converse, say
from goop2.cli.fault import Fault

DEFAULT_FOLDER = "goop2-demo"
LABEL = "demo"
EXAMPLE = "!hello Alice"


@click.command("demo")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=DEFAULT_FOLDER)
def demo(folder: Path) -> int:
    """Try it: a demo peer, a command and its reply, then the prompt.

    The peer is made in DIR, ./goop2-demo without one, unless it is there already. With stdin not a terminal the lines of stdin are
    answered after the example, as "goop2 chat" does.
    """
    _ensure(folder)
    session.require_lua(folder)
    return session.run(_demo(folder))


def _ensure(folder: Path) -> None:
    from goop2.config.loading import FILE
    from goop2.folder import create

    if (folder / FILE).exists():
        return
    # A demo must not be poured into somebody's home.
    if folder.is_dir() and any(folder.iterdir()):
        raise Fault(f'{folder} is not empty and no peer folder: name a new one, or make it a peer with "goop2 init {folder}"')
    create(folder, LABEL)
    output.note(f"made a peer in {folder}: its scripts are in {folder / 'site/lua'}, edit them meanwhile")


async def _demo(folder: Path) -> int:
    logs.set_up()
    async with session.open_for(folder, watch=True) as peer:
        print(output.dim("> ") + EXAMPLE if at_a_terminal() else f"> {EXAMPLE}", flush=True)
        await say(peer, peer.owner, EXAMPLE)
        return await converse(peer, peer.owner)
