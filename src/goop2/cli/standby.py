"""`goop2 standby`: follow the backup of a peer on another machine, and take its place when its owner says so."""

from __future__ import annotations

import asyncio
import shlex
import tempfile
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
    goop2 standby DIR --join tls://hub:4222 --key spare.nk --identity blog.key

    The first follows the peer's backup, and is promoted by hand. With --join it takes the peer's place by itself, when nobody holds its
    lease any more; docs/cluster.md explains it.
    """


@standby.command(FOLLOW)
@folder_argument
@click.option("--from", "source", metavar="URL", help="The place of the peer's backup, as in backup.to; with --join the lease says it.")
@click.option("--identity", "key", metavar="FILE", type=click.Path(path_type=Path), help='The peer\'s key, of "goop2 backup --identity".')
@click.option("--join", metavar="URL", help="The NATS server of the cluster, tls://HOST:4222: take over by itself.")
@click.option(
    "--key", "key_file", metavar="FILE", type=click.Path(path_type=Path), help='The key of "goop2 cluster invite NAME --standby".'
)
def follow(folder: Path, source: str | None, key: Path | None, join: str | None, key_file: Path | None) -> int:
    """Follow the backup of a peer into DIR, until Ctrl-C ("follow" may be left out).

    DIR is new, or was a standby of the same peer before. Nothing is served, and no peer can be started in DIR, before it is promoted.
    Without --join that is done by "goop2 standby promote DIR", and without --identity the promoted peer gets a new id. With --join this
    process becomes the peer when the lease of the old one is over.
    """
    from goop2.cli.backup import read_key

    if source is not None:
        _check_place(source)
    content = read_key(key) if key is not None else None
    if join is not None:
        return _stand_by(folder, source or "", content, join, key_file)
    if source is None:
        raise CommandError("--from is missing: name the place of the peer's backup, or --join the server of its lease")
    if key_file is not None:
        raise CommandError("--key is for the server of --join, which is missing")
    from goop2.services.backup.standby import prepare

    state = prepare(folder, source)
    _bring_identity(folder, content, state.peer)
    return session.run(_follow(folder, state))


def _check_place(source: str) -> None:
    from goop2.config.replica_place import PlaceError, parse_place
    from goop2.config.types import backup_place

    try:
        parse_place(source)
    except PlaceError:
        raise CommandError(f"--from is {source!r}; allowed is {backup_place().allowed}") from None


def _bring_identity(folder: Path, content: bytes | None, peer: str) -> None:
    """Put the peer's key into the standby's folder, if one was given. Raises `BackupError` for another peer's."""
    from goop2.folder.identity import FILE
    from goop2.services.backup.identity_copy import put_in_place
    from goop2.services.backup.program import BackupError

    if content is not None and (found := put_in_place(folder, FILE, content).peer_id) != peer:
        (folder / FILE).unlink()
        raise BackupError(f"the key is that of {found}, and the backup that of {peer}: name the key of this peer")
    if not (folder / FILE).exists():
        output.warn("the peer's key is missing: once promoted, this peer has another id; --identity brings it")


def _stand_by(folder: Path, source: str, content: bytes | None, join: str, key_file: Path | None) -> int:
    """Follow, and take over when the lease is over."""
    from goop2.cli import taking_over
    from goop2.cluster.nats_bus import check_url
    from goop2.services.backup.standby import prepare

    check_url(join)
    if key_file is None and not (folder / taking_over.KEY_FILE).exists():
        raise CommandError('--key is missing: "goop2 cluster invite NAME --standby DIR" makes one on the machine of the peer')
    peer = _peer_of(folder, content)
    plan = taking_over.plan_of(folder, join, key_file or folder / taking_over.KEY_FILE, source, peer)
    state = prepare(folder, source or session.run(taking_over.source_in_lease(plan)), join=join)
    _bring_identity(folder, content, state.peer)
    if peer != state.peer:
        raise CommandError(f"the key is that of {peer}, and the backup that of {state.peer}: name the key of this peer")
    taking_over.keep_key(plan)
    output.answer(f"standing by for {state.label or state.peer}  following {state.place}  lease at {join}")
    if session.run(taking_over.stand_by(plan, state)):
        taking_over.run_as_peer(folder)
    return EXIT_OK


def _peer_of(folder: Path, content: bytes | None) -> str:
    """Return the id of the peer whose key is brought, or was before. Raises `CommandError` where there is none."""
    from goop2.folder.identity import FILE, load_or_create
    from goop2.services.backup.identity_copy import put_in_place

    if content is not None:
        with tempfile.TemporaryDirectory(prefix="goop2-key-") as place:
            return put_in_place(Path(place), FILE, content).peer_id
    if not (folder / FILE).exists():
        raise CommandError('--identity is missing: a standby that takes over by itself needs the peer\'s key ("goop2 backup --identity")')
    return load_or_create(folder, FILE).peer_id


@standby.command("promote")
@folder_argument
@click.option("--older", is_flag=True, help="Go on with less than the lease says was copied: those rows are lost.")
@click.option("--without-lease", is_flag=True, help="Do not ask the server of the lease: the old peer is surely stopped.")
def promote(folder: Path, older: bool, without_lease: bool) -> int:
    """Make a peer of the standby in DIR, in the place of the old one.

    With a lease the old one is asked to stop, copies what is left, and is waited for. Without one it must not run any more; should it
    come back, it finds that its place is taken, and ends. A standby that runs in DIR is ended first. Takes what is at the place of the
    backup, or what was followed when that cannot be reached.
    """
    from goop2.cli import taking_over
    from goop2.services.backup.standby import promote as make_peer
    from goop2.services.backup.standby import state_of, stop_following

    state = state_of(folder)
    if state.join and not without_lease:
        plan = taking_over.plan_of(folder, state.join, folder / taking_over.KEY_FILE, state.place, state.peer)
        stop_following(folder)
        taking_over.say_promoted(folder, session.run(taking_over.take_by_hand(plan, older=older)))
    else:
        taking_over.say_promoted(folder, make_peer(folder, changes={"cluster.lease": None} if without_lease else {}))
    _copy_now(folder)
    output.note(f'next: "goop2 peer {shlex.quote(str(folder))}"')
    return EXIT_OK


def _copy_now(folder: Path) -> None:
    """Begin the new term at the place of the backup now, and not with the peer's start: the old one finds that its place is taken."""
    from goop2.config import load
    from goop2.folder.identity import load_or_create
    from goop2.services.backup.once import copy_once
    from goop2.services.backup.program import BackupError

    settings = load(folder, {}).settings
    try:
        copy_once(folder, settings, load_or_create(folder, settings.identity.key_file).peer_id)
    except BackupError as error:
        output.warn(f"the old peer cannot find that its place is taken, so make sure that it is stopped: {error}")


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
