"""The waiting line: fair, bounded, and nobody gets lost in it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from goop2.scripting.fair_queue import FairQueue


def anybody(_: str) -> bool:
    return True


def line_of(capacity: int, *items: str) -> FairQueue[str]:
    """Items like `A1`: the caller's letter and a number."""
    line: FairQueue[str] = FairQueue(capacity)
    for item in items:
        assert line.offer(item[0], item) is None
    return line


def drained(line: FairQueue[str]) -> list[str]:
    items: list[str] = []
    while (item := line.take(anybody)) is not None:
        items.append(item)
    return items


def test_an_empty_line_gives_nothing() -> None:
    assert line_of(4).take(anybody) is None


def test_one_callers_items_keep_their_order() -> None:
    assert drained(line_of(4, "A1", "A2", "A3")) == ["A1", "A2", "A3"]


def test_callers_take_turns_whoever_came_with_more() -> None:
    assert drained(line_of(9, "A1", "A2", "A3", "B1", "C1", "C2")) == ["A1", "B1", "C1", "A2", "C2", "A3"]


def test_a_caller_who_may_not_run_keeps_its_place_in_front() -> None:
    line = line_of(9, "A1", "A2", "B1", "B2")
    assert line.take(lambda caller: caller != "A") == "B1"
    assert line.take(anybody) == "A1"


def test_nothing_is_taken_when_nobody_may_run() -> None:
    line = line_of(9, "A1", "B1")
    assert line.take(lambda _: False) is None
    assert len(line) == 2


def test_in_a_full_line_who_has_the_most_gives_up_the_newest_place_to_who_has_clearly_fewer() -> None:
    line = line_of(4, "A1", "A2", "A3", "B1")
    assert line.offer("C", "C1") == "A3"
    assert drained(line) == ["A1", "B1", "C1", "A2"]


@pytest.mark.parametrize("newcomer", ["A", "B", "D"])
def test_in_a_full_line_a_newcomer_without_clearly_fewer_is_turned_away(newcomer: str) -> None:
    line = line_of(3, "A1", "B1", "C1")
    item = f"{newcomer}9"
    assert line.offer(newcomer, item) == item
    assert item not in line
    assert len(line) == 3


def test_a_caller_cannot_push_itself_out() -> None:
    line = line_of(3, "A1", "A2", "A3")
    assert line.offer("A", "A4") == "A4"


def test_a_line_without_places_turns_everybody_away() -> None:
    assert line_of(0).offer("A", "A1") == "A1"


def test_an_item_that_gave_up_waiting_is_gone() -> None:
    line = line_of(4, "A1", "A2", "B1")
    assert line.remove("A1")
    assert not line.remove("A1")
    assert drained(line) == ["A2", "B1"]


def test_a_callers_last_item_takes_its_turn_with_it() -> None:
    line = line_of(4, "A1", "B1")
    line.remove("A1")
    line.offer("A", "A2")
    assert drained(line) == ["B1", "A2"]


def test_an_item_cannot_wait_twice() -> None:
    line = line_of(4, "A1")
    with pytest.raises(ValueError, match="'A1' waits already"):
        line.offer("B", "A1")


def test_ten_greedy_callers_delay_one_item_of_another_by_ten_at_most() -> None:
    line: FairQueue[str] = FairQueue(256)
    for number in range(250):
        line.offer(f"greedy-{number % 10}", f"g{number}")
    line.offer("ann", "hello")
    assert drained(line).index("hello") == 10


@given(st.lists(st.sampled_from("ABCDE"), max_size=60))
def test_nobody_starves(arrivals: list[str]) -> None:
    """Between two items of one caller, every other who waits gets its turn."""
    line = line_of(100, *(f"{caller}{number}" for number, caller in enumerate(arrivals)))
    waiting = Counter(arrivals)
    since_last: dict[str, int] = dict.fromkeys(waiting, 0)
    for item in drained(line):
        caller = item[0]
        waiting[caller] -= 1
        since_last[caller] = 0
        for other in since_last:
            if other != caller and waiting[other]:
                since_last[other] += 1
                assert since_last[other] < len(since_last)


