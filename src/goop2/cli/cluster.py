"""`goop2 cluster init|invite|remove|status`: machines that run scripts for a peer, and the server between them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from goop2.cli import output, session
from goop2.cli.main import EXIT_FAILED, EXIT_OK
from goop2.cli.options import folder_argument, json_option
from goop2.cli.rendezvous import _address as listen_address

if TYPE_CHECKING:
    from goop2.cluster.nats_bus import NatsBus
    from goop2.config import Address, Settings
    from goop2.services.cluster_view import ClusterView, LeaseView, StandbyView

DEFAULT: Final = "0.0.0.0:4222"
ANSWER_SECONDS: Final = 5.0


@click.group("cluster")
def cluster() -> None:
    """Machines that run scripts for a peer.

    \b
    goop2 cluster init mysite              a NATS server's configuration
    nats-server -c mysite/data/cluster/nats-server.conf
    goop2 cluster invite attic mysite      a key for a machine
    goop2 worker --join tls://hub:4222 --key attic.nk      on that machine

    docs/cluster.md explains it, and what the other machines get to see.
    """


@cluster.command("init")
@folder_argument
@click.option(
    "--listen", metavar="HOST:PORT", default=DEFAULT, show_default=True, callback=listen_address, help="Where the server listens."
)
@click.option("--host", "hosts", metavar="NAME", multiple=True, help="A name or address by which others reach it; may be given again.")
def init(folder: Path, listen: Address, hosts: tuple[str, ...]) -> None:
    """Write the configuration of a NATS server, and this peer's key for it.

    The server encrypts, and knows each machine by a key of its own; none may say or hear anything but what is its own. The peer finds
    the server by "cluster.nats" in goop.json, which is set too.
    """
    from goop2.cluster.setup_files import CONFIGURATION, FOLDER, set_up
    from goop2.config.editing import save, show

    settings = session.settings_of(folder)
    files = set_up(folder, listen.host, listen.port, (*hosts, *_reached_by(listen)), folder / settings.cluster.key)
    save(folder, {"cluster.nats": files.own_url}, show(folder).version, os.environ)
    output.answer(f"{folder / FOLDER / CONFIGURATION}")
    output.note(f"start the server, 2.11 or newer: nats-server -c {folder / FOLDER / CONFIGURATION}")
    output.note(f"invite a machine: goop2 cluster invite NAME {folder}")
    output.note("a running peer joins at its next start")


def _reached_by(listen: Address) -> Iterator[str]:
    from goop2.peers.discovery.mdns import lan_addresses

    if listen.host in ("0.0.0.0", "::"):
        yield from lan_addresses()


@cluster.command("invite")
@click.argument("name", metavar="NAME")
@folder_argument
@click.option("--standby", is_flag=True, help="A machine that may take the peer over, not one that runs its scripts.")
@click.option("--rendezvous", is_flag=True, help="A rendezvous server that is joined to others (goop2 rendezvous --bus).")
def invite(name: str, folder: Path, standby: bool, rendezvous: bool) -> None:
    """Make a key for a machine, and let the server know it.

    Prints the file to carry there, and says the command that joins. Who holds the file can join: copy it as you would a password. With
    --standby the peer serves by a lease from its next start on (cluster.lease), so that two machines never speak as one peer.
    """
    from goop2.cluster.bus import ClusterError
    from goop2.cluster.setup_files import ask_to_reload
    from goop2.cluster.setup_files import invite as make

    settings = session.settings_of(folder)
    if standby and rendezvous:
        raise click.UsageError("--standby and --rendezvous exclude each other: invite two machines")
    if standby and not settings.backup.to:
        raise ClusterError("a standby follows the peer's backup, and this peer has none: name a place in backup.to first")
    files, file = make(folder, name, "standby" if standby else "rendezvous" if rendezvous else "worker")
    output.answer(str(file))
    _reload(ask_to_reload(folder))
    if rendezvous:
        output.note(f"carry it to that machine; there: goop2 rendezvous --bus {files.url} --bus-key {file.name}")
        return
    if not standby:
        output.note(f"carry it to that machine; there: goop2 worker --join {files.url} --key {file.name}")
        return
    output.note(f'carry it to that machine, with the file that "goop2 backup {folder} --identity FILE" writes')
    output.note(f"there: goop2 standby spare --join {files.url} --key {file.name} --identity FILE")
    if not settings.cluster.lease:
        from goop2.config.editing import save, show

        save(folder, {"cluster.lease": True}, show(folder).version, os.environ)
        output.note("cluster.lease is set: a running peer serves by its lease from its next start on")


@cluster.command("remove")
@click.argument("name", metavar="NAME")
@folder_argument
def remove(name: str, folder: Path) -> None:
    """Let a machine in no more; the server ends its connection."""
    from goop2.cluster.setup_files import ask_to_reload
    from goop2.cluster.setup_files import remove as take_out

    session.settings_of(folder)
    take_out(folder, name)
    output.answer(f"{name} is removed")
    _reload(ask_to_reload(folder))


@cluster.command("release")
@folder_argument
def release(folder: Path) -> None:
    """Forget who holds the lease of this peer, when that machine is gone for good.

    Refused while the lease is being renewed. After it "goop2 backup DIR --take-over" and "goop2 peer DIR" begin anew with the rows of DIR.
    """
    settings = session.settings_of(folder)
    host = session.run(_release(folder, settings))
    output.answer(f"the lease of {host or 'nobody'} is forgotten")


async def _release(folder: Path, settings: Settings) -> str:
    from goop2.cluster.bus import ClusterError
    from goop2.cluster.lease_store import LeaseMovedError, NatsLeaseStore
    from goop2.cluster.limits import RENEW_SECONDS
    from goop2.cluster.nats_bus import connected_to
    from goop2.cluster.setup_files import owner_key
    from goop2.folder.identity import load_or_create

    cluster = settings.cluster
    if not cluster.nats:
        raise ClusterError(f"{folder} has no cluster; goop2 cluster init {folder} makes one")
    peer = load_or_create(folder, settings.identity.key_file).peer_id
    async with connected_to(cluster.nats, owner_key(folder, cluster.key), "goop2 cluster release") as bus:
        store = NatsLeaseStore(bus, peer)
        before = await store.read()
        if before is None:
            return ""
        await asyncio.sleep(2 * RENEW_SECONDS)
        try:
            await store.remove(before.revision)
        except LeaseMovedError:
            raise ClusterError(f"{before.record.host} holds the lease of this peer and renews it: stop that peer first") from None
        return before.record.host


def _reload(asked: bool) -> None:
    if not asked:
        output.note("no nats-server of this cluster runs on this machine: have it read its configuration again (kill -HUP)")


@cluster.command("status")
@folder_argument
@json_option
def status(folder: Path, as_json: bool) -> int:
    """Say which machines are there, what they do, and what is wrong."""
    session.settings_of(folder)
    view = session.run(view_of(folder))
    if as_json:
        import msgspec

        output.answer_json({"ok": view.connected, **msgspec.to_builtins(view)})
    else:
        _print(view)
    return EXIT_OK if view.connected else EXIT_FAILED


async def view_of(folder: Path) -> ClusterView:
    """Return what the running peer knows, or what can be heard while none runs. Raises `ClusterError`."""
    import msgspec

    from goop2.cluster.bus import ClusterError
    from goop2.control_socket import ask
    from goop2.services.cluster_view import ClusterView

    answer = await ask(folder, "cluster", {}, ANSWER_SECONDS)
    if answer is None:
        return await heard(folder)
    found: Any = answer["cluster"]
    if found is None:
        raise ClusterError(f'the peer in {folder} has no cluster: "cluster.nats" in its goop.json is empty, or was when it started')
    return msgspec.convert(found, ClusterView)


async def heard(folder: Path) -> ClusterView:
    """Return which machines say that they are there, as heard with the owner's key while no peer runs. Raises `ClusterError`."""
    import msgspec

    from goop2.cluster import messages
    from goop2.cluster.bus import ClusterError
    from goop2.cluster.limits import SETTLE_SECONDS
    from goop2.cluster.nats_bus import connected_to
    from goop2.cluster.setup_files import NodeNames, owner_key
    from goop2.services.cluster_view import ClusterView, NodeView

    all_settings = session.settings_of(folder)
    settings = all_settings.cluster
    if not settings.nats:
        raise ClusterError(f"{folder} has no cluster; goop2 cluster init {folder} makes one")
    beats: dict[str, messages.Beat] = {}

    def hear(subject: str, content: bytes, nobody: bool) -> None:
        key, what, _ = messages.places(subject)
        if what == "beat" and not nobody:
            try:
                beats[key] = messages.beat.decode(content)
            except msgspec.DecodeError:
                return

    name_of = NodeNames(folder)
    async with connected_to(settings.nats, owner_key(folder, settings.key), "goop2 cluster status") as bus:
        await bus.listen(messages.FROM_NODES, hear)
        lease = await _lease_of(folder, all_settings, bus) if settings.lease else None
        await asyncio.sleep(SETTLE_SECONDS)
        return ClusterView(
            lease=lease,
            server=settings.nats,
            connected=True,
            why="",
            version=bus.server_version,
            spill=settings.spill,
            nodes=tuple(
                NodeView(
                    name=name_of(key),
                    key=key,
                    host=beat.host,
                    state="waiting",
                    why="",
                    slots=beat.slots,
                    under_way=0,
                    calls=0,
                    losses=0,
                )
                for key, beat in sorted(beats.items())
            ),
        )


