"""The SDK as pages of Goop2 call it: tables with forms, settings, forms made on the fly, the router; for owner and visitor."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.web.axe import complaints
from tests.web.browser import launched, opened
from tests.web.sdk_pages import SCRIPTS, STYLES, bare, watched
from tests.web.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOTES = {
    "name": "notes",
    "columns": [
        {"name": "title", "type": "text", "required": True},
        {"name": "likes", "type": "integer"},
        {"name": "kind", "type": "enum", "values": [{"key": "a", "label": "Kind A"}, {"key": "b", "label": "Kind B"}]},
    ],
    "access": {"read": "open", "insert": "open", "update": "owner", "delete": "owner"},
}
PAIRS = {"name": "pairs", "columns": [{"name": "key", "type": "text", "key": True}, {"name": "value", "type": "text"}]}
LOOK = {"name": "look", "columns": [{"name": "colour", "type": "text"}, {"name": "size", "type": "integer"}]}
MINE = {
    "name": "mine",
    "columns": [{"name": "text", "type": "text"}],
    "access": dict.fromkeys(("read", "insert", "update", "delete"), "local"),
}
FUNCTIONS = {"blog": "call = goop.route{ add = function(p) return p.a + p.b end }"}
BOX = '<div id="box" class="hidden"><h2>Box</h2><input aria-label="Text"><button type="button" data-close>Done</button></div>'
BODY = f'{BOX}<div id="out"></div><script src="page.js"></script>'
GO = "(to) => { try { Goop.router.go(to); return ''; } catch (error) { return error.message; } }"
PLAIN = [
    "goop-data.js",
    "goop-identity.js",
    "goop-form.js",
    "goop-forms.js",
    "goop-router.js",
    "goop-ui.js",
    "goop-data.css",
    "goop-forms.css",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("goop2")
    (folder / "schemas").mkdir()
    for schema in (NOTES, PAIRS, LOOK, MINE):
        (folder / f"schemas/{schema['name']}.json").write_text(json.dumps(schema))
    (folder / "site/sub").mkdir(parents=True)
    (folder / "site/page.js").write_text((Path(__file__).parent / "pages/page.js").read_text())
    styles = "<style>.hidden { display: none }</style>"
    (folder / "site/all.html").write_text(bare(*(name for name in SCRIPTS if "engine" not in name), *STYLES, body=BODY + styles))
    (folder / "site/plain.html").write_text(bare(*PLAIN, body=BODY + styles))
    (folder / "site/sub/page.html").write_text(bare("goop-router.js"))
    async with served(folder, functions=FUNCTIONS) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pages(browser: Browser, up: Served) -> AsyncIterator[tuple[Page, Page]]:
    """The owner's page and that of a visitor with a browser."""
    async with AsyncExitStack() as stack:
        owner, visitor = [
            (await stack.enter_async_context(watched(browser, f"http://{host}{up.front}plain.html"))).page
            for host in (up.site, up.visitor("ann"))
        ]
        yield owner, visitor


async def run(page: Page, body: str) -> Any:
    return await page.evaluate(f"async () => {{ {body} }}")


async def test_a_page_knows_who_looks_at_whose(pages: tuple[Page, Page], up: Served, browser: Browser) -> None:
    owner, visitor = pages
    id_ = up.peer.identity.peer_id
    assert await run(owner, "return Goop.peer()") == {"myId": id_, "hostId": id_, "isOwner": True, "isGroup": False, "label": "Fred"}
    seen = await run(visitor, "return Goop.peer()")
    assert (seen["myId"], seen["hostId"], seen["isOwner"]) == ("visitor-ann", id_, False)
    async with watched(browser, f"http://{up.site}/plain.html") as bare_path:
        assert (await run(bare_path.page, "return Goop.peer()"))["hostId"] == ""
    asked = "[['ID'], ['ID', 'Server'], ['12D3KooWabcdef', 'Ann'], ['12D3KooWabcdef'], ['']]"
    names = f"return Promise.all({asked}.map((given) => Goop.identity.resolveName(...given)))"
    assert await run(owner, names.replace("ID", id_)) == ["You", "You", "Ann", "abcdef", "???"]
    assert await run(owner, "return `${Goop.identity.resolveName('12D3KooWabcdef')}`") == "abcdef"


