"""The table of connections: which is taken, how many there may be, and who is told."""

from __future__ import annotations

from typing import Any, cast

import pytest

from goop2.net.admission import AdmissionError
from goop2.net.connection import Connection
from goop2.net.connections import ConnectionTable


class Fake:
    """As much of a connection as the table looks at."""

    def __init__(self, table: ConnectionTable, peer: str, *, is_relayed: bool = False) -> None:
        self.peer, self.is_relayed, self.is_open = peer, is_relayed, True
        self.opened_by_us = self.is_idle = True
        self._table = table

    def abandon(self) -> None:
        self.is_open = False
        self._table.remove(cast(Connection, self))


@pytest.fixture
def table() -> ConnectionTable:
    return ConnectionTable(2, 3)


def add(table: ConnectionTable, peer: str, *, is_relayed: bool = False) -> Any:
    one: Any = Fake(table, peer, is_relayed=is_relayed)
    table.add(cast(Connection, one))
    return one


def test_a_direct_one_is_taken_before_one_through_a_relay_and_the_oldest_of_its_kind(table: ConnectionTable) -> None:
    relayed, direct, newer = add(table, "a", is_relayed=True), add(table, "a"), add(table, "a")
    assert [table.best("a"), table.best("a", relayed=True), table.best("a", relayed=False)] == [direct, relayed, direct]
    direct.is_open = False
    assert table.best("a") == newer
    newer.is_open = False
    assert table.best("a") == relayed
    assert table.best("a", relayed=False) is None
    assert table.best("b") is None


def test_beyond_the_bound_the_oldest_of_the_same_kind_ends(table: ConnectionTable) -> None:
    relayed = add(table, "a", is_relayed=True)
    first, second, third = (add(table, "a") for _ in range(3))
    assert (relayed.is_open, first.is_open, second.is_open, third.is_open) == (True, False, True, True)
    assert len(table) == 3
    assert table.of("a") == (relayed, second, third)


def test_peers_are_named_once_and_no_more_when_all_has_ended(table: ConnectionTable) -> None:
    one, two, other = add(table, "a"), add(table, "a"), add(table, "b")
    assert table.peers() == ("a", "b")
    assert table.of() == (one, two, other)
    one.abandon()
    two.abandon()
    assert table.peers() == ("b",)
    table.remove(one)


def test_listeners_are_told_and_a_mistake_of_one_takes_nothing_from_the_next(table: ConnectionTable) -> None:
    told: list[tuple[str, str]] = []

    def fails(_connection: Connection) -> None:
        raise ValueError("a bug")

    def came(connection: Connection) -> None:
        told.append(("came", connection.peer))

    def went(connection: Connection) -> None:
        told.append(("went", connection.peer))

    table.watch(fails, fails)
    table.watch(came, went)
    add(table, "a").abandon()
    assert told == [("came", "a"), ("went", "a")]
    table.unwatch(came, went)
    add(table, "b").abandon()
    assert len(told) == 2


def test_beyond_what_may_be_dialled_the_oldest_that_carries_nothing_ends(table: ConnectionTable) -> None:
    busy, theirs, idle, newer = (add(table, peer) for peer in "abcd")
    busy.is_idle = theirs.opened_by_us = False
    table.make_room()
    assert [busy.is_open, theirs.is_open, idle.is_open, newer.is_open] == [True, True, False, True]
    table.make_room()
    assert newer.is_open, "there is room"
    add(table, "e").is_idle = newer.is_idle = False
    with pytest.raises(AdmissionError, match="3 connections that we dialled are open, the most there may be"):
        table.make_room()
