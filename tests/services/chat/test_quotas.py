"""Whose oldest messages make room: the flood's own, whatever it calls itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.services.chat import quotas as module
from goop2.services.chat.quotas import CONTACT, Budgets, LargestFirst


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("SENDER_BYTES", 40), ("ORIGIN_BYTES", 80), ("STRANGERS_BYTES", 200), ("CONTACTS_BYTES", 60)):
        monkeypatch.setattr(module, name, size)


def test_a_sender_over_its_budget_gives_up_its_own() -> None:
    assert Budgets([("eve", "home", 41), ("ann", "home", 10)]).over("eve", "home") == ("eve", "home", 1)


def test_the_largest_sender_of_a_network_gives_up_when_many_ids_of_it_flood() -> None:
    charges = [(f"eve{number}", "home", 20) for number in range(4)] + [("eve", "home", 25)]
    assert Budgets(charges).over("eve0", "home") == ("eve", "home", 25)


def test_a_sender_of_another_network_gives_up_nothing_for_that() -> None:
    assert Budgets([("eve1", "home", 40), ("eve2", "home", 40), ("ann", "elsewhere", 40)]).over("ann", "elsewhere") is None


def test_the_largest_network_gives_up_when_strangers_are_too_many_together() -> None:
    floods = [(f"eve{number}", f"network{number}", 38) for number in range(5)]
    assert Budgets([*floods, ("ann", "small", 15)]).over("ann", "small") == ("eve0", "network0", 5)


def test_no_stranger_takes_the_place_of_a_contact() -> None:
    floods = [(f"eve{number}", f"network{number}", 30) for number in range(7)]
    over = Budgets([*floods, ("ann", CONTACT, 40)]).over("eve0", "network0")
    assert over is not None
    assert over[1] != CONTACT


def test_contacts_share_a_bound_of_their_own() -> None:
    assert Budgets([("ann", CONTACT, 40), ("bob", CONTACT, 25)]).over("bob", CONTACT) == ("ann", CONTACT, 5)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(-50, 50)), max_size=400))
def test_the_largest_is_the_largest_whatever_came_before(steps: list[tuple[str, int]]) -> None:
    """Invariant: the sizes are the sums, never below zero, and `largest` has the greatest."""
    sizes, expected = LargestFirst(), dict[str, int]()
    for key, size in steps:
        size = max(size, -expected.get(key, 0))
        sizes.add(key, size)
        expected[key] = expected.get(key, 0) + size
        expected = {key: size for key, size in expected.items() if size}
        largest = sizes.largest()
        assert (sizes[largest] if largest else 0) == max(expected.values(), default=0)
        assert sizes.total == sum(expected.values())
