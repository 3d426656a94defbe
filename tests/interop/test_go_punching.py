"""Hole punching between go-libp2p and ours, behind routers that keep ports, each as the one who calls and as the one who is called."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.e2e.nats import KEEPS_PORTS, NEW_PORTS
from tests.e2e.test_hole_punching import ours, program
from tests.e2e.test_nats import nats
from tests.interop.others import go_peer

LISTEN = "/ip4/0.0.0.0/tcp/4001"
PUNCH_SECONDS = 40
"""go-libp2p dials for ten seconds where we listen before it punches."""
GIVING_UP_SECONDS = 30


ROUNDS = 3
"""go-libp2p tries a hole three times and then no more. On a busy machine both may answer too late for each other: then a round fails."""


def in_some_round(meeting: Callable[[], None]) -> None:
    """Let two peers meet anew until they punch a hole."""
    for left in reversed(range(ROUNDS)):
        try:
            return meeting()
        except AssertionError:
            if not left:
                raise


@pytest.fixture(scope="session")
def go(tmp_path_factory: pytest.TempPathFactory) -> str:
    return go_peer(tmp_path_factory.mktemp("go"))[0]


def test_go_calls_and_we_punch(go: str) -> None:
    def meeting() -> None:
        with (
            nats() as made,
            ours(made.public, "relay", made.public.address) as relay,
            ours(made.b, "callee", relay.said()["address"]) as callee,
            program(made.a, go, "punch-caller", callee.said()["address"], LISTEN, str(PUNCH_SECONDS)) as caller,
        ):
            caller.said()
            assert "direct" in caller.said()["ways"]
            assert callee.direct()["remote"] == f"/ip4/{made.outside_a}/tcp/4001"

    in_some_round(meeting)


def test_we_call_and_go_punches(go: str) -> None:
    def meeting() -> None:
        with (
            nats() as made,
            ours(made.public, "relay", made.public.address) as relay,
            program(made.b, go, "punch-callee", relay.said()["address"], LISTEN) as callee,
            ours(made.a, "caller", callee.said()["address"], str(PUNCH_SECONDS)) as caller,
        ):
            first, last = caller.said(), caller.said()
            assert first["answer"].endswith("/p2p-circuit")
            assert (last["ways"], last["answer"]) == (["direct", "relayed"], f"/ip4/{made.outside_a}/tcp/4001")
            assert callee.direct()["remote"] == f"/ip4/{made.outside_a}/tcp/4001"

    in_some_round(meeting)


def test_through_gos_relay_we_punch_too(go: str) -> None:
    def meeting() -> None:
        with (
            nats() as made,
            program(made.public, go, "relay-at", f"/ip4/{made.public.address}/tcp/4001") as relay,
            ours(made.b, "callee", relay.said()["address"]) as callee,
            ours(made.a, "caller", callee.said()["address"], str(PUNCH_SECONDS)) as caller,
        ):
            caller.said()
            assert caller.said()["ways"] == ["direct", "relayed"]

    in_some_round(meeting)


def test_behind_a_router_with_new_ports_go_and_we_stay_on_the_relay(go: str) -> None:
    with (
        nats(KEEPS_PORTS, NEW_PORTS) as made,
        ours(made.public, "relay", made.public.address) as relay,
        program(made.b, go, "punch-callee", relay.said()["address"], LISTEN) as callee,
        ours(made.a, "caller", callee.said()["address"], str(GIVING_UP_SECONDS)) as caller,
    ):
        assert caller.said() == caller.said()
