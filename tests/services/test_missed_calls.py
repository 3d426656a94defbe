"""Calls that are hung up: each once, not in a flood, and the last ones are remembered."""

from __future__ import annotations

import pytest

from goop2.protocols.calls import CallOffer
from goop2.services import missed_calls as module
from goop2.services.missed_calls import MISSED_MAX, OF_ALL_A_MINUTE, PER_PEER_A_MINUTE, MissedCall, MissedCalls


def test_an_offer_is_answered_once_however_often_it_rings() -> None:
    calls, told = MissedCalls(), list[MissedCall]()
    calls.subscribe(told.append)
    assert [calls.offered("ann", CallOffer("1", b"")) for _ in range(3)] == [True, False, False]
    assert calls.offered("bob", CallOffer("1", b"")), "the id is its own"
    assert [call.peer for call in calls.recent()] == [call.peer for call in told] == ["ann", "bob"]


def test_a_flood_of_offers_is_bounded() -> None:
    calls = MissedCalls()
    assert sum(calls.offered("ann", CallOffer(str(number), b"")) for number in range(1000)) == PER_PEER_A_MINUTE
    assert sum(calls.offered(f"peer {number}", CallOffer("1", b"")) for number in range(1000)) == OF_ALL_A_MINUTE - PER_PEER_A_MINUTE
    assert len(calls.recent()) == MISSED_MAX


def test_a_call_of_yesterday_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = MissedCalls()
    calls.offered("ann", CallOffer("1", b""))
    monkeypatch.setattr(module, "RECENT_SECONDS", -1.0)
    assert calls.recent() == ()