class LineOfCallers(RuleBasedStateMachine):
    """Whatever is done to a line, no item is lost or doubled, and each caller's keep their order."""

    CAPACITY = 6

    def __init__(self) -> None:
        super().__init__()
        self.line: FairQueue[int] = FairQueue(self.CAPACITY)
        self.expected: dict[str, list[int]] = {}
        self.next_item = 0

    def _drop(self, item: int) -> str:
        (caller,) = (caller for caller, items in self.expected.items() if item in items)
        self.expected[caller].remove(item)
        return caller

    def _count(self, caller: str) -> int:
        return len(self.expected.get(caller, []))

    @rule(caller=st.sampled_from("ABCD"))
    def offer(self, caller: str) -> None:
        item, self.next_item = self.next_item, self.next_item + 1
        before = sum(map(len, self.expected.values()))
        out = self.line.offer(caller, item)
        self.expected.setdefault(caller, []).append(item)
        assert (out is None) == (before < self.CAPACITY)
        if out is not None and out != item:
            loser = next(caller for caller, items in self.expected.items() if out in items)
            assert self.expected[loser][-1] == out
            assert self._count(loser) == max(map(len, self.expected.values()))
            assert self._count(loser) > self._count(caller)
        if out is not None:
            self._drop(out)

    @rule(barred=st.sets(st.sampled_from("ABCD")))
    def take(self, barred: set[str]) -> None:
        item = self.line.take(lambda caller: caller not in barred)
        ready = [caller for caller, items in self.expected.items() if items and caller not in barred]
        assert (item is None) == (not ready)
        if item is not None:
            caller = next(caller for caller in ready if item in self.expected[caller])
            assert self.expected[caller][0] == item
            self._drop(item)

    @precondition(lambda self: any(self.expected.values()))
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from([item for items in self.expected.values() for item in items]))
        assert self.line.remove(item)
        self._drop(item)

    @invariant()
    def knows_who_waits(self) -> None:
        assert len(self.line) == sum(map(len, self.expected.values()))
        assert all(item in self.line for items in self.expected.values() for item in items)
        assert all(self.line.waiting(caller) == len(items) for caller, items in self.expected.items())


TestLineOfCallers = LineOfCallers.TestCase
TestLineOfCallers.settings = settings(max_examples=100, stateful_step_count=40)


def test_who_is_next_is_told_without_taking() -> None:
    line: FairQueue[str] = FairQueue(4)
    line.offer("barred", "b1")
    assert line.peek(lambda caller: caller != "barred") is None
    line.offer("free", "f1")
    assert line.peek(lambda caller: caller != "barred") == "f1"
    assert len(line) == 2


def test_the_owner_gets_a_place_in_a_line_full_of_callers_with_one_item_each() -> None:
    line: FairQueue[str] = FairQueue(3)
    for caller in "abc":
        line.offer(caller, f"{caller}1")
    assert line.offer("d", "d1") == "d1"
    assert line.offer("owner", "o1", first_among_equals=True) in {"a1", "b1", "c1"}
    assert "o1" in line


def test_the_owner_with_the_most_waiting_loses_no_place_to_a_stranger() -> None:
    line: FairQueue[str] = FairQueue(4, lambda caller: 9.0 if caller == "owner" else 0.0)
    line.offer("a", "a1")
    for number in range(3):
        line.offer("owner", f"o{number}", first_among_equals=True)
    assert line.offer("b", "b1") == "b1"
    assert line.offer("owner", "o3", first_among_equals=True) == "a1"
    assert line.offer("b", "b1") == "b1"
    assert line.offer("owner", "o4", first_among_equals=True) == "o4"
    assert drained(line) == ["o0", "o1", "o2", "o3"]


def line_charged(capacity: int, charges: dict[str, float], *items: str) -> FairQueue[str]:
    """Items like `A1`, whose callers have used so much."""
    line: FairQueue[str] = FairQueue(capacity, lambda caller: charges.get(caller, 0.0))
    for item in items:
        line.offer(item[0], item)
    return line


def test_whoever_has_used_less_goes_first_whenever_it_came() -> None:
    assert drained(line_charged(9, {"A": 5.0, "B": 2.0}, "A1", "B1", "A2", "C1", "D1", "C2")) == ["C1", "D1", "C2", "B1", "A1", "A2"]


def test_whoever_has_used_less_but_may_not_run_holds_up_nobody() -> None:
    line = line_charged(9, {"A": 5.0, "B": 2.0}, "A1", "B1", "C1")
    assert line.take(lambda caller: caller == "A") == "A1"


def test_in_a_full_line_the_caller_charged_most_gives_way_to_one_charged_nothing() -> None:
    line = line_charged(3, {"A": 5.0, "B": 2.0, "C": 1.0}, "A1", "B1", "C1")
    assert line.offer("D", "D1") == "A1"
    assert line.offer("B", "B2") == "B2"
    assert drained(line) == ["D1", "C1", "B1"]


def test_in_a_full_line_of_callers_charged_nothing_a_newcomer_is_turned_away() -> None:
    line = line_charged(2, {}, "A1", "B1")
    assert line.offer("C", "C1") == "C1"


def test_the_item_that_waits_longest_is_told() -> None:
    line = line_of(4, "A1", "A2", "B1")
    assert (line.oldest("A"), line.oldest("C")) == ("A1", None)
