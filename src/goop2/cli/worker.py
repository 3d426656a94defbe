"""`goop2 worker`: run scripts for a peer on another machine. It needs no folder, and keeps nothing."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from goop2.cli import logs, output, session
from goop2.cli.errors import CommandError
from goop2.cli.main import EXIT_OK

if TYPE_CHECKING:
    from goop2.cluster.keys import ClusterKey
    from goop2.cluster.nats_bus import NatsBus

SLOTS_MAX: Final = 256


@click.command("worker")
@click.option("--join", "url", metavar="URL", required=True, help="The NATS server of the cluster: tls://HOST:4222.")
@click.option(
    "--key",
    "key_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    required=True,
    help='The key that "goop2 cluster invite" made.',
)
@click.option("--slots", metavar="N", type=click.IntRange(1, SLOTS_MAX), help="Calls at a time; without it 4 for each core, at most 32.")
def worker(url: str, key_file: Path, slots: int | None) -> int:
    """Run scripts for a peer on this machine, until Ctrl-C.

    Scripts run behind the same wall as beside the peer. They find no data here: what they ask for is asked of the peer. At SIGTERM the
    calls under way are finished, and no more are taken. It joins again by itself when the server was away.
    """
    from goop2.cluster.keys import read_key
    from goop2.cluster.nats_bus import check_url
    from goop2.scripting.limits import default_workers

    check_url(url)
    return session.run(_work(url, read_key(key_file), slots or default_workers()))


async def _work(url: str, key: ClusterKey, slots: int) -> int:
    from goop2.cli.peer import end_on_signals
    from goop2.cluster.bus import ClusterError
    from goop2.cluster.nats_bus import stay_connected
    from goop2.cluster.node import Node
    from goop2.cluster.switched_bus import SwitchedBus

    logs.set_up()
    told_to_end = asyncio.Event()
    end_on_signals(told_to_end.set)
    bus = SwitchedBus()
    node = Node(key.public, slots, bus)

    async def use(connection: NatsBus) -> None:
        await connection.listen(node.subject, node.hear)
        bus.use(connection)
        try:
            await node.beat()
        finally:
            bus.use(None)

    def told(error: ClusterError) -> None:
        output.warn(f"{error}; it is tried again")

    staying = asyncio.create_task(stay_connected(url, key, f"goop2 worker {key.name}", use=use, told=told, give_up=True))
    ready = asyncio.create_task(_say_ready(node.in_use, url, slots))
    ending = asyncio.create_task(told_to_end.wait())
    try:
        await asyncio.wait((staying, ending, node.refused), return_when=asyncio.FIRST_COMPLETED)
        if node.refused.done():
            raise CommandError(f"the peer does not use this machine: {node.refused.result()}")
        if staying.done():
            staying.result()
        if node.under_way:
            output.note(f"finishing {node.under_way} calls; Ctrl-C again ends them")
        told_to_end.clear()
        leaving, again = asyncio.create_task(node.leave()), asyncio.create_task(told_to_end.wait())
        await asyncio.wait((leaving, again), return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        again.cancel()
        with contextlib.suppress(AttributeError):
            await bus.current.flush()  # type: ignore[union-attr]
    finally:
        for task in (staying, ready, ending):
            task.cancel()
        await asyncio.gather(staying, ready, ending, return_exceptions=True)
        await node.stop()
    return EXIT_OK


async def _say_ready(in_use: asyncio.Event, url: str, slots: int) -> None:
    await in_use.wait()
    output.answer(f"worker is up  server: {url}  slots: {slots}")