async def test_a_table_says_what_the_viewer_may_do(pages: tuple[Page, Page]) -> None:
    may = "[t.name, t.canInsert, t.canUpdate, t.canDelete, t.system_key, t.access.read, t.columns.length]"
    ask = f"const t = await Goop.data.orm('notes'); return {may}"
    assert [await run(page, ask) for page in pages] == [
        ["notes", True, True, True, True, "open", 3],
        ["notes", True, False, False, True, "open", 3],
    ]
    assert await run(pages[0], "const t = await Goop.data.orm('mine'); return [t.canInsert, t.access.insert]") == [False, "local"]
    check = "const t = await Goop.data.orm('notes'); return [{ title: 'x' }, { likes: 'many', kind: 'z' }].map(t.validate)"
    assert await run(pages[0], check) == [
        {"valid": True, "errors": []},
        {"valid": False, "errors": ["title is required", "likes takes a number", "kind takes one of a, b"]},
    ]


async def test_the_functions_of_a_table_answer_as_the_plain_ones(pages: tuple[Page, Page]) -> None:
    owner, visitor = pages
    assert await owner.evaluate("allFunctions()") == {
        "status": "inserted",
        "ours": "number",
        "rows": [{"title": "two"}, {"title": "one"}],
        "got": ["one", "two", None, None],
        "more": [2, True, ["one", "two"], [None], 1, 3],
        "affected": 1,
        "upserted": True,
        "updated": "updated",
        "gone": 2,
    }
    assert await run(
        owner, "return [await Goop.data.api('blog')('add', { a: 2, b: 3 }), Object.keys(await Goop.data.schemas()).sort()]"
    ) == [
        5,
        ["look", "mine", "notes", "pairs"],
    ]
    assert (
        await run(visitor, "return (await Goop.data.orm('notes')).insert({ title: 'by ann' }).then(({ status }) => status)") == "inserted"
    )
    for call in ("getBy('notes', 'a b', 1)", "updateWhere('notes', { kind: 'a' })", "deleteWhere('notes', {})"):
        assert await run(owner, f"return Goop.data.{call}.then(() => '', (error) => error.code)") == "bad_request"


async def test_a_form_and_a_table_of_a_typed_table(pages: tuple[Page, Page]) -> None:
    page, _ = pages
    await page.evaluate("formAndTable()")
    await page.get_by_label("Title").fill("Kept")
    await page.get_by_label("likes").fill("4")
    await page.get_by_label("kind").select_option("b")
    await page.get_by_role("button", name="Keep").click()
    row = page.locator(".orm-table tr", has_text="Kept")
    await expect(async_row := row).to_have_count(0)
    await page.wait_for_function("() => Goop.data.exists('notes', { where: 'title = ?', args: ['Kept'] })")
    await page.evaluate("redraw()")
    await expect(async_row).to_have_count(1)
    await async_row.get_by_role("button", name="Edit").click()
    await async_row.locator("td").nth(1).click()
    await async_row.press("Enter")
    assert await page.evaluate("acted") == [["edit", "Kept"], ["row", "Kept"], ["row", "Kept"]]
    assert await complaints(page) == []
    await async_row.get_by_role("button", name="Remove").click()
    await expect(async_row).to_have_count(0)
    refused = (
        "const t = await Goop.data.orm('notes'); t.form(out, { onSave: async (row) => { if (!row.likes) throw new Error('no likes'); } })"
    )
    await run(page, refused)
    await page.get_by_label("title").fill("x")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".orm-status")).to_have_text("no likes")
    await run(page, "list.remove(); out.replaceChildren()")


