"""The runs page of the console: a run by its address, what is seen of it, run again, opened in the editor, found by filters."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.storage.runs_made import failed, run_of
from tests.web.axe import complaints
from tests.web.browser import launched
from tests.web.console.test_app import console_page
from tests.web.served import Answer, Served, served

from goop2.scripting.invocation import Caller

pytestmark = pytest.mark.asyncio(loop_scope="module")

FUNCTIONS = {
    "score": "local function points(answers)\n  goop.log.warn('counting')\n  return #answers.given\nend\n"
    "function call(request)\n  return {points = points(request.params)}\nend",
    "limited": "--- @rate_limit 1\nfunction call() return 1 end",
}
ANN = Caller("visitor-4f1a2b3c4d5e6f708192")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def up(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, functions=FUNCTIONS, history=True) as one:
        yield one


async def asked(up: Served, path: str, body: object = None) -> Answer:
    """Return the answer of a control."""
    token = up.web.console.partition("token=")[2]
    sent = b"" if body is None else json.dumps(body).encode()
    method = "GET" if body is None else "POST"
    return await up.ask(f"/api/console/{path}", host=up.console, method=method, body=sent, authorization=f"Bearer {token}")


async def found(up: Served, **filters: object) -> list[Any]:
    return [run["id"] for run in (await asked(up, f"runs?{urlencode(filters)}")).json]


async def test_a_run_is_shown_whole(up: Served) -> None:
    await up.peer.engine.call(ANN, "score", b'{"given": [1, 2]}')
    run = (await asked(up, "runs/1")).json
    assert (run["argument"], run["answer"], run["caller_kind"], run["is_current"], run["again"]) == (
        '{"given": [1, 2]}',
        '{"points":2}',
        "visitor",
        True,
        "",
    )
    assert re.fullmatch("[0-9a-f]{32}", run["version"])
    (up.folder / "site/lua/functions/score.lua").write_text("function call() return 1 end")
    await up.peer.catalog.scan()
    assert (await asked(up, "runs/1")).json["is_current"] is False
    for number in ("99", "0", f"{2**63 - 1}", f"{2**63}", "9" * 30, "9" * 5000):
        assert (await asked(up, f"runs/{number}")).status == 404, number[:40]


async def test_a_run_is_repeated_as_the_owner_or_as_who_called(up: Served) -> None:
    await up.peer.engine.call(ANN, "score", b'{"given": [1, 2]}')
    for caller, kind in (("owner", "owner"), ("caller", "visitor")):
        answer = await asked(up, "runs/1/again", {"caller": caller})
        run = (await asked(up, f"runs/{answer.json['run']}")).json
        assert (run["script"], run["argument"], run["caller_kind"]) == ("score", '{"given": [1, 2]}', kind)
    assert run["caller"] == ANN.id
    assert (await asked(up, "runs/1/again", {"caller": "admin"})).status == 400
    assert (await asked(up, "runs/99/again", {"caller": "owner"})).status == 404


async def test_whoever_is_not_the_owner_stays_so_when_a_run_is_repeated(up: Served) -> None:
    await up.peer.engine.call(Caller(up.peer.owner.id), "limited")
    for _ in range(2):
        answer = await asked(up, "runs/1/again", {"caller": "caller"})
    assert answer.json == {"run": None}, "the limit holds"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"argument": b"x" * 2048, "argument_bytes": 5000}, "only the first 2048 bytes of its arguments are kept, of 5000"),
        ({"argument": b"", "argument_bytes": 5}, "its arguments are not kept (runs.keep_arguments)"),
        ({"refused": True, "count": 7, "status": "rate_limited"}, "this stands for several calls"),
    ],
)
async def test_a_run_whose_arguments_are_not_whole_is_not_repeated(up: Served, changes: dict[str, Any], why: str) -> None:
    await up.peer.history.flush()
    up.peer.history._pending.append(run_of(7, script="score", started=time.time(), **changes))
    assert (await asked(up, "runs/7")).json["again"] == why
    answer = await asked(up, "runs/7/again", {"caller": "owner"})
    assert (answer.status, answer.json["message"]) == (400, why)


async def test_runs_are_found_by_filters(up: Served) -> None:
    await up.peer.engine.call(ANN, "score", b'{"given": [1, 2]}')
    await up.peer.engine.call(up.peer.owner, "score", b'{"taken": 1}')
    await up.peer.engine.call(ANN, "nope")
    assert await found(up) == [3, 2, 1]
    assert await found(up, status="failed") == [2]
    assert await found(up, status="refused") == [3]
    assert await found(up, caller=ANN.id, script="score") == [1]
    assert await found(up, text="TAKEN") == [2]
    assert await found(up, level="warn") == [2, 1]
    assert await found(up, level="error") == []
    assert await found(up, since=99_999_999_999) == []
    assert await found(up, after=2) == [3]
    assert await found(up, before=2) == [1]
    assert (await asked(up, "runs?level=loud")).json["message"] == "level is 'loud'; allowed is one of info, warn, error"
    assert (await asked(up, "runs?since=yesterday")).json["message"] == "since is 'yesterday'; allowed is a whole number"
    assert [line["text"] for line in (await asked(up, "lines?level=warn")).json] == ["counting", "counting"]
    assert (await asked(up, "lines?level=error")).json == []


async def test_home_says_what_fails_and_who_was_turned_away(up: Served) -> None:
    await up.peer.engine.call(ANN, "limited")
    for _ in range(32):
        await up.peer.engine.call(ANN, "limited")
    for _ in range(3):
        await up.peer.engine.call(up.peer.owner, "score")
    said = {each["title"]: each for each in (await asked(up, "home")).json["attention"]}
    title = next(each for each in said if each.startswith("score failed"))
    assert re.fullmatch(r"score failed 3 times in the last hour, last at \d\d:\d\d", title)
    assert said[title]["text"] == "line 3: attempt to get length of field 'given' (a nil value)"
    assert said[title]["page"] == "runs?script=score&kind=function&status=failed"
    assert "Visitors were turned away 32 times (1 a minute for limited)" in said


async def test_home_says_that_runs_are_not_kept(up: Served) -> None:
    up.peer.history.problem = "runs are not kept in data/runs.db: the disk is full"
    said = [each["text"] for each in (await asked(up, "home")).json["attention"]]
    assert "runs are not kept in data/runs.db: the disk is full" in said
    up.peer.history.lost = 1234
    said = [each["text"] for each in (await asked(up, "home")).json["attention"]]
    assert "1,234 runs that failed since the start are missing: the disk was too slow for them." in said


async def test_a_failure_leads_to_its_line_and_to_a_run_of_its_own(browser: Browser, up: Served) -> None:
    await up.peer.engine.call(ANN, "score", b'{"taken": 1}')
    page = await console_page(browser, up, "runs/1")
    card = page.locator(".run-card")
    await expect(card).to_contain_text("score, run 1")
    await expect(card.locator(".frames")).to_contain_text("score:3: in function 'points'")
    await expect(card.locator(".kept")).to_contain_text('"taken": 1')
    assert await complaints(page) == []
    await page.get_by_role("link", name="Open the script at line 3").click()
    await expect(page.locator(".cm-activeLine")).to_contain_text("return #answers.given")
    await page.go_back()
    await page.get_by_role("link", name="Open in Try it").click()
    await expect(page.get_by_label("Parameters, as JSON")).to_have_value('{"taken": 1}')
    await expect(page.get_by_label("Id of the peer")).to_have_value(ANN.id)
    await page.go_back()
    await page.get_by_role("button", name="Run again as visitor 708192").click()
    await expect(page.get_by_role("heading", name="score, run 2")).to_be_visible()
    assert page.url.endswith("#/runs/2")


@pytest.mark.parametrize("number", ["99", "x", "9" * 30])
async def test_a_run_that_is_not_there_says_so_with_a_way_on(browser: Browser, up: Served, number: str) -> None:
    page = await console_page(browser, up, f"runs/{number}")
    await expect(page.get_by_role("alert")).to_contain_text(re.compile("is not kept|is no number"))
    await page.get_by_role("link", name="All runs").click()
    await expect(page.get_by_text("No runs match these filters")).to_be_visible()


async def test_the_arrows_go_from_run_to_run(browser: Browser, up: Served) -> None:
    for _ in range(3):
        await up.peer.engine.call(ANN, "score", b'{"given": []}')
    page = await console_page(browser, up, "runs")
    rows = page.locator(".rows .line")
    await expect(rows).to_have_count(3)
    await rows.first.focus()
    tops = []
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"):
        await page.keyboard.press(key)
        tops.append(await page.evaluate("document.activeElement.style.top"))
    assert tops == ["34px", "68px", "68px", "34px"]
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="score, run 2")).to_be_visible()


async def test_a_label_cannot_turn_or_hide_what_stands_behind_it(up: Served) -> None:
    await up.peer.engine.call(Caller("12D3KooWEve", "\u202eowner" + "x" * 500), "score", b"{}")
    for label in ((await asked(up, "runs")).json[0]["caller_label"], (await asked(up, "runs/1")).json["caller_label"]):
        assert label.startswith("\N{REPLACEMENT CHARACTER}owner")
        assert len(label) < 100


async def test_older_runs_come_when_somebody_scrolls_to_them(browser: Browser, up: Served) -> None:
    up.peer.history._pending.extend(failed(number, started=time.time()) for number in range(1, 2501))
    await up.peer.history.flush()
    page = await console_page(browser, up, "runs")
    await expect(page.get_by_text("The last 1,000 runs")).to_be_visible()
    for shown in ("The last 2,000 runs", "2,500 runs"):
        await page.locator(".rows").evaluate("(box) => { box.scrollTop = box.scrollHeight; }")
        await expect(page.get_by_text(shown, exact=True)).to_be_visible()
    assert await page.locator(".rows .line").count() < 60, "only what is in sight is in the page"
    await page.locator(".rows .line").last.focus()
    tops = []
    for key in ("Home", "End", "PageUp"):
        await page.keyboard.press(key)
        tops.append(await page.evaluate("parseFloat(document.activeElement.style.top)"))
    assert tops[:2] == [0, 2499 * 34]
    assert 2400 * 34 < tops[2] < tops[1]
    await page.locator(".rows").evaluate("(box) => { box.scrollTop = 0; }")
    await expect(page.locator(".rows .line").first).to_be_visible()
    assert await page.evaluate("document.activeElement.style.top") == f"{tops[2]:.0f}px"  # the focus stays


async def test_runs_are_found_by_the_names_that_the_list_shows(up: Served) -> None:
    await up.peer.engine.call(ANN, "score", b'{"given": []}')
    await up.peer.engine.call(up.peer.owner, "score", b'{"given": []}')
    await up.peer.engine.command(up.peer.owner, "!score")
    assert [await found(up, caller=name) for name in ("you", "Owner", "visitor 708192", "visitor 708193")] == [[3, 2], [3, 2], [1], []]
    assert [await found(up, script=name) for name in ("score", "!score")] == [[3, 2, 1], [3]]
