"""`goop2 console`: print the addresses of a running peer's console and site, for whoever may read the peer's folder."""

from __future__ import annotations

import asyncio
import html
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from goop2.cli import output, session
from goop2.cli.errors import CommandError
from goop2.cli.main import EXIT_FAILED, EXIT_OK
from goop2.cli.options import folder_argument, json_option

if TYPE_CHECKING:
    from goop2.control_socket import Answer

ANSWER_SECONDS: Final = 10.0
STARTING_TRIES, STARTING_SECONDS = 20, 0.25
"""How long a peer that has just started may take until it answers commands."""
WAY_IN: Final = "data/console-open.html"
"""The page a browser is opened with. Every user of the machine sees the arguments of a command, and this file only its owner."""


@click.command("console")
@folder_argument
@click.option("--open", "opens", is_flag=True, help="Open the console in your browser.")
@json_option
def console(folder: Path, opens: bool, as_json: bool) -> int:
    """Print the addresses of the running peer's console and site.

    The console's holds the key of this start. The site's holds a code that is good once, for ten minutes: the browser that opens it counts
    as yours from then on, also where it runs as another user of the machine than the peer does. Both are for nobody else's eyes.

    With --open the console is opened in your browser, by a code that is good once, in a page of data/ that only you can read.
    """
    session.settings_of(folder)
    found = session.run(_ask(folder))
    if as_json:
        output.answer_json({"console": found["console"], "site": found["site"]})
    else:
        output.answer(output.fitting(f"console: {found['console']}  site: {found['site']}"))
    if opens and not _open(folder, str(found.get("open") or found["console"])):
        output.note("no browser could be opened from here: open the address of the console yourself")
        return EXIT_FAILED
    return EXIT_OK


def _open(folder: Path, address: str) -> bool:
    """Open the console in a browser; return whether one took it."""
    import webbrowser

    from goop2.folder.whole_file import replace_whole

    page = Path(folder).absolute() / WAY_IN
    try:
        replace_whole(page, _PAGE.format(address=html.escape(address)).encode())
    except OSError as error:
        raise CommandError(f"{page} cannot be written ({error.strerror}): the way into the console is put there") from None
    try:
        return webbrowser.open(page.as_uri())
    except (webbrowser.Error, OSError):
        return False


async def _ask(folder: Path) -> Answer:
    from goop2.control_socket import ask
    from goop2.folder.lock import FolderLockedError

    for _ in range(STARTING_TRIES):
        answer = await ask(folder, "console", {}, ANSWER_SECONDS)
        if answer is not None:
            return answer
        try:
            with await session.own(folder, passing=True):
                raise CommandError(f'no peer runs in {folder}; "goop2 peer {folder}" starts it')
        except FolderLockedError as held:
            if held.passing:
                raise
        await asyncio.sleep(STARTING_SECONDS)
    raise CommandError(f"the peer in {folder} runs, but answers no commands: its log says why")


_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>To the console</title>
<meta http-equiv="refresh" content="0; url={address}">
<p><a href="{address}">To the console</a></p></html>
"""