async def test_settings_of_pairs_and_of_one_row(pages: tuple[Page, Page], browser: Browser, up: Served) -> None:
    owner, visitor = pages
    assert await owner.evaluate("settings()") == {
        "before": ["None", 3, None],
        "after": ["Mine", "5", "Mine", "5"],
        "first": ["red", 1],
        "look": ["blue", "blue", 7],
        "rows": 1,
    }
    assert await run(visitor, "return (await Goop.data.config('pairs', {})).title") == "Mine"
    async with opened(browser, f"http://{up.visitor('bob')}{up.front}plain.html") as refused:
        change = "const c = await Goop.data.config('pairs', {}); return c.set('title', 'x').catch((error) => error.code)"
        assert await run(refused, change) == "forbidden"


async def test_lists_overlays_and_dates(pages: tuple[Page, Page]) -> None:
    page, _ = pages
    assert await page.evaluate("lists()") == [
        *("<i>", [[8, "b", "BUTTON"], 7], "<em>None</em>"),
        *("", "soon", "2026", "November 30, 2026", ""),
    ]
    await run(page, "window.overlay = Goop.overlay('box'); overlay.open()")
    await expect(page.get_by_label("Text")).to_be_focused()
    assert await complaints(page) == []
    await page.keyboard.press("Escape")
    await expect(page.locator("#box")).to_be_hidden()
    await page.evaluate("overlay.open()")
    await page.get_by_role("button", name="Done").click()
    await expect(page.locator("#box")).to_be_hidden()


@pytest.mark.parametrize("kind", ["all", "plain"])
async def test_a_form_made_on_the_fly_is_filled_in_once_and_updated(browser: Browser, up: Served, kind: str) -> None:
    """With the components and without them; the owner makes the table, a visitor only answers."""
    table = f"signups_{kind}"
    render = f"signup('{table}').then(() => 0)"
    async with watched(browser, f"http://{up.site}{up.front}{kind}.html") as owner:
        less = "fields: [{ name: 'who' }], policy: 'open'"
        await owner.page.evaluate(f"Goop.form.render(out, {{ table: '{table}', {less} }}).then(() => 0)")
        await owner.page.evaluate(render)  # adds the columns that are missing
        assert await complaints(owner.page) == []
    async with watched(browser, f"http://{up.visitor('ann')}{up.front}{kind}.html") as one:
        page, asked = one.page, list[str]()
        page.on("request", lambda request: asked.append(request.url))
        await page.evaluate(render)
        assert not [url for url in asked if "create" in url or "add-column" in url]
        await page.get_by_role("button", name="Submit").click()
        assert await page.evaluate("document.querySelector('#gform-who:invalid') !== null")
        await page.locator("#gform-who").fill("Ann")
        await page.locator("#gform-about").fill("Me")
        await page.locator("#gform-menu").select_option("f")
        await page.get_by_label("car").check()
        await page.get_by_label("I agree").check()
        await page.locator("#gform-day").fill("2026-11-30")
        await page.locator("#gform-tags").fill("a,b")
        await page.locator("#gform-seats").fill("2")
        await page.locator("#gform-on").click()
        if kind == "all":
            await page.locator("#gform-many").click()
            await page.get_by_role("option", name="x").click()
            await page.get_by_role("option", name="z").click()
            await page.keyboard.press("Escape")
        else:
            await page.locator("#gform-many").select_option(["x", "z"])
        await page.get_by_role("button", name="Submit").click()
        await expect(page.locator("#gform-status")).to_have_text("Submitted!")
        await expect(page.locator("#gform-submit")).to_have_text("Update")
        values, id_ = await page.evaluate("done")
        expected = {
            "who": "Ann",
            "about": "Me",
            "menu": "f",
            "many": "x,z",
            "way": "car",
            "yes": "1",
            "day": "2026-11-30",
            "on": "1",
            "tags": "a,b",
            "seats": "2",
        }
        assert {name: values[name] for name in expected} == expected
        await page.reload()
        await page.evaluate(render)
        await expect(page.locator("#gform-who")).to_have_value("Ann")
        await expect(page.locator("#gform-submit")).to_have_text("Update")
        assert await page.get_by_label("car").is_checked()
        await page.locator("#gform-about").fill("Still me")
        await page.get_by_role("button", name="Update").click()
        await expect(page.locator("#gform-status")).to_have_text("Updated!")
        assert (await page.evaluate("done"))[1] == id_
        assert await run(page, f"return Goop.data.count('{table}')") == 1
    rows = up.peer.database.rows(f"SELECT who, about, many FROM {table}")
    assert rows == [("Ann", "Still me", "x,z")]


