"""What the owner is told of finding peers: once, and again when it is over."""

from __future__ import annotations

from goop2.peers.discovery.troubles import NOTES_MAX, Troubles


def test_the_same_trouble_is_noted_once_and_is_gone_when_it_is_resolved() -> None:
    troubles = Troubles()
    for _ in range(3):
        troubles.report("mdns", "nothing is heard")
    assert (troubles.notes, troubles.current) == (["nothing is heard"], {"mdns": "nothing is heard"})
    troubles.resolve("mdns", "all is well")
    assert troubles.current == {}
    troubles.report("mdns", "nothing is heard")
    assert len(troubles.notes) == 2


def test_notes_are_bounded() -> None:
    troubles = Troubles()
    for number in range(2 * NOTES_MAX):
        troubles.report("a server", f"attempt {number} failed")
    assert len(troubles.notes) == NOTES_MAX
