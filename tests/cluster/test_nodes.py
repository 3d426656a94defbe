"""What an owner knows of its nodes: credit, sources, and who is forgotten."""

from __future__ import annotations

import msgspec

from goop2.cluster.limits import LOST_SECONDS, NODES_MAX, SOURCES_KEPT
from goop2.cluster.messages import Beat
from goop2.cluster.nodes import KnownNode, Nodes

BEAT = Beat(1, "0", (), b"12345678", 4, "host", b"digest")


def ready(nodes: Nodes, key: str, slots: int, now: float = 0.0) -> KnownNode:
    node, _ = nodes.hear(key, key, msgspec.structs.replace(BEAT, slots=slots), now)
    assert node is not None
    node.ready = True
    return node


def test_credit_is_slots_less_what_was_given() -> None:
    node = ready(Nodes(), "a", 2)
    assert node.credit == 2
    node.given |= {1: None, 2: None, 3: None}
    assert node.credit == 0


def test_a_node_that_is_away_leaving_refused_or_not_ready_has_no_credit() -> None:
    for field, value in (("here", False), ("ready", False), ("refused", "why"), ("beat", msgspec.structs.replace(BEAT, leaving=True))):
        node = ready(Nodes(), "a", 2)
        setattr(node, field, value)
        assert node.credit == 0, field


def test_the_best_has_the_most_free_slots_and_then_the_source() -> None:
    nodes = Nodes()
    ready(nodes, "a", 2)
    knowing = ready(nodes, "b", 2)
    knowing.knows(b"v")
    assert nodes.best(b"v") is knowing
    larger = ready(nodes, "c", 3)
    assert nodes.best(b"v") is larger


def test_no_more_sources_are_remembered_than_a_node_keeps() -> None:
    node = ready(Nodes(), "a", 1)
    assert not node.knows(b"first")
    for number in range(SOURCES_KEPT):
        node.knows(number.to_bytes(4, "big"))
    assert not node.knows(b"first")


def test_a_silent_node_is_lost_once_and_forgotten_when_its_key_is_back() -> None:
    nodes = Nodes()
    node = ready(nodes, "a", 1)
    assert nodes.lose(LOST_SECONDS - 0.1) == []
    assert nodes.lose(LOST_SECONDS + 0.1) == [node]
    assert nodes.lose(LOST_SECONDS + 9.9) == []
    nodes.hear("a", "a", msgspec.structs.replace(BEAT, boot=b"newstart"), 20.0)
    assert [each.beat.boot for each in nodes] == [b"newstart"]


def test_there_are_never_more_nodes_than_the_limit() -> None:
    nodes = Nodes()
    for number in range(NODES_MAX):
        ready(nodes, f"n{number}", 1)
    assert nodes.hear("one more", "", BEAT, 0.0) == (None, False)
    nodes.lose(LOST_SECONDS + 1)
    assert nodes.hear("one more", "", BEAT, 9.0)[0] is not None
