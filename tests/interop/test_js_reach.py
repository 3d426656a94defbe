"""AutoNAT v2 and direct connections between js-libp2p and ours, behind routers and in the open.

js-libp2p has DCUtR, and its TCP dials from another port than the one it listens on. So it does here what an application of it has to do to
take part: it listens on no port, and dials everything from one (js/reach.js). As the one who calls it gets through.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.lan import Machine
from tests.e2e.nats import KEEPS_PORTS, OUTSIDE_FOR_JS
from tests.e2e.test_hole_punching import Program, ours, program
from tests.e2e.test_nats import nats
from tests.interop.others import js_peer
from tests.interop.test_go_punching import in_some_round

LISTEN = "/ip4/0.0.0.0/tcp/4001"
PUNCH_SECONDS = 40
GIVING_UP_SECONDS = 15
"""Its three tries take four."""


@pytest.fixture(scope="module")
def js() -> list[str]:
    """The command of js-libp2p's program."""
    return js_peer(Path(), "reach.js")


@contextmanager
def theirs(machine: Machine, js: list[str], *arguments: str) -> Iterator[Program]:
    with program(machine, *js, *arguments) as running:
        yield running


def outer(address: str) -> str:
    return f"/ip4/{address}/tcp/4001"


def test_js_dials_us_back_in_the_open_and_finds_nobody_behind_a_router(js: list[str]) -> None:
    with (
        nats("", KEEPS_PORTS, outside=OUTSIDE_FOR_JS) as made,
        theirs(made.public, js, "autonat-server", outer(made.public.address)) as server,
    ):
        address = server.said()["address"]
        with ours(made.a, "reached", address) as peer:
            assert peer.said() == {"reachable": True, "addresses": [outer(made.outside_a)]}
        with ours(made.b, "reached", address) as peer:
            assert peer.said() == {"reachable": False, "addresses": []}


def test_we_dial_js_back_in_the_open_and_find_nobody_behind_a_router(js: list[str]) -> None:
    with nats("", KEEPS_PORTS, outside=OUTSIDE_FOR_JS) as made, ours(made.public, "relay", made.public.address) as server:
        address = server.said()["address"]
        for machine, outside, reachability in ((made.a, made.outside_a, "Public"), (made.b, made.outside_b, "Private")):
            with theirs(machine, js, "autonat-client", address, LISTEN, outer(outside)) as client:
                assert client.said() == {"reachability": reachability}


@pytest.mark.skipif("GOOP2_JS_HOLES" not in os.environ, reason="takes a quarter of a minute: make interop runs it")
def test_js_calls_and_we_punch(js: list[str]) -> None:
    def meeting() -> None:
        with (
            nats(outside=OUTSIDE_FOR_JS) as made,
            ours(made.public, "relay", made.public.address) as relay,
            ours(made.b, "callee", relay.said()["address"]) as callee,
            theirs(made.a, js, "punch-caller", callee.said()["address"], outer(made.outside_a), str(PUNCH_SECONDS)) as caller,
        ):
            caller.said()
            assert "direct" in caller.said()["ways"]
            assert callee.direct()["remote"] == outer(made.outside_a)

    in_some_round(meeting)


def test_we_call_and_the_hole_js_opens_is_of_no_use_but_the_relay_goes_on(js: list[str]) -> None:
    """It dials as its part says and begins the handshake as ours does (js/reach.js); nothing is lost by that."""
    with (
        nats(outside=OUTSIDE_FOR_JS) as made,
        ours(made.public, "relay", made.public.address) as relay,
        theirs(made.b, js, "punch-callee", relay.said()["address"], outer(made.outside_b)) as callee,
        ours(made.a, "caller", callee.said()["address"], str(GIVING_UP_SECONDS)) as caller,
    ):
        assert caller.said()["answer"].partition("/p2p/")[0] == caller.said()["answer"].partition("/p2p/")[0] == outer(made.public.address)


@pytest.mark.skipif("GOOP2_JS_HOLES" not in os.environ, reason="takes a quarter of a minute: make interop runs it")
def test_a_caller_of_ours_in_the_open_is_dialled_by_js_behind_a_router(js: list[str]) -> None:
    with (
        nats("", KEEPS_PORTS, outside=OUTSIDE_FOR_JS) as made,
        ours(made.public, "relay", made.public.address) as relay,
        theirs(made.b, js, "punch-callee", relay.said()["address"], outer(made.outside_b)) as callee,
        ours(made.a, "caller", callee.said()["address"], str(PUNCH_SECONDS)) as caller,
    ):
        caller.said()
        assert "direct" in caller.said()["ways"]
