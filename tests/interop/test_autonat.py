"""AutoNAT between go-libp2p and ours, both versions: each has the other dial it, in the open and behind a router."""

from __future__ import annotations

import pytest
from tests.e2e.nats import KEEPS_PORTS
from tests.e2e.test_hole_punching import ours, program
from tests.e2e.test_nats import nats
from tests.interop.others import go_peer

LISTEN = "/ip4/0.0.0.0/tcp/4001"
VERSIONS = pytest.mark.parametrize("version", ["1", "2"])


@pytest.fixture(scope="session")
def go(tmp_path_factory: pytest.TempPathFactory) -> str:
    return go_peer(tmp_path_factory.mktemp("go"))[0]


@VERSIONS
def test_go_dials_us_back_in_the_open_and_finds_nobody_behind_a_router(go: str, version: str) -> None:
    with (
        nats("", KEEPS_PORTS) as made,
        program(made.public, go, "autonat-server", version, f"/ip4/{made.public.address}/tcp/4001") as server,
    ):
        address = server.said()["address"]
        with ours(made.a, "reached", address) as peer:
            assert peer.said() == {"reachable": True, "addresses": [f"/ip4/{made.outside_a}/tcp/4001"]}
        with ours(made.b, "reached", address) as peer:
            assert peer.said() == {"reachable": False, "addresses": []}


@VERSIONS
def test_we_dial_go_back_in_the_open_and_find_nobody_behind_a_router(go: str, version: str) -> None:
    with nats("", KEEPS_PORTS) as made, ours(made.public, "relay", made.public.address) as server:
        address = server.said()["address"]
        for machine, outside, reachability in ((made.a, made.outside_a, "Public"), (made.b, made.outside_b, "Private")):
            with program(machine, go, "autonat-client", version, address, LISTEN, f"/ip4/{outside}/tcp/4001") as client:
                assert client.said() == {"reachability": reachability}
