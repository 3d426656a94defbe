"""Two owners on two machines that nobody told of each other: by mDNS alone on one cable, by a rendezvous server alone across a router."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from tests.cli.command import PATIENCE_SECONDS
from tests.e2e.lan import Machine, NamespaceError, two_machines, two_networks
from tests.e2e.peers import Running, running
from tests.e2e.steps import STEPS, Owner, Step
from tests.web.browser import launched

pytestmark = pytest.mark.asyncio(loop_scope="module")

PORT = 8787


@contextmanager
def by_mdns(folder: Path) -> Iterator[tuple[Running, Running]]:
    """Alice and Bob on one cable."""
    with two_machines() as (a, b), running(folder / "alice", "Alice", a) as alice, running(folder / "bob", "Bob", b) as bob:
        yield alice, bob


@contextmanager
def by_rendezvous(folder: Path) -> Iterator[tuple[Running, Running]]:
    """Alice and Bob on either side of a router that lets no multicast through; the server runs on it."""
    with ExitStack() as stack:
        a, b, *gates = stack.enter_context(two_networks())
        stack.enter_context(rendezvous(gates[0]))
        servers = [{"rendezvous_wan": f"http://{gate.address}:{PORT}"} for gate in gates]
        alice = stack.enter_context(running(folder / "alice", "Alice", a, presence=dict(servers[0])))
        bob = stack.enter_context(running(folder / "bob", "Bob", b, presence=dict(servers[1])))
        yield alice, bob


@contextmanager
def rendezvous(machine: Machine) -> Iterator[None]:
    """A server on all addresses of the machine."""
    with machine.start("rendezvous", "--http", f"0.0.0.0:{PORT}") as process:
        assert process.stdout is not None
        assert b"rendezvous is up" in process.stdout.readline()
        yield
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_SECONDS)


@pytest.fixture(scope="module", params=[by_mdns, by_rendezvous])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Running]]:
    try:
        with request.param(tmp_path_factory.mktemp("found")) as both:
            yield both
    except NamespaceError as missing:
        pytest.skip(f"two machines on a cable: {missing}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def owners(found: tuple[Running, Running], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Owner, Owner]]:
    folder = tmp_path_factory.mktemp("browsers")
    async with AsyncExitStack() as stack:
        both = []
        for peer in found:
            assert peer.machine is not None
            both.append(Owner(peer, await stack.enter_async_context(launched(str(peer.machine.browser(folder))))))
        yield both[0], both[1]


@pytest.mark.parametrize("step", STEPS)
async def test_two_owners_who_found_each_other(owners: tuple[Owner, Owner], step: Step) -> None:
    await step(*owners)
