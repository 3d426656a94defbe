"""`goop2 peer`: run a peer until it is told to end. One line on stdout says where it is; everything else is on stderr."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from goop2.cli import logs, output, session
from goop2.cli.errors import CommandError
from goop2.cli.main import EXIT_OK
from goop2.cli.options import folder_argument
from goop2.net.faults import NetworkError

if TYPE_CHECKING:
    from goop2.cli.run_lines import RunLines
    from goop2.cluster.lease_client import OwnerLease
    from goop2.config import Settings
    from goop2.control_socket import Answer, Operation, Request
    from goop2.services.peer import Peer
    from goop2.web.server import OpenWeb

RETRY_FIRST_SECONDS, RETRY_MAX_SECONDS = 5.0, 60.0
"""Until the network is tried again after it could not be opened: doubled from the first to the last."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, how services are ended, and a terminal that was closed. Each is the wish to end, not a failure."""
LOADED_BESIDE = ("goop2.peers.remote_control.operations", "goop2.peers.network")
"""Modules of the network, which nobody waits for in the first moment."""
LOADED_BESIDE_DESCRIPTORS = 4096
"""With fewer, connections that come in the first second could leave none to load the network with, and a module half loaded stays so."""


@click.command("peer")
@folder_argument
@click.option("--live", is_flag=True, help="Pages you have open reload when a file of the site is saved.")
@click.option("--verbose", is_flag=True, help="Say every run, not only those that failed.")
@click.option("--quiet", is_flag=True, help="Say no run.")
def peer(folder: Path, live: bool, verbose: bool, quiet: bool) -> int:
    """Run the peer in DIR, until Ctrl-C.

    Prints one line: the console's address, which holds its key and is for nobody else's eyes, and the site's. A terminal too narrow for
    it shows one address a line. On stderr a line for each run that failed follows: time, script, caller, class, error, duration and number.
    """
    if verbose and quiet:
        raise CommandError("--verbose says every run and --quiet none: give one of them")
    settings = session.settings_of(folder)
    from goop2.cli.run_lines import RunLines

    if session.run(_peer(folder, settings, live, None if quiet else RunLines(output.note, verbose=verbose))):
        _start_again()
    return EXIT_OK


def _start_again() -> NoReturn:
    """Become a new process of the same command: it has read the settings anew, and keeps this one's number, terminal and supervisor."""
    from goop2.cli import streams

    sys.stdout.flush()
    streams.finish()
    os.execv(sys.executable, [sys.executable, "-m", "goop2", *sys.argv[1:]])


async def _peer(folder: Path, settings: Settings, live: bool, run_lines: RunLines | None) -> bool:
    """Run the peer until it is told to end; return whether it is to be started again."""
    gc.disable()  # as in `session.open_for`
    from goop2.cli.lease import lost, open_lease

    told_to_end, told_to_restart = asyncio.Event(), asyncio.Event()

    def restart() -> None:
        told_to_restart.set()
        told_to_end.set()

    # The lock comes first: a second peer in the folder must not even read the database.
    with await session.own(folder):
        end_on_signals(told_to_end.set)
        logs.set_up()
        if session.descriptor_limit() < LOADED_BESIDE_DESCRIPTORS:
            await asyncio.wait((_loading(*LOADED_BESIDE),))
        # Before the database is opened: another machine may own its rows.
        async with open_lease(folder, settings, told_to_end) as lease:
            if not told_to_end.is_set():
                await _serve(folder, live, run_lines, lease, told_to_end, restart)
        if lost(lease):
            return True
    if told_to_restart.is_set():
        output.note("started again by its owner, from the console")
    return told_to_restart.is_set()


async def _serve(
    folder: Path,
    live: bool,
    run_lines: RunLines | None,
    lease: OwnerLease | None,
    told_to_end: asyncio.Event,
    restart: Callable[[], None],
) -> None:
    """Serve the peer until it is told to end, or must."""
    from goop2.app import serve_peer

    async with session.open_for(folder, watch=True, history=True, lease=lease) as opened:
        gc.disable()  # to serve it, more is loaded
        if run_lines is not None:
            opened.runs.subscribe(run_lines.show)
        async with serve_peer(opened, live=live, restart=restart) as web:
            output.answer(output.fitting(where(output.one_line(opened.owner.label), web)))
            session.loaded()
            if opened.settings.backup.to:
                output.note(f"backup: all that is saved here is copied to {opened.settings.backup.to}")
            network = asyncio.create_task(_on_the_network(opened, web, told_to_end))
            ends = [told_to_end, opened.backup.superseded, *([lease.lost] if lease is not None else [])]
            ending = [asyncio.ensure_future(event.wait()) for event in ends]
            await asyncio.wait((network, *ending), return_when=asyncio.FIRST_COMPLETED)
        # The web side and the network end side by side: the goodbyes of either take a part of the second there is.
        told_to_end.set()
        await network
        if opened.backup.superseded_by:
            raise CommandError(opened.backup.superseded_by)


