"""The owner's side of the cluster: the far runner of its queue, and the connection by which it reaches its nodes.

The site never waits for it: without the server, or without a node, everything runs near. It must not know who calls.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, cast

import msgspec
import structlog

from goop2.cluster import messages
from goop2.cluster.bus import ClusterError
from goop2.cluster.far_runner import FarRunner
from goop2.cluster.keys import ClusterKey
from goop2.cluster.lease_client import OwnerLease
from goop2.cluster.limits import ECHO_SECONDS
from goop2.cluster.messages import NodeSetup
from goop2.cluster.nats_bus import NatsBus, stay_connected
from goop2.cluster.placement import Placement, Spill
from goop2.cluster.switched_bus import SwitchedBus
from goop2.cluster.time_zone import rule_of_time
from goop2.sandbox.messages import Setup
from goop2.sandbox.vm import preferred_flavour
from goop2.scripting.limits import InvocationLimits
from goop2.scripting.pool import Pool
from goop2.scripting.runs import Runs
from goop2.services.cluster_view import ClusterView, NodeView

OWNER: Final = "goop2 owner"
"""How the connection is named in the server's own lists."""

log = structlog.get_logger(__name__)


class Cluster:
    """The other machines of one peer, for whoever shows them or changes the settings."""

    def __init__(self, url: str, runner: FarRunner, bus: SwitchedBus, welcome: Callable[[Setup, InvocationLimits], NodeSetup]) -> None:
        self._url = url
        self._runner = runner
        self._bus = bus
        self._welcome = welcome
        self.why = "it is being connected to"
        """Why the server is not used now, "" when it is."""
        self.version = ""
        self.lease: OwnerLease | None = None
        """By which the peer serves; None where it needs none."""

    def renew(self, setup: Setup, limits: InvocationLimits) -> None:
        """Have calls given from now on run with other settings."""
        self._runner.renew(self._welcome(setup, limits))

    def view(self) -> ClusterView:
        """Return the server, the nodes and the counts since the start as they are at this moment."""
        runner = self._runner
        return ClusterView(
            server=self._url,
            connected=self._bus.connected,
            why="" if self._bus.connected else self.why,
            version=self.version,
            spill=runner.placement.spill,
            nodes=tuple(
                NodeView(
                    name=node.name,
                    key=node.key,
                    host=node.beat.host,
                    state=node.state,
                    why=node.refused,
                    slots=node.beat.slots,
                    under_way=len(node.given),
                    calls=node.calls,
                    losses=node.losses,
                )
                for node in sorted(runner.nodes, key=lambda node: node.name)
            ),
            under_way=runner.under_way,
            calls=runner.calls_given,
            losses=runner.calls_lost,
            put_back=runner.put_back,
            breaches=runner.breaches,
            lease=self.lease.view() if self.lease is not None else None,
        )

    def fail(self, error: ClusterError) -> None:
        """Take note of why the server is not used now, and say it once."""
        self.why = str(error)
        self.version = ""
        log.warning("the cluster is not used, scripts run on this machine alone", why=self.why)


def node_setup_of(setup: Setup, limits: InvocationLimits, owner: bytes) -> NodeSetup:
    """Return how the workers of nodes are to be."""
    flavour = setup.flavour or preferred_flavour()
    zone = rule_of_time()
    # The digest is of all the rest, so that any change of the settings makes nodes make their workers anew.
    draft = NodeSetup(owner, b"", flavour, setup.self_id, setup.self_label, setup.memory_bytes, limits.process_per_call, zone)
    return msgspec.structs.replace(draft, digest=hashlib.blake2b(messages.encode(draft), digest_size=16).digest())


@asynccontextmanager
async def open_cluster(
    *,
    url: str,
    key: Callable[[], ClusterKey],
    spill: str,
    pool: Pool,
    runs: Runs,
    setup: Setup,
    limits: InvocationLimits,
    name_of: Callable[[str], str],
) -> AsyncIterator[Cluster]:
    """Let calls run on other machines while the block lasts. `key` is read when it is needed; it may raise `ClusterError`."""
    # Tells the nodes one start of this peer from another: calls of an earlier one are over.
    boot = secrets.token_bytes(8)
    bus = SwitchedBus()
    placement = Placement(cast(Spill, spill))
    runner = FarRunner(
        bus=bus,
        calls=pool.calls,
        lend=pool.lend,
        operations=pool.operations,
        placement=placement,
        welcome=node_setup_of(setup, limits, boot),
        name_of=name_of,
    )
    cluster = Cluster(url, runner, bus, lambda setup, limits: node_setup_of(setup, limits, boot))

    async def use(connection: NatsBus) -> None:
        # Before anything is sent: the first answer may come at once.
        await connection.listen(messages.FROM_NODES, runner.hear)
        bus.use(connection)
        cluster.version = connection.server_version
        log.info("the cluster is connected", server=url, version=cluster.version)
        try:
            while True:
                connection.send(messages.ECHO, b"")
                await asyncio.sleep(ECHO_SECONDS)
        finally:
            bus.use(None)
            runner.disconnected()

    async def stay() -> None:
        try:
            await stay_connected(url, key(), OWNER, use=use, told=cluster.fail, give_up=False)
        except ClusterError as error:
            cluster.fail(error)

    # Every run is looked at, near and far ones: how long a script works does not depend on where.
    forget = runs.subscribe(placement.learn)
    pool.calls.join(runner, first=spill == "all")
    staying = asyncio.create_task(stay())
    try:
        yield cluster
    finally:
        # First, so that no call is given away any more; then what is under way is cancelled at the nodes, and that is sent.
        pool.calls.leave()
        forget()
        runner.stop()
        if isinstance(bus.current, NatsBus):
            await bus.current.flush()
        staying.cancel()
        await asyncio.gather(staying, return_exceptions=True)