async def _lease_of(folder: Path, settings: Settings, bus: NatsBus) -> LeaseView | None:
    from goop2.cluster.lease_store import NatsLeaseStore
    from goop2.folder.identity import load_or_create
    from goop2.services.cluster_view import LeaseView

    found = await NatsLeaseStore(bus, load_or_create(folder, settings.identity.key_file).peer_id).read()
    if found is None:
        return LeaseView(held=False, holder="", since=0.0, age_seconds=None, term=0)
    record = found.record
    return LeaseView(held=False, holder=record.host if record.holder else "", since=record.since, age_seconds=None, term=record.term)


def lease_line(lease: LeaseView) -> str:
    """Return who may speak as the peer, in one line."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(lease.since))
    if lease.held:
        age = f"renewed {lease.age_seconds:.1f} s ago" if lease.age_seconds is not None else "held"
        return f"lease  held here since {when}, {age}, term {lease.term}"
    who = f"held by {lease.holder} since {when}" if lease.holder else "held by nobody"
    return f"lease  {who}, term {lease.term}" + (f"; {lease.trouble}" if lease.trouble else "")


def standby_line(standby: StandbyView) -> str:
    """Return how a standby is, in one line."""
    state = "away" if not standby.is_here else f"{standby.behind_seconds:.0f} s behind" if standby.behind_seconds else "up to date"
    return f"standby  {standby.name} on {output.one_line(standby.host)}: {standby.trouble or state}"


def _print(view: ClusterView) -> None:
    from goop2.cli.table import Cell, fitting_widths, line_of, terminal_width

    server = f"nats-server {view.version}" if view.connected else f"not used: {view.why}"
    output.answer(f"{view.server}  {server}  spill: {view.spill}  under way: {view.under_way}")
    if view.lease is not None:
        output.answer(lease_line(view.lease))
        for standby in view.lease.standbys:
            output.answer(standby_line(standby))
    if not view.nodes:
        output.note("no machine is there")
        return
    heads = [Cell(text) for text in ("machine", "state", "slots", "busy", "calls", "lost", "host")]
    rows = [
        [
            Cell(node.name),
            Cell(node.state),
            *(Cell(str(number), right=True) for number in (node.slots, node.under_way, node.calls, node.losses)),
            Cell(output.one_line(node.host)),
        ]
        for node in view.nodes
    ]
    widths = fitting_widths([heads, *rows], terminal_width())
    for row in (heads, *rows):
        output.answer(line_of(row, widths) if widths else "  ".join(cell.text for cell in row))
    for node in view.nodes:
        if node.why:
            output.note(f"{node.name} is not used: {node.why}")
