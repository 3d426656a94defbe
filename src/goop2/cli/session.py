"""Open a peer for one command: check its settings, print its warnings, handle Ctrl-C, and close everything afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from goop2.cli import output
from goop2.cli.errors import CommandError

if TYPE_CHECKING:
    from goop2.cluster.lease_client import OwnerLease
    from goop2.config import Settings
    from goop2.scripting.invocation import Caller
    from goop2.services.listen.operations import Elsewhere
    from goop2.services.peer import Peer

T = TypeVar("T")
RUNNING_SECONDS: Final = 60.0
"""A script waits no longer than its own time; this ends what nobody waits for."""
COMMAND_SECONDS: Final = 90.0
"""Longer than any command takes that is on the network for itself."""
LOOK_AGAIN_SECONDS: Final = 0.1


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end. Ctrl-C cancels it, waits for its clean-up and raises KeyboardInterrupt."""
    try:
        import uvloop

        _raise_descriptor_limit()
        return uvloop.run(main)
    finally:
        main.close()  # Ctrl-C while uvloop loads: without this, Python warns that it was never awaited


def _raise_descriptor_limit() -> None:
    """Allow as many file descriptors as this user may have: the usual limit of 1024 is too low for a thousand connections."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def descriptor_limit() -> int:
    """Return how many file descriptors this process may have."""
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


async def own(folder: Path, *, passing: bool = False) -> ExitStack:
    """Hold the folder's lock (folder/lock.py); wait while a command has it. Raises `FolderLockedError`."""
    from goop2.folder.lock import FolderLockedError, locked

    ends = time.monotonic() + COMMAND_SECONDS
    while True:
        try:
            with ExitStack() as stack:
                stack.enter_context(locked(folder, passing=passing))
                return stack.pop_all()
        except FolderLockedError as held:
            # A command holds the lock for seconds and is waited for. A running peer holds it for days.
            if not held.passing or time.monotonic() > ends:
                raise
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


@asynccontextmanager
async def open_for(
    folder: Path, *, watch: bool = False, beside: bool = False, history: bool = False, lease: OwnerLease | None = None
) -> AsyncIterator[Peer]:
    """Open the peer in `folder`; print on stderr what is unusual about its settings and what its confinement lacks.

    `beside`: a peer may run there already, and then its listening session is the one scripts see. `history`: runs are kept on disk.
    `lease`: by which the peer serves, and which it holds.
    """
    gc.disable()  # what is loaded to open a peer stays: to look for garbage in it again and again takes a tenth of a start
    try:
        from goop2.app import open_peer

        elsewhere = _running_session(folder) if beside else None
        async with open_peer(folder, os.environ, watch=watch, elsewhere=elsewhere, history=history, lease=lease) as peer:
            for warning in (*peer.warnings, *peer.schemas.warnings):
                output.warn(warning)
            for layer, why in peer.confinement.items():
                if why:
                    output.warn(f'scripts run without the layer "{layer}" of the wall: {why}; "goop2 doctor" says more')
            loaded()
            yield peer
    finally:
        gc.enable()


def loaded() -> None:
    """Have Python look for garbage again; what was loaded until now stays, and is not looked at."""
    gc.freeze()
    gc.enable()


def _running_session(folder: Path) -> Elsewhere:
    from goop2.control_socket import ControlError, ask
    from goop2.sandbox.answers import Answer, several
    from goop2.services.listen.session import ListenError

    async def elsewhere(operation: str, arguments: Sequence[str]) -> Answer | None:
        try:
            answer = await ask(folder, "listen", {"operation": operation, "arguments": arguments}, RUNNING_SECONDS)
        except (ControlError, TimeoutError, OSError) as error:
            raise ListenError(f"the peer that runs here does not answer: {error or 'it takes too long'}") from None
        if answer is None:
            return None
        values = cast("list[str | None]", answer["values"])
        return several(str(answer["shape"]).encode(), *(each if each is None else each.encode() for each in values))

    return elsewhere


def settings_of(folder: Path) -> Settings:
    """Return the settings of the peer in `folder`, so that a folder without a peer is refused before anything is made in it.

    What a kill has left of a template that was being applied is put right first.
    """
    from goop2.config import load
    from goop2.folder.file_switch import JOURNAL

    if os.path.lexists(folder / JOURNAL):
        _put_right(folder)
    return load(folder, os.environ).settings


def _put_right(folder: Path) -> None:
    from goop2.folder.lock import FolderLockedError, locked
    from goop2.services.templates.recovery import put_right

    try:
        with locked(folder, passing=True):
            done = put_right(folder)
    except FolderLockedError:
        return  # whoever has the folder is at work on it, and put it right before
    if done:
        output.note(done)


def require_lua(folder: Path) -> None:
    """Raise `CommandError` when the owner has not switched scripts on."""
    if not settings_of(folder).lua.enabled:
        raise CommandError(f'scripts are switched off here: set "enabled": true in the section "lua" of {folder / "goop.json"}')


def caller(peer: Peer, stranger: str | None) -> Caller:
    """Return the owner, or the caller that `--as` names, who is never the owner whatever the id."""
    from goop2.scripting.invocation import Caller

    return peer.owner if stranger is None else Caller(stranger, stranger)
