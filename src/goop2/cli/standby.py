"""`goop2 standby`: follow the backup of a peer on another machine, and take its place when its owner says so."""

from __future__ import annotations

import asyncio
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goop2.cli import logs, output, session
from goop2.cli.errors import CommandError
from goop2.cli.main import EXIT_OK
from goop2.cli.options import folder_argument

if TYPE_CHECKING:
    from goop2.services.backup.standby import StandbyState

FOLLOW = "follow"


class _StandbyGroup(click.Group):
    """`goop2 standby DIR` is `goop2 standby follow DIR`: a folder called "promote" is written ./promote."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the command before a folder (click.Command)."""
        if args and args[0] not in (*self.commands, *self.get_help_option_names(ctx)):
            args = [FOLLOW, *args]
        return super().parse_args(ctx, args)


@click.group("standby", cls=_StandbyGroup)
def standby() -> None:
    """Be ready to take the place of a peer.

    \b
    goop2 standby DIR --from file:///backup/blog --identity blog.key
    goop2 standby promote DIR
    """


@standby.command(FOLLOW)
@folder_argument
@click.option("--from", "source", metavar="URL", required=True, help="The place of the peer's backup, as in backup.to.")
@click.option("--identity", "key", metavar="FILE", type=click.Path(path_type=Path), help='The peer\'s key, of "goop2 backup --identity".')
def follow(folder: Path, source: str, key: Path | None) -> int:
    """Follow the backup of a peer into DIR, until Ctrl-C ("follow" may be left out).

    DIR is new, or was a standby of the same peer before. Nothing is served, and no peer can be started in DIR, before "goop2 standby
    promote DIR". Without --identity the promoted peer gets a new id.
    """
    from goop2.cli.backup import read_key
    from goop2.config.replica_place import PlaceError, parse_place
    from goop2.config.types import backup_place
    from goop2.folder.identity import FILE
    from goop2.services.backup.identity_copy import put_in_place
    from goop2.services.backup.program import BackupError
    from goop2.services.backup.standby import prepare

    try:
        parse_place(source)
    except PlaceError:
        raise CommandError(f"--from is {source!r}; allowed is {backup_place().allowed}") from None
    content = read_key(key) if key is not None else None
    state = prepare(folder, source)
    if content is not None and (peer := put_in_place(folder, FILE, content).peer_id) != state.peer:
        (folder / FILE).unlink()
        raise BackupError(f"the key is that of {peer}, and the backup that of {state.peer}: name the key of this peer")
    if not (folder / FILE).exists():
        output.warn("the peer's key is missing: once promoted, this peer has another id; --identity brings it")
    return session.run(_follow(folder, state))


@standby.command("promote")
@folder_argument
def promote(folder: Path) -> int:
    """Make a peer of the standby in DIR, in the place of the old one.

    The old one must not run any more. Should it come back, it finds that its place is taken, and ends. A standby that runs in DIR is
    ended first. Takes what is at the place of the backup, or what was followed when that cannot be reached.
    """
    from goop2.config import load
    from goop2.folder.identity import load_or_create
    from goop2.services.backup.once import copy_once
    from goop2.services.backup.program import BackupError
    from goop2.services.backup.standby import promote as make_peer

    promoted = make_peer(folder)
    if not promoted.fresh:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(promoted.as_of))
        output.warn(f"the place of the backup cannot be reached: this is what was followed until {when}")
    output.answer(f"promoted  {promoted.label or folder.name}: {promoted.files} files, {promoted.tables} tables, in {folder}")
    settings = load(folder, {}).settings
    try:
        # Now, and not with the peer's start: from here on the old one finds that its place is taken.
        copy_once(folder, settings, load_or_create(folder, settings.identity.key_file).peer_id)
    except BackupError as error:
        output.warn(f"the old peer cannot find that its place is taken, so make sure that it is stopped: {error}")
    output.note(f'next: "goop2 peer {shlex.quote(str(folder))}"')
    return EXIT_OK


async def _follow(folder: Path, state: StandbyState) -> int:
    from goop2.cli.peer import end_on_signals
    from goop2.services.backup.standby import follow as follow_backup

    told_to_end = asyncio.Event()
    end_on_signals(told_to_end.set)
    logs.set_up()
    following = asyncio.create_task(follow_backup(folder, state, output.warn))
    output.answer(f"standing by for {state.label or state.peer}  following {state.place}")
    ending = asyncio.create_task(told_to_end.wait())
    await asyncio.wait((following, ending), return_when=asyncio.FIRST_COMPLETED)
    if following.done():
        following.result()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    return EXIT_OK
