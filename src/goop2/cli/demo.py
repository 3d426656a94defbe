"""`goop2 demo`: every template in one peer, made if it is missing.

On a terminal it serves the pages and shows a prompt; for a program it is the filter of `goop2 chat`, and serves nothing.
"""

from __future__ import annotations

import os
import shlex
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goop2.cli import logs, output, session
from goop2.cli.chat import at_a_terminal, converse, say
from goop2.cli.errors import CommandError
from goop2.cli.main import EXIT_OK
from goop2.cli.options import FOLDER
from goop2.cli.peer import ENDING, end_on_signals, where

if TYPE_CHECKING:
    from goop2.services.peer import Peer

DEFAULT_FOLDER = "goop2-demo"
LABEL = "demo"
EXAMPLE = "!hello Alice"
SAMPLES = {"posts": "site/blog/samples.json"}
"""Table → the rows a new demo begins with."""
SAMPLES_MAX_BYTES = 1024 * 1024
SCREENS = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
"""One of them is set where a browser has a window to open; without one it would take over the terminal."""


@click.command("demo")
@click.argument("folder", metavar="[DIR]", type=FOLDER, default=DEFAULT_FOLDER)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def demo(folder: Path, no_browser: bool) -> int:
    """Try it: every template in one peer, then the prompt.

    The peer is made in DIR, ./goop2-demo without one, unless it is there already; its front page opens in the browser. Ctrl-D or
    Ctrl-C ends. With stdin not a terminal nothing is served: the lines of stdin are answered after the example, as "goop2 chat" does.
    """
    made = _ensure(folder)
    session.require_lua(folder)
    if not at_a_terminal():
        return session.run(_talk(folder, made))
    try:
        return session.run(_show(folder, made, browser=not no_browser))
    except KeyboardInterrupt:
        return EXIT_OK  # how a demo is left


def _ensure(folder: Path) -> bool:
    """Make the demo's folder if it is missing; return whether it was made."""
    from goop2.config.loading import FILE
    from goop2.folder.creation import create
    from goop2.folder.templates import DEMO

    if (folder / FILE).exists():
        return False
    # A demo must not be poured into somebody's home.
    if folder.is_dir() and any(folder.iterdir()):
        raise CommandError(
            f'{folder} is not empty and no peer folder: name a new one, or make it a peer with "goop2 init {shlex.quote(str(folder))}"'
        )
    create(folder, LABEL, DEMO)
    output.note(f"made a peer in {folder}: its scripts are in {folder / 'site/lua'}, edit them meanwhile")
    return True


async def _talk(folder: Path, made: bool) -> int:
    logs.set_up()
    async with session.open_for(folder, watch=True, history=True) as peer:
        if made:
            await _add_samples(peer)
        return await _exchange(peer)


async def _show(folder: Path, made: bool, browser: bool) -> int:
    from goop2.app import serve_peer

    logs.set_up()
    end_on_signals(lambda: signal.raise_signal(signal.SIGINT), ENDING[1:])  # as Ctrl-C, which is met already
    with await session.own(folder):
        async with session.open_for(folder, watch=True, history=True) as peer, serve_peer(peer, live=True) as web:
            if made:
                await _add_samples(peer)
            output.answer(output.fitting(where(output.one_line(peer.owner.label), web)))
            if browser and any(map(os.environ.get, SCREENS)):
                # Some browsers hold on to whoever started them; a daemon does not hold us.
                threading.Thread(target=_open_browser, args=(web.site,), daemon=True).start()
            return await _exchange(peer)


async def _exchange(peer: Peer) -> int:
    print(output.dim("> ") + EXAMPLE if at_a_terminal() else f"> {EXAMPLE}", flush=True)
    await say(peer, peer.owner, EXAMPLE)
    return await converse(peer, peer.owner)


async def _add_samples(peer: Peer) -> None:
    """Add sample rows, as the owner would with the page's own editor."""
    import json

    from goop2.folder.regular_files import read_regular
    from goop2.scripting.engine import Failure

    for table, file in SAMPLES.items():
        for row in json.loads(read_regular(peer.folder / file, peer.folder, SAMPLES_MAX_BYTES)):
            added = await peer.tables.perform("insert", peer.owner, {"table": table, "data": {**row, "author": peer.owner.label}})
            if isinstance(added, Failure):
                output.warn(f"a row of {file} was not added to the table {table}: {added.message}")


def _open_browser(address: str) -> None:
    import webbrowser

    webbrowser.open(address)