async def test_a_form_says_what_it_lacks(pages: tuple[Page, Page], browser: Browser, up: Served) -> None:
    async with opened(browser, f"http://{up.visitor('bob')}{up.front}plain.html") as visitor:
        form = "{ table: 'nosuch', fields: [{ name: 'a' }] }"
        told = await run(visitor, f"return Goop.form.render(out, {form}).catch(({{ code, message }}) => `${{code}}: ${{message}}`)")
        assert told == "not_found: the table nosuch of this form is not there yet: the owner makes it by opening this page"
    for options, why in (
        ("{}", "takes {table, fields"),
        ("{ table: 'signups_plain', fields: [{ name: 'who', type: 'tetx' }] }", 'has the type "tetx"; there are text'),
    ):
        assert why in await run(pages[0], f"return Goop.form.render(out, {options}).then(() => '', (error) => error.message)")


async def test_a_form_and_rows_for_any_table(pages: tuple[Page, Page]) -> None:
    page, _ = pages
    await run(page, "await Goop.data.deleteWhere('notes', { where: '1' }); await Goop.forms.render(out, 'notes')")
    await page.get_by_label("title").fill("Quick")
    await page.get_by_label("likes").fill("9")
    await page.get_by_role("button", name="Add").click()
    row = page.locator(".gf-table tbody tr")
    await expect(row.locator("td").nth(1)).to_have_text("9")
    assert await complaints(page) == []
    await page.get_by_role("button", name="Delete row").click()
    await page.get_by_role("button", name="OK").click()
    await expect(row).to_have_count(0)
    await run(page, "await Goop.forms.insertForm(out, 'notes', (row, id) => (window.added = row))")
    await page.get_by_label("title").fill("Alone")
    await page.get_by_role("button", name="Add").click()
    await expect(page.locator(".gf-status")).to_have_text("Added")
    assert await page.evaluate("added") == {"title": "Alone"}


async def test_the_router_stays_below_the_peers_path(browser: Browser, up: Served) -> None:
    async with watched(browser, f"http://{up.site}{up.front}sub/page.html?id=7&q=a%20b") as one:
        page = one.page
        assert await page.evaluate("[Goop.router.param('id'), Goop.router.param('no'), Goop.router.params(), Goop.router.page()]") == [
            "7",
            None,
            {"id": "7", "q": "a b"},
            "sub/page.html",
        ]
        for call, there in (("go('plain.html?x=1')", "plain.html?x=1"), ("go('/sub/page.html')", "sub/page.html"), ("home()", "")):
            await page.goto(f"http://{up.site}{up.front}plain.html")
            async with page.expect_navigation():
                await page.evaluate(f"Goop.router.{call}; 0")
            assert page.url == f"http://{up.site}{up.front}{there}"
        await page.goto(f"http://{up.site}{up.front}plain.html")
        for away in ("https://example.org/", "javascript:alert(1)"):
            assert "a page of this site" in await page.evaluate(GO, away)


async def test_calls_fail_in_a_sentence_and_the_manifest_is_the_owners(browser: Browser, up: Served, pages: tuple[Page, Page]) -> None:
    async with watched(browser, f"http://{up.site}{up.front}all.html") as one:
        why = "await Goop.call.start('x').catch((error) => `${error.code}: ${error.message}`)"
        assert await run(one.page, f"return [{why}, Goop.call.getCall('x'), Goop.call.activeCalls()]") == [
            "unavailable: this peer cannot make calls yet: write a message instead",
            None,
            [],
        ]
        assert await run(one.page, "return [await Goop.template.get(), await Goop.template.requireEmail()]") == [
            {"require_email": False},
            False,
        ]
        assert (await run(one.page, "return (await Goop.site.fetch('plain.html')).status")) == 200
    async with watched(browser, f"http://{up.visitor('ann')}{up.front}all.html") as one:
        assert await run(one.page, "return [await Goop.template.refresh(), await Goop.template.requireEmail()]") == [{}, False]
