"""A bus whose connection changes: what must arrive waits for the next one."""

from __future__ import annotations

from tests.cluster.fake_bus import FakeBus

from goop2.cluster.switched_bus import KEPT_MAX, SwitchedBus


def test_what_must_arrive_waits_and_the_rest_is_dropped() -> None:
    bus, connection = SwitchedBus(), FakeBus()
    bus.send("a", b"1")
    bus.send_surely("b", b"2")
    assert (bus.connected, bus.max_bytes > 0) == (False, True)
    bus.use(connection)
    bus.send("c", b"3")
    assert connection.sent == [("b", b"2", ""), ("c", b"3", "")]
    connection.connected = False
    bus.send_surely("d", b"4")
    bus.use(None)
    bus.use(again := FakeBus())
    assert again.sent == [("d", b"4", "")]


def test_no_more_waits_than_a_node_has_calls() -> None:
    bus, connection = SwitchedBus(), FakeBus()
    for number in range(KEPT_MAX + 5):
        bus.send_surely("x", bytes([number % 256]))
    bus.use(connection)
    assert len(connection.sent) == KEPT_MAX
