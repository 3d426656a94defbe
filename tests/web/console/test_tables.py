"""The console's Data page: tables made and changed, rows found, files imported, SQL run; beside what others write, and late answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, Page, expect
from tests.web.axe import complaints
from tests.web.browser import PATIENCE_MS, launched
from tests.web.console.test_app import POSTS, console_page
from tests.web.late import late
from tests.web.served import Served, served

from goop2.scripting.engine import Success

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = 160


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def up(tmp_path: Path) -> AsyncIterator[Served]:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/posts.json").write_text(json.dumps(POSTS))
    async with served(tmp_path, functions={}) as one:
        for number in range(ROWS):
            row = {"title": f"Post {number}", "state": "old" if number % 2 else "new", "likes": number}
            await one.peer.tables.perform("insert", one.peer.owner, {"table": "posts", "data": row})
        yield one


async def asked(up: Served, operation: str, **request: object) -> object:
    answer = await up.peer.tables.perform(operation, up.peer.owner, request)
    assert isinstance(answer, Success), answer
    return json.loads(answer.json)


async def tables(up: Served) -> dict[str, dict[str, str]]:
    """Return the policies of every table."""
    return {each.name: each.policies for each in await up.peer.desk.tables()}


async def clean(page: Page) -> None:
    """Nothing is in the way of somebody who sees badly, and nothing is wider than the window."""
    await page.evaluate("Promise.allSettled(document.getAnimations().map((one) => one.finished))")  # a toast that appears is pale
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


async def test_a_table_is_made_changed_and_dropped(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "data?table=posts")
    await page.get_by_role("button", name="New table").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name of the table").fill("games")
    await dialog.get_by_label("Column").fill("code")
    await dialog.get_by_label("must be there").check()
    await dialog.get_by_role("button", name="Another column").click()
    await dialog.get_by_label("Column").nth(1).fill("state")
    await dialog.get_by_label("Type").nth(1).select_option("enum")
    await dialog.get_by_label("Its values, with commas between").nth(1).fill("new, over")
    await dialog.get_by_label("read").select_option("you alone may read")
    await clean(page)
    await dialog.get_by_role("button", name="Make it").click()
    await expect(page.get_by_role("heading", name="games")).to_be_visible()
    assert (await tables(up))["games"] == {"read": "local", "insert": "owner", "update": "owner", "delete": "owner"}

    await page.get_by_role("tab", name="Columns and policies").click()
    await page.get_by_role("button", name="Add a column").click()
    await dialog.get_by_label("Column").fill("points")
    await dialog.get_by_label("Type").select_option("integer")
    await dialog.get_by_label("Default").fill("3")
    await dialog.get_by_role("button", name="Add it").click()
    await page.get_by_role("button", name="Rename column points").click()
    await dialog.get_by_label("New name").fill("score")
    await dialog.get_by_role("button", name="Rename it").click()
    await expect(page.get_by_role("button", name="Rename column score")).to_be_visible()
    await page.get_by_label("insert", exact=True).select_option("anyone may add rows")
    await page.get_by_role("button", name="Save who may do what").click()
    await expect(page.get_by_text("You alone may read; anyone may add rows")).to_be_visible()
    await clean(page)
    await page.get_by_role("button", name="Drop column score").click()
    await dialog.get_by_label("Type score to go on").fill("scores")
    await dialog.get_by_role("button", name="Drop it").click()
    await expect(dialog.get_by_role("alert")).to_have_text('type "score" to go on; nothing was dropped')
    await dialog.get_by_label("Type score to go on").fill("score")
    await dialog.get_by_role("button", name="Drop it").click()
    await expect(page.get_by_role("button", name="Drop column score")).to_have_count(0)
    await page.get_by_role("button", name="Rename the table").click()
    await dialog.get_by_label("New name").fill("plays")
    await dialog.get_by_role("button", name="Rename it").click()
    await expect(page.get_by_role("heading", name="plays")).to_be_visible()
    await page.get_by_role("button", name="Drop the table").click()
    await dialog.get_by_label("Type plays to go on").fill("plays")
    await dialog.get_by_role("button", name="Drop it").click()
    await expect(page.get_by_role("heading", name="posts")).to_be_visible()
    assert list(await tables(up)) == ["posts"]


async def test_a_change_that_cannot_be_done_is_a_sentence_beside_what_was_typed(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "data?table=posts&view=structure")
    await page.get_by_role("button", name="Add a column").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Column").fill("Title")
    await dialog.get_by_role("button", name="Add it").click()
    await expect(dialog.get_by_role("alert")).to_have_text("posts has a column title already; names differ in more than capitals")
    await expect(dialog.get_by_label("Column")).to_have_value("Title")


async def test_rows_are_filtered_counted_and_turned_to(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "data?table=posts")
    await expect(page.get_by_text("1 to 50 of 160")).to_be_visible()
    await page.get_by_label("Page", exact=True).fill("4")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("151 to 160 of 160")).to_be_visible()
    await expect(page.get_by_role("button", name="title of row 160: change")).to_have_text("Post 159")
    await page.get_by_text("Filter and count").click()
    await page.get_by_label("Commonest values").select_option("state")
    await page.get_by_role("button", name="old 80").click()
    await expect(page.get_by_text("1 to 50 of 80")).to_be_visible()
    await page.get_by_label("Column").select_option("likes")
    await page.get_by_label("Filter", exact=True).select_option("less than")
    await page.get_by_label("Value", exact=True).fill("4")
    await page.get_by_role("button", name="Filter rows").click()
    await expect(page.get_by_text("1 to 2 of 2")).to_be_visible()
    await clean(page)
    await page.get_by_role("button", name="No longer: state is old").click()
    await expect(page.get_by_text("1 to 4 of 4")).to_be_visible()


async def test_rows_that_others_write_appear_while_somebody_looks(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "data?table=posts")
    await expect(page.get_by_text("1 to 50 of 160")).to_be_visible()
    await page.get_by_role("button", name="title of row 2: change").focus()
    await page.wait_for_timeout(1200)  # until the page has looked once
    await asked(up, "update", table="posts", id=1, data={"title": "Changed elsewhere"})
    await expect(page.get_by_role("button", name="title of row 1: change")).to_have_text("Changed elsewhere")
    await expect(page.get_by_role("button", name="title of row 2: change")).to_be_focused()


async def test_a_late_page_of_rows_does_not_stand_under_a_later_filter(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "data?table=posts")
    await expect(page.get_by_text("1 to 50 of 160")).to_be_visible()
    await page.get_by_label("Live").uncheck()
    await page.get_by_text("Filter and count").click()
    async with late(page, "**/data/rows") as answer:
        await page.get_by_role("button", name="Next", exact=True).click()
        await answer.asked()
        await page.get_by_label("Column").select_option("likes")
        await page.get_by_label("Value", exact=True).fill("7")
        await page.get_by_role("button", name="Filter rows").click()
        await expect(page.get_by_text("1 to 1 of 1")).to_be_visible()
        await answer.comes()
    await expect(page.get_by_role("button", name="title of row 8: change")).to_be_visible()
    await expect(page.locator(".grid tbody tr")).to_have_count(1)


async def test_a_late_answer_of_sql_does_not_take_the_place_of_a_newer_one(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "data?table=posts&view=sql")
    box = page.get_by_label("SQL, one statement")
    async with late(page, "**/data/sql") as answer:
        await box.fill("SELECT 'first' AS which")
        await box.press("Control+Enter")
        await answer.asked()
        await box.fill("SELECT 'second' AS which")
        await box.press("Control+Enter")
        await expect(page.get_by_role("cell", name="second")).to_be_visible()
        await answer.comes()
    await expect(page.get_by_role("cell", name="second")).to_be_visible()
    await expect(box).to_have_value("SELECT 'second' AS which")


async def test_sql_reads_explains_is_kept_and_writes_only_where_that_is_switched_on(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "data?table=posts&view=sql")
    box = page.get_by_label("SQL, one statement")
    await box.fill("SELECT count(*) AS many FROM posts WHERE state = 'old'")
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.get_by_role("cell", name="80", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Explain").click()
    await expect(page.get_by_text("reads every row")).to_be_visible()
    await clean(page)
    await page.get_by_role("button", name="Save query").click()
    await page.get_by_label("Its name").fill("Old posts")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_label("Saved queries")).to_have_value("Old posts")
    await box.fill("DELETE FROM posts WHERE state = 'old'")
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.get_by_text("SQL here may not write to the table posts")).to_be_visible()
    await page.get_by_label("Let it change rows").check()
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.get_by_text("80 rows changed")).to_be_visible()
    await page.get_by_label("Saved queries").select_option("")
    await page.get_by_label("Saved queries").select_option("Old posts")
    await expect(box).to_have_value("SELECT count(*) AS many FROM posts WHERE state = 'old'")


CSV = b"First name,Age,Joined\nAnn,30,2026-01-01\nBob,31,2026-01-02\nCyd,many,2026-01-03\n"


async def test_a_file_is_shown_corrected_and_imported_into_a_new_table(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "data?table=posts")
    await page.get_by_role("button", name="Import a file").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Into").select_option("A new table")
    await dialog.get_by_label("File, CSV or JSON").set_input_files(FilePayload(name="people.csv", mimeType="text/csv", buffer=CSV))
    await expect(dialog.get_by_label("Name of First name")).to_have_value("First_name")
    await expect(dialog.get_by_label("Type of Joined")).to_have_value("date")
    await dialog.get_by_label("Type of Age").select_option("integer")
    await expect(dialog.get_by_text('line 4: Age takes a whole number, not "many"')).to_be_visible()
    await clean(page)
    await dialog.get_by_role("button", name="Import").click()
    await expect(dialog.get_by_role("alert")).to_have_text("1 of 3 rows are wrong, so none was added")
    assert "people" not in await tables(up)
    await dialog.get_by_label("Pass over wrong rows").check()
    await dialog.get_by_role("button", name="Import").click()
    await expect(page.get_by_role("heading", name="people")).to_be_visible()
    await expect(page.get_by_role("button", name="First_name of row 2: change")).to_have_text("Bob")
    assert (await tables(up))["people"]["read"] == "local"
    assert list((up.folder / "data").glob("import-*")) == []


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["rows", "structure", "sql"])
async def test_each_view_is_clear_and_fits(browser: Browser, up: Served, view: str, scheme: str, width: int) -> None:
    await up.peer.desk.write_sql("UPDATE posts SET title = title || ' ' || hex(randomblob(400)) WHERE _id < 4")
    for number in range(9):  # so that the list has its filter
        await up.peer.desk.design("create", {"table": f"table_{number}", "columns": [{"name": "a", "type": "text"}]})
    context = await browser.new_context(color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    await page.goto(f"{up.web.console.replace('#', f'#/data?table=posts&view={view}&')}")
    await page.evaluate("(view) => { location.hash = `#/data?table=posts&view=${view}`; }", view)
    await expect(page.get_by_role("tab", selected=True)).to_be_visible()
    await expect(page.get_by_role("heading", name="posts")).to_be_visible()
    await page.get_by_label("Filter tables").fill("table_3")
    await expect(page.get_by_role("link", name="table_4")).to_have_count(0)
    await clean(page)
    await page.get_by_role("tab", selected=True).focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("tab", selected=True)).to_be_focused()
    await context.close()


async def test_a_table_of_no_registry_is_shown_and_can_be_dropped(browser: Browser, up: Served) -> None:
    up.peer.database.rows("CREATE TABLE loose (x)")
    up.peer.database.rows("INSERT INTO loose VALUES ('a'), (NULL)")
    page = await console_page(browser, up, "data?table=loose")
    await expect(page.get_by_text("In no registry: another program made it, so it is yours alone.")).to_be_visible()
    await expect(page.get_by_text("1 to 2 of 2")).to_be_visible()
    await expect(page.get_by_role("button", name="Add a row")).to_have_count(0)
    async with page.expect_download():
        await page.get_by_role("button", name="CSV").click()


async def test_a_refused_row_points_at_its_column_in_sight(browser: Browser, up: Served) -> None:
    columns = [{"name": f"column_{number}", "type": "text", "required": number == 19} for number in range(20)]
    await up.peer.desk.design("create", {"table": "wide", "columns": columns})
    page = await console_page(browser, up, "data?table=wide")
    await page.get_by_role("button", name="Add a row").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("NULL")).to_have_count(19)
    await dialog.get_by_role("button", name="Add", exact=True).click()
    await expect(dialog.get_by_role("alert")).to_have_text("wide.column_19 is required")
    await expect(dialog.get_by_role("alert")).to_be_in_viewport(ratio=1)
    await expect(dialog.get_by_label("column_19, text")).to_be_focused()


async def test_shared_code_is_written_beside_the_scripts_that_use_it(browser: Browser, up: Served) -> None:
    page = await console_page(browser, up, "scripts")
    await page.get_by_role("button", name="New shared code").click()
    await page.get_by_label("Name").fill("text")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("heading", name="lib/text")).to_be_visible()
    await expect(page.get_by_role("region", name="Try it")).to_have_count(0)
    assert (up.folder / "site/lua/lib/text.lua").read_text().startswith("--- What several scripts share")
    await expect(page.get_by_role("link", name="lib/text")).to_be_visible()
