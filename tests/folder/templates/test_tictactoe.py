"""Tic-tac-toe: two visitors, one board, and rules no page can bend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.folder.templates.sites import address, all_at_once, looking, site_of
from tests.web.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["tictactoe", "demo"])
async def up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with site_of(tmp_path_factory.mktemp("tictactoe"), request.param) as one:
        yield one


async def call(up: Served, name: str, who: str, **params: object) -> dict[str, Any]:
    """A function called by a test visitor."""
    answered = await up.call(name, params, host=up.visitor(who))
    assert answered.status == 200, answered.body
    result: dict[str, Any] = answered.json
    return result


async def begun(up: Served, x: str, o: str) -> int:
    """The id of a game between two."""
    game_id: int = (await call(up, "new-game", x))["game_id"]
    assert await call(up, "join-game", o, game_id=game_id) == {"game_id": game_id}
    return game_id


def cell(page: Page, position: int) -> str:
    return f"#board button >> nth={position}"


async def test_the_lobby_says_that_the_peer_is_away_until_it_is_back(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "tictactoe", "ann"), refuses=True) as seen:
        await expect(seen.page.get_by_role("heading", name="Games")).to_be_visible()
        await seen.page.context.set_offline(True)
        await expect(seen.page.get_by_text("The peer cannot be reached; trying again…")).to_be_visible()
        await seen.page.context.set_offline(False)
        await expect(seen.page.get_by_text("The peer cannot be reached")).to_have_count(0)


@pytest.mark.parametrize("place", ["1e999", "%"])
async def test_an_address_that_names_no_game_is_the_lobby(browser: Browser, up: Served, place: str) -> None:
    await begun(up, "oldx", "oldo")
    async with looking(browser, f"{address(up, 'tictactoe', 'eve')}#{place}") as seen:
        await expect(seen.page.get_by_role("heading", name="Games")).to_be_visible()
        await expect(seen.page.locator("#game")).to_be_hidden()


async def test_two_visitors_play_to_the_end_and_a_third_watches(browser: Browser, up: Served) -> None:
    ann, bob, eve = (address(up, "tictactoe", name) for name in ("ann", "bob", "eve"))
    async with looking(browser, ann) as one, looking(browser, bob) as two, looking(browser, eve) as three:
        a, b, watcher = one.page, two.page, three.page
        await a.get_by_role("button", name="New game").click()
        await expect(a.locator("#status")).to_have_text("Waiting for somebody to join…")
        await b.get_by_role("button", name="Join: visitor-ann").click()
        await expect(b.locator("#status")).to_have_text("visitor-ann’s turn")
        await watcher.get_by_role("button", name="Watch: visitor-ann against visitor-bob").click()

        await expect(b.locator(cell(b, 0))).to_be_disabled()  # not b's turn
        for mover, other, position in ((a, b, 0), (b, a, 4), (a, b, 1), (b, a, 8)):
            await expect(mover.locator("#status")).to_have_text("Your turn")
            await mover.locator(cell(mover, position)).click()
            await expect(other.locator("#status")).to_have_text("Your turn")
        await expect(watcher.locator(cell(watcher, 4))).to_have_attribute("aria-label", "Row 2, column 2: O")
        await expect(watcher.locator(cell(watcher, 2))).to_be_disabled()
        await a.locator(cell(a, 2)).click()
        await expect(a.locator("#status")).to_have_text("You won!")
        await expect(b.locator("#status")).to_have_text("You lost")
        await expect(watcher.locator("#status")).to_have_text("visitor-ann won")
        await expect(a.get_by_role("button", name="New game")).to_be_visible()


async def test_a_page_that_asks_out_of_turn_is_refused(browser: Browser, up: Served) -> None:
    game_id = await begun(up, "carl", "dora")
    async with looking(browser, f"{address(up, 'tictactoe', 'dora')}#{game_id}") as seen:
        await expect(seen.page.locator("#status")).to_have_text("visitor-carl’s turn")
        refused = await seen.page.evaluate(f"() => Goop.data.call('move', {{ game_id: {game_id}, position: 4 }})")
        assert refused == {"error": "not your turn"}
        await expect(seen.page.locator(cell(seen.page, 4))).to_have_attribute("aria-label", "Row 2, column 2: free")


async def test_every_move_the_rules_forbid_is_refused(up: Served) -> None:
    waiting = (await call(up, "new-game", "fay"))["game_id"]
    assert await call(up, "move", "fay", game_id=waiting, position=0) == {"error": "nobody has joined yet"}
    assert await call(up, "join-game", "fay", game_id=waiting) == {"error": "this game is yours: somebody else joins it"}

    game_id = await begun(up, "gus", "hal")
    assert await call(up, "move", "gus", game_id=game_id, position=4) == {"board": "----X----", "turn": "visitor-hal", "status": "playing"}
    for who, position, why in (
        ("gus", 0, "not your turn"),
        ("hal", 4, "cell occupied"),
        ("eve", 0, "you watch this game, others play it"),
    ):
        assert await call(up, "move", who, game_id=game_id, position=position) == {"error": why}
    assert await call(up, "join-game", "eve", game_id=game_id) == {"error": "somebody was faster: this game has two players"}
    assert await call(up, "move", "hal", game_id=999, position=0) == {"error": "game not found"}
    assert (await call(up, "games", "eve", game_id=game_id))["games"][0]["board"] == "----X----"


async def test_a_game_that_is_over_takes_no_move(up: Served) -> None:
    game_id = await begun(up, "ida", "jan")
    for who, position in (("ida", 0), ("jan", 3), ("ida", 1), ("jan", 4), ("ida", 2)):
        last = await call(up, "move", who, game_id=game_id, position=position)
    assert last == {"board": "XXXOO----", "turn": "", "status": "won"}
    for who in ("ida", "jan"):
        assert await call(up, "move", who, game_id=game_id, position=5) == {"error": "this game is over"}


async def test_a_full_board_without_a_line_is_a_draw(up: Served) -> None:
    game_id = await begun(up, "kim", "leo")
    for turn, position in enumerate((0, 1, 2, 4, 3, 5, 7, 6, 8)):
        last = await call(up, "move", ("kim", "leo")[turn % 2], game_id=game_id, position=position)
    assert last["status"] == "draw"


@pytest.mark.parametrize("position", [-1, 9, 0.5, "x", None])
async def test_a_position_that_is_no_cell_is_an_error(up: Served, position: object) -> None:
    answered = await up.call("move", {"game_id": 1, "position": position}, host=up.visitor("mia"))
    assert (answered.status, answered.json["script"]) == (500, "move")


async def test_of_moves_made_at_once_one_counts(up: Served) -> None:
    game_id = await begun(up, "ned", "ola")
    async with all_at_once(up):
        moves = [asyncio.create_task(call(up, "move", "ned", game_id=game_id, position=position)) for position in range(9)]
    assert sorted(answer.get("error", "made") for answer in await asyncio.gather(*moves)) == ["made"] + ["not your turn"] * 8
    board = (await call(up, "games", "ola", game_id=game_id))["games"][0]["board"]
    assert (board.count("X"), board.count("-")) == (1, 8)


async def test_of_those_who_join_at_once_one_plays(up: Served) -> None:
    game_id = (await call(up, "new-game", "pia"))["game_id"]
    async with all_at_once(up):
        joining = [asyncio.create_task(call(up, "join-game", f"q{number}", game_id=game_id)) for number in range(6)]
    assert sorted("error" in answer for answer in await asyncio.gather(*joining)) == [False] + [True] * 5


async def test_whoever_waits_opens_no_second_game(up: Served) -> None:
    first = await call(up, "new-game", "rob")
    assert await call(up, "new-game", "rob") == first


async def test_a_game_nobody_came_back_to_is_gone_with_the_next_one(up: Served) -> None:
    game_id = await begun(up, "sam", "tom")
    up.peer.database.rows("UPDATE games SET _updated_at = datetime('now', '-25 hours') WHERE _id = ?", (game_id,))
    await call(up, "new-game", "una")
    assert await call(up, "games", "sam", game_id=game_id) == {"games": []}
