"""Places of a pool: so many at a time, in turn, and none is lost. Kept streams are in test_kept.py."""

from __future__ import annotations

import asyncio

import pytest

from goop2.net.stream_pool import Places

HOUR_SECONDS = 3600.0


def later() -> float:
    return asyncio.get_running_loop().time() + HOUR_SECONDS


async def test_who_finds_no_place_has_the_next_in_turn() -> None:
    places, order = Places(2), []

    async def work(name: str) -> None:
        await places.take(later())
        order.append(name)
        await asyncio.sleep(0)
        places.give_back()

    await asyncio.gather(*(work(name) for name in "abcde"))
    assert "".join(order) == "abcde"
    assert places._free == 2


async def test_who_waits_for_too_long_is_told_and_takes_nothing() -> None:
    places = Places(1)
    await places.take(later())
    with pytest.raises(TimeoutError):
        await places.take(asyncio.get_running_loop().time() + 0.01)
    places.give_back()
    await asyncio.wait_for(places.take(later()), 1)


@pytest.mark.parametrize("given_first", [False, True])
async def test_who_is_cancelled_while_it_waits_leaves_its_turn_to_the_next(given_first: bool) -> None:
    """Also in the moment in which the place was its own already."""
    places = Places(1)
    await places.take(later())
    first, second = (asyncio.create_task(places.take(later())) for _ in range(2))
    await asyncio.sleep(0)
    if given_first:
        places.give_back()
        first.cancel()
    else:
        first.cancel()
        places.give_back()
    await asyncio.wait_for(second, 1)
    assert first.cancelled()
    places.give_back()
    assert places._free == 1
