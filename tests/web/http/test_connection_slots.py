"""Whose place is given to another."""

from __future__ import annotations

from dataclasses import dataclass

from goop2.web.http.connection_slots import victim


@dataclass
class Connection:
    """One of a server's."""

    network: str
    waiting_since: float
    half_sent: bool = False
    idle: bool = False


def test_half_a_request_goes_before_a_kept_connection_however_long_that_waits() -> None:
    half, idle = Connection("a", 9, half_sent=True), Connection("a", 1, idle=True)
    assert victim([idle, half, Connection("a", 0)]) is half
    assert victim([idle, Connection("a", 0)]) is idle


def test_what_is_being_answered_goes_for_nobody() -> None:
    assert victim([Connection("a", 0), Connection("b", 0)]) is None


def test_the_network_with_most_halves_gives_way_and_of_it_the_oldest() -> None:
    flood = [Connection("flood", number, half_sent=True) for number in range(5, 9)]
    slow = Connection("phone", 1, half_sent=True)
    assert victim([slow, *flood]) is flood[0]
