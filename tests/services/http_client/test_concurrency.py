"""Places are shared fairly, given back always, and never the owner's concern."""

from __future__ import annotations

import asyncio

import pytest

from goop2.scripting.invocation import Caller
from goop2.services.http_client.concurrency import Slots
from goop2.services.http_client.errors import OutboundError

A, B, OWNER = Caller("a"), Caller("b"), Caller("me", owner=True)


def starts(slots: Slots, caller: Caller) -> asyncio.Task[None]:
    return asyncio.create_task(slots.take(caller))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_caller_waits_at_its_share_while_another_goes_on() -> None:
    slots = Slots(total=4, share=2, waiting=9)
    await slots.take(A)
    await slots.take(A)
    third = starts(slots, A)
    await asyncio.wait_for(slots.take(B), 1)
    assert not third.done()
    slots.give_back(A)
    await asyncio.wait_for(third, 1)


async def test_all_wait_at_the_total() -> None:
    slots = Slots(total=1, share=1, waiting=9)
    await slots.take(A)
    other = starts(slots, B)
    await settle()
    assert not other.done()
    slots.give_back(A)
    await asyncio.wait_for(other, 1)


async def test_the_owner_takes_no_place() -> None:
    slots = Slots(total=1, share=1, waiting=9)
    await slots.take(A)
    await asyncio.wait_for(slots.take(OWNER), 1)
    slots.give_back(OWNER)
    assert slots.held == 1


async def test_who_gives_up_waiting_leaves_the_line() -> None:
    slots = Slots(total=1, share=1, waiting=9)
    await slots.take(A)
    impatient, patient = starts(slots, B), starts(slots, B)
    await settle()
    impatient.cancel()
    await settle()
    slots.give_back(A)
    await asyncio.wait_for(patient, 1)
    slots.give_back(B)
    assert slots.held == 0


async def test_a_place_that_comes_as_its_waiter_gives_up_is_not_lost() -> None:
    slots = Slots(total=1, share=1, waiting=9)
    await slots.take(A)
    waiter = starts(slots, B)
    await settle()
    slots.give_back(A)
    waiter.cancel()
    await settle()
    assert waiter.cancelled()
    assert slots.held == 0


async def test_who_has_no_place_in_the_line_is_told() -> None:
    slots = Slots(total=1, share=1, waiting=1)
    await slots.take(A)
    waiting = starts(slots, A)
    await settle()
    with pytest.raises(OutboundError, match="too many requests are waiting"):
        await slots.take(A)
    waiting.cancel()


async def test_a_failing_block_gives_its_place_back() -> None:
    slots = Slots(total=1, share=1, waiting=1)
    with pytest.raises(ZeroDivisionError):
        async with slots.place(A):
            raise ZeroDivisionError
    assert slots.held == 0


async def test_visitors_of_one_address_share_its_places_whatever_ids_they_take() -> None:
    slots = Slots(total=4, share=1, waiting=9)
    await slots.take(Caller("visitor-1", address="192.0.2.7"))
    another = starts(slots, Caller("visitor-2", address="192.0.2.7"))
    await asyncio.wait_for(slots.take(B), 1)
    assert not another.done()
    slots.give_back(Caller("visitor-1", address="192.0.2.7"))
    await asyncio.wait_for(another, 1)
