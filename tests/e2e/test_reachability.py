"""A peer learns whether it can be dialled, from a relay that tries, behind routers and in the open."""

from __future__ import annotations

import pytest
from tests.e2e.nats import KEEPS_PORTS, NEW_PORTS
from tests.e2e.test_hole_punching import ours
from tests.e2e.test_nats import nats


def test_a_peer_in_the_open_is_reached() -> None:
    with (
        nats("", "") as made,
        ours(made.public, "relay", made.public.address) as relay,
        ours(made.a, "reached", relay.said()["address"]) as peer,
    ):
        assert peer.said() == {"reachable": True, "addresses": [f"/ip4/{made.outside_a}/tcp/4001"]}


@pytest.mark.parametrize("translation", [KEEPS_PORTS, NEW_PORTS], ids=["keeps ports", "new ports"])
def test_a_peer_behind_a_router_is_not_reached(translation: str) -> None:
    with (
        nats(translation, "") as made,
        ours(made.public, "relay", made.public.address) as relay,
        ours(made.a, "reached", relay.said()["address"]) as peer,
    ):
        assert peer.said() == {"reachable": False, "addresses": []}


def test_a_peer_whose_router_passes_its_port_on_is_reached_at_the_outer_address() -> None:
    with nats(NEW_PORTS, "") as made:
        made.pass_on_to_a(4001)
        with (
            ours(made.public, "relay", made.public.address) as relay,
            ours(made.a, "reached", relay.said()["address"]) as peer,
        ):
            while not (known := peer.said())["reachable"]:
                pass
            assert known["addresses"] == [f"/ip4/{made.outside_a}/tcp/4001"]
