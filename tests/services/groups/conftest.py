"""The peers of tests of groups, and a group of theirs."""

from __future__ import annotations

import pytest
from tests.services.groups.network import Network


@pytest.fixture
def network() -> Network:
    network = Network()
    for name in ("host", "ann", "bob", "eve"):
        network.peer(name)
    return network


@pytest.fixture
def game(network: Network) -> str:
    """A group of the host's with ann and bob in it."""
    group = network.peers["host"].host("Game", "template", max_members=2).id
    for name in ("ann", "bob"):
        network.deliver(name, network.peers[name].join("host", group))
    return group