async def _on_the_network(opened: Peer, web: OpenWeb, told_to_end: asyncio.Event) -> None:
    """Stay on the network until the end. Pages are served already; the network's modules take a second to load, and load beside them."""
    ending: asyncio.Future[bool] = asyncio.create_task(told_to_end.wait())
    await asyncio.wait((_loading(*LOADED_BESIDE), ending), return_when=asyncio.FIRST_COMPLETED)
    # Told to end while the modules were loading: the network is not opened at all.
    if ending.done():
        return
    wait, told = RETRY_FIRST_SECONDS, ""
    while not ending.done():
        why = await _once_on_the_network(opened, web, ending, was_away=bool(told))
        if not why:
            break
        if why != told:
            output.warn(f"this peer is not on the network: {why}. Its pages are served, and it is tried again within a minute")
            told = why
            web.remote.fail(why)
        async with _without_network(opened, web, why):
            await asyncio.wait((ending,), timeout=wait)
        wait = min(2 * wait, RETRY_MAX_SECONDS)


async def _once_on_the_network(opened: Peer, web: OpenWeb, ending: asyncio.Future[bool], *, was_away: bool) -> str:
    """Be on the network until the end; return why the peer cannot be, or no longer is, "" at the end."""
    try:
        # Here, because a file of ours cannot be read either where no descriptor is left.
        from goop2.app import join
        from goop2.peers.remote_control.operations import Remote

        async with join(opened) as network, _answering(opened.folder, {**Remote(opened, network).operations, **_own(opened, web)}):
            web.remote.attach(network)
            if was_away:
                output.note("this peer is on the network again")
            try:
                await ending
            finally:
                # Before the network closes, so that no page starts a request on it.
                web.remote.detach()
    except NetworkError as fault:
        return str(fault)
    except OSError as error:
        return f"the system gives it no connections ({error.strerror or error})"
    return ""


@contextlib.asynccontextmanager
async def _without_network(opened: Peer, web: OpenWeb, why: str) -> AsyncIterator[None]:
    """Answer commands, but those that need the network, until the block is left."""
    operations: Mapping[str, Operation] = {}
    with contextlib.suppress(OSError):  # no descriptor to read the module with: `why` has been told
        from goop2.peers.remote_control.operations import WithoutNetwork

        operations = WithoutNetwork(opened, why).operations
    async with _answering(opened.folder, {**operations, **_own(opened, web)}):
        yield


@contextlib.asynccontextmanager
async def _answering(folder: Path, operations: Mapping[str, Operation]) -> AsyncIterator[None]:
    """Answer commands until the block is left; if that is not possible, everything else continues."""
    from goop2.control_socket import listening

    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(listening(folder, operations))
        except OSError as error:
            output.warn(f"no command reaches this peer: its socket in {folder / 'data'} cannot be made ({error.strerror or error})")
        yield


def _own(opened: Peer, web: OpenWeb) -> Mapping[str, Operation]:
    """Return the operations that need no network."""
    return {"console": _console(web), "cluster": _cluster(opened), "backup": _backup(opened)}


def _cluster(opened: Peer) -> Operation:
    async def cluster(_request: Request) -> Answer:
        import msgspec

        shown = opened.cluster
        return {"cluster": None if shown is None else msgspec.to_builtins(shown.view())}

    return cluster


def _console(web: OpenWeb) -> Operation:
    async def console(_request: Request) -> Answer:
        return dict(web.browser_addresses())

    return console


def _backup(opened: Peer) -> Operation:
    async def backup(request: Request) -> Answer:
        from goop2.control_socket import ControlError
        from goop2.services.backup.program import BackupError

        try:
            status = await opened.backup.copy_now(take_over=request.get("take_over") is True)
        except BackupError as error:
            raise ControlError(BackupError.owner_code, str(error)) from None
        return {"place": status.place, "copied_at": status.copied_at, "left_out": status.left_out}

    return backup


def end_on_signals(end: Callable[[], object], numbers: Sequence[signal.Signals] = ENDING) -> None:
    """Call `end` at each of these signals. A signal that is ignored stays ignored: `nohup` means it."""
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, end)


def _loading(*modules: str) -> asyncio.Future[None]:
    """Import these modules; done when they are imported. It uses a thread that nobody waits for, so that Ctrl-C works at once."""
    loop = asyncio.get_running_loop()
    loaded: asyncio.Future[None] = loop.create_future()

    def load() -> None:
        try:
            for module in modules:
                importlib.import_module(module)
        finally:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it all ended meanwhile
                loop.call_soon_threadsafe(loaded.cancel)

    threading.Thread(target=load, daemon=True).start()
    return loaded


def where(label: str, web: OpenWeb) -> str:
    """Return the line that says where a peer can be reached."""
    opened = f"  for others: {web.opened}" if web.opened else ""
    return f"{label} is up  console: {web.console}  site: {web.site}{opened}"
