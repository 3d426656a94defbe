"""The templates that show the SDK's helpers, by their owner and by visitors: every button, by mouse and keyboard, and safe from strangers.

One demo serves all of them. Each test ends with what its page looks like, wide and on a phone, by day and by night.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, Page, expect
from tests.folder.templates.sites import SCRIPT_MAX_BYTES, SHIFT_MAX, Seen, address, looking, site_of
from tests.web.axe import complaints
from tests.web.screenshots import picture
from tests.web.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOOKS = ((1280, False, "wide"), (390, True, "phone"))
"""Width, whether it is night, and the picture's name."""
SOON = "() => document.dispatchEvent(new Event('visibilitychange'))"
"""A board asks how it stands when it is looked at again, and need not be waited for."""
PAINTED = """([colour, width]) => {
  const canvas = Object.assign(document.createElement("canvas"), { width, height: 600 });
  const drawing = canvas.getContext("2d");
  const shade = drawing.createLinearGradient(0, 0, 0, 600);
  shade.addColorStop(0, colour);
  shade.addColorStop(1, "#fda");
  drawing.fillStyle = shade;
  drawing.fillRect(0, 0, width, 600);
  return canvas.toDataURL("image/png").split(",")[1];
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with site_of(tmp_path_factory.mktemp("demo"), "demo") as one:
        yield one


async def looks_well(seen: Seen, name: str) -> None:
    """The page is still, light, clear to all, and fits, whatever the window and the time of day."""
    page = seen.page
    assert await page.evaluate("window.shifted") <= SHIFT_MAX
    assert await seen.script_bytes() < SCRIPT_MAX_BYTES
    await page.mouse.move(1, 1)
    for width, dark, kept in LOOKS:
        await page.set_viewport_size({"width": width, "height": 800})
        await page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
        await picture(page, f"{name}-{kept}")
        assert await complaints(page) == [], (width, dark)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.set_viewport_size({"width": 1280, "height": 800})


async def asked(up: Served, function: str, action: str, visitor: str = "", **params: object) -> object:
    """What a script gives for an action, or the refusal."""
    answer = await up.call(function, {"action": action, **params}, host=up.visitor(visitor) if visitor else "")
    return answer.json if answer.status == 200 else answer.json["message"]


async def test_todo_is_kept_by_its_owner_and_read_by_all(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "todo")) as seen:
        page = seen.page
        await expect(page.get_by_text("Nothing to do.")).to_be_visible()
        for title in ("Fix the gate", "Buy paint for the shed", "Ask Bob about the <boat>"):
            await page.get_by_label("What is there to do?").fill(title)
            await page.keyboard.press("Enter")
            await expect(page.locator("#items li").first).to_contain_text(title)
        await page.get_by_role("checkbox", name="Fix the gate").focus()
        await page.keyboard.press("Space")
        await expect(page.locator("#left")).to_have_text("2 of 3 left")
        await expect(page.get_by_role("checkbox", name="Fix the gate")).to_be_focused()
        await page.get_by_role("button", name="Edit: Buy").click()
        await page.get_by_role("dialog").get_by_role("textbox").fill("Buy green paint")
        await page.keyboard.press("Enter")
        await expect(page.locator("#items li").nth(1)).to_contain_text("Buy green paint")
        await looks_well(seen, "todo")
        await page.get_by_role("button", name="Done", exact=True).click()
        await expect(page.locator("#items li")).to_have_count(1)
        async with looking(browser, address(up, "todo", "ann")) as visitor:
            await expect(visitor.page.locator("#items li")).to_have_count(3)
            await expect(visitor.page.get_by_role("checkbox", name="Fix the gate")).to_be_disabled()
            await expect(visitor.page.get_by_role("button", name="Remove")).to_have_count(0)
            await expect(visitor.page.get_by_label("What is there to do?")).to_be_hidden()
        await page.get_by_role("button", name="Clear what is done").click()
        await expect(page.get_by_text("Nothing is done yet.")).to_be_visible()
    assert "only the site owner" in str(await asked(up, "todo", "clear", "ann"))


async def test_a_poll_takes_one_answer_of_each_and_then_shows_what_was_said(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "poll"), refuses=True) as owner:
        page = owner.page
        await page.get_by_role("link", name="Ask").click()
        await page.get_by_label("Question").fill("Where shall we meet on Friday?")
        await page.get_by_label("Answers, each").fill("At the harbour")
        await page.get_by_role("button", name="Ask").click()
        await expect(page.get_by_text("give two to 10 answers")).to_be_visible()
        await page.get_by_label("Answers, each").fill("At the harbour\nIn the park\nAt <Ann’s> place")
        await page.get_by_role("button", name="Ask").click()
        await expect(page.get_by_role("radio")).to_have_count(3)
    number = page.url.rpartition("#")[2]
    for name, choice in (("cleo", 1), ("dan", 2)):
        assert isinstance(await asked(up, "poll", "answer", name, id=int(number), choice=choice), int)
    async with looking(browser, address(up, "poll", "ann")) as seen:
        page = seen.page
        await expect(page.get_by_text("2 answers")).to_be_visible()
        await page.get_by_role("link", name="Where shall").click()
        await expect(page.get_by_text("What was said")).to_be_hidden()
        await page.get_by_label("In the park").focus()
        await page.keyboard.press("Space")
        await page.keyboard.press("Enter")
        await expect(page.locator("#bars dt.mine")).to_contain_text("In the park (your answer)2 · 67 %")
        await page.get_by_label("At the harbour").check()
        await page.get_by_role("button", name="Update").click()
        await expect(page.locator("#bars dt.mine")).to_contain_text("At the harbour")
        await expect(page.locator("#total")).to_have_text("3 answers")
        await looks_well(seen, "poll")
    for body in ({"ballot": f"{number}:eve", "poll": int(number), "choice": 1}, {"ballot": "x", "poll": 1, "choice": 1}):
        insert = json.dumps({"table": "poll_answers", "data": body}).encode()
        assert (await up.ask("/api/data/insert", host=up.visitor("ann"), method="POST", body=insert)).status >= 400
    async with looking(browser, f"{address(up, 'poll')}#{number}") as owner:
        await owner.page.get_by_role("button", name="Close", exact=True).click()
        await expect(owner.page.get_by_text("This poll is closed.")).to_be_visible()
        assert "closed" in str(await asked(up, "poll", "answer", "bob", id=int(number), choice=1))
        await owner.page.get_by_role("button", name="Remove").click()
        await owner.page.get_by_role("button", name="OK").click()
        await expect(owner.page.get_by_text("Nothing is asked yet.")).to_be_visible()


async def test_in_a_room_a_visitor_without_a_peer_talks_with_the_owner(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "rooms")) as owner:
        await owner.page.get_by_label("Name").fill("Lounge")
        await owner.page.get_by_label("What it is about").fill("For whoever comes by")
        await owner.page.keyboard.press("Enter")
        await expect(owner.page.get_by_role("heading", name="Lounge")).to_be_visible()
        await expect(owner.page.locator("#members")).to_have_text("You")
        async with looking(browser, address(up, "rooms", "ann"), refuses=True) as seen:
            page = seen.page
            await expect(page.get_by_text("For whoever comes by · 1 here")).to_be_visible()
            await page.get_by_role("link", name="Enter Lounge").click()
            for text in ("Is somebody <here>?", "The kettle is on."):
                await page.get_by_label("Message").fill(text)
                await page.keyboard.press("Enter")
                await expect(owner.page.locator("#log .said").last).to_have_text(text)
            await owner.page.get_by_label("Message").fill("Five minutes.")
            await owner.page.get_by_role("button", name="Send").click()
            await expect(page.locator("#log .said")).to_have_count(3)
            await expect(page.locator("#log .mine")).to_have_count(2)
            await expect(owner.page.locator("#log .who").first).to_contain_text("ann ·")
            await looks_well(seen, "rooms")
            await expect(page.get_by_role("button", name="Close")).to_have_count(0)
            await owner.page.get_by_role("link", name="Leave").click()
            await owner.page.get_by_role("button", name="Close Lounge").click()
            await owner.page.get_by_role("button", name="OK").click()
            await expect(owner.page.get_by_text("There is no room yet.")).to_be_visible()
            await expect(page.get_by_text("that room is closed")).to_be_visible()
    foreign = up.peer.grouping.groups.host("Private", "chat")
    assert foreign.id not in json.dumps(await asked(up, "rooms", "list", "ann"))


async def test_cards_move_by_mouse_keyboard_and_dialog_and_everybody_sees_it(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "kanban")) as seen:
        page = seen.page
        for lane, title in (("todo", "Paint the shed"), ("todo", "Invite the <neighbours>"), ("doing", "Repair the gate")):
            await page.locator(f"[data-lane={lane}]").get_by_role("button", name="Add a card").click()
            await page.get_by_label("Title").fill(title)
            await page.get_by_role("button", name="Save").click()
            await expect(page.locator(f"#{lane} li").last).to_contain_text(title)
        async with looking(browser, address(up, "kanban", "ann")) as visitor:
            await expect(visitor.page.locator("#todo h3")).to_have_text(["Paint the shed", "Invite the <neighbours>"])
            await expect(visitor.page.get_by_role("button")).to_have_count(0)
            await page.get_by_role("heading", name="Invite").hover()
            await page.mouse.down()
            box = await page.locator("#doing li").bounding_box()
            assert box is not None
            await page.mouse.move(box["x"] + 30, box["y"] + 3, steps=4)
            await page.mouse.up()
            await expect(visitor.page.locator("#doing h3")).to_have_text(["Invite the <neighbours>", "Repair the gate"])
            await page.locator("#todo li").focus()
            for key in ("Space", "ArrowRight", "ArrowRight", "Space"):
                await page.keyboard.press(key)
            await expect(page.locator("#done li")).to_be_focused()
            await page.get_by_label("Visitors may add and move cards").check()
            await expect(page.locator("#open")).to_be_checked()
            await visitor.page.evaluate(SOON)
            await expect(visitor.page.locator("#done h3")).to_have_text(["Paint the shed"])
            await visitor.page.locator("[data-lane=todo]").get_by_role("button", name="Add a card").click()
            await visitor.page.get_by_label("Title").fill("Bring a cake")
            await visitor.page.keyboard.press("Enter")
            await visitor.page.get_by_role("button", name="Move: Repair").click()
            await expect(visitor.page.get_by_label("Title")).to_be_hidden()
            await visitor.page.get_by_label("Lane").select_option("Done")
            await visitor.page.get_by_role("button", name="Save").click()
            await expect(visitor.page.locator("#done h3")).to_have_text(["Paint the shed", "Repair the gate"])
            await page.evaluate(SOON)
            await expect(page.locator("#done h3")).to_have_text(["Paint the shed", "Repair the gate"])
            await expect(page.locator("#todo h3")).to_have_text(["Bring a cake"])
        await looks_well(seen, "kanban")
        await page.get_by_label("Visitors may add and move cards").uncheck()
        await page.get_by_role("button", name="Edit: Bring").click()
        await page.get_by_role("button", name="Remove").click()
        await expect(page.locator("#todo li")).to_have_count(0)
    refused = await up.ask(
        "/api/data/insert", host=up.visitor("ann"), method="POST", body=b'{"table": "board", "data": {"key": "open", "value": "1"}}'
    )
    assert refused.status == 403


async def add_photo(page: Page, colour: str, width: int, caption: str, count: int) -> None:
    painted = base64.b64decode(await page.evaluate(PAINTED, [colour, width]))
    await page.locator("#files").set_input_files([FilePayload(name="p.png", mimeType="image/png", buffer=painted)])
    await page.get_by_role("dialog").get_by_role("textbox").fill(caption)
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#photos li")).to_have_count(count)


async def test_photos_are_made_smaller_uploaded_and_looked_at_large(browser: Browser, up: Served) -> None:
    async with looking(browser, address(up, "photos")) as owner:
        page = owner.page
        await add_photo(page, "teal", 3000, "Low tide <with the dog>", 1)
        await add_photo(page, "#a63", 900, "The old harbour", 2)
        await page.locator("#files").set_input_files([FilePayload(name="no.png", mimeType="image/png", buffer=b"no picture")])
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.get_by_text("no.png is no picture that this browser knows.")).to_be_visible()
        await page.get_by_role("button", name="Caption: The old").click()
        await page.get_by_role("dialog").get_by_role("textbox").fill("The harbour")
        await page.keyboard.press("Enter")
        await expect(page.locator("#photos p").first).to_have_text("The harbour")
        async with looking(browser, address(up, "photos", "ann")) as seen:
            assert await seen.page.evaluate("document.querySelectorAll('#photos img')[1].naturalWidth") == 2000
            await expect(seen.page.get_by_role("button")).to_have_count(0)
            await looks_well(seen, "photos")
            await seen.page.locator(".photo").first.focus()
            await seen.page.keyboard.press("Enter")
            await expect(seen.page.get_by_role("dialog").locator("figcaption")).to_have_text("The harbour")
            await seen.page.keyboard.press("ArrowRight")
            await expect(seen.page.get_by_role("dialog").locator("figcaption")).to_have_text("Low tide <with the dog>")
            assert await complaints(seen.page) == []
            await seen.page.keyboard.press("Escape")
            await expect(seen.page.locator(".photo").first).to_be_focused()
        await page.get_by_role("button", name="Remove: The harbour").click()
        await page.get_by_role("button", name="OK").click()
        await expect(page.locator("#photos li")).to_have_count(1)
    assert len(list((up.folder / "site/images").iterdir())) == 1
    assert (await up.ask("/api/site/upload?path=images/x.jpg", host=up.visitor("ann"), method="POST", body=b"x")).status == 403
