"""What the SDK takes: a wrong, missing or misspelt argument is refused before the peer is asked, and nothing is stored or overwritten."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.services.listen.sounds import wav
from tests.web.browser import PATIENCE_MS, launched
from tests.web.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = (Path(__file__).parent / "pages/sdk.html").read_text()
NOTES = {"name": "notes", "columns": [{"name": "title", "type": "text"}, {"name": "likes", "type": "integer"}]}
FORM = "Object.entries(%s).reduce((form, [name, value]) => (form.append(name, value), form), new FormData())"
FILE = "new File(['hello'], 'h.txt')"
INPUT = "document.querySelector('input[type=file]')"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("peer")
    (folder / "schemas").mkdir()
    (folder / "schemas/notes.json").write_text(json.dumps(NOTES))
    (folder / "site").mkdir()
    (folder / "site/sdk.html").write_text(PAGE.replace("<body>", "<body><input type=file multiple>"))
    wav(folder / "tone.wav", 60)
    async with served(folder) as up:
        yield up


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(browser: Browser, site: Served) -> AsyncIterator[Page]:
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    try:
        one = await context.new_page()
        await one.goto(f"{site.web.site}sdk.html")
        yield one
    finally:
        await context.close()


async def told(page: Page, call: str) -> str:
    """Why a call is refused, once; "" when it is done. A refusal has its class, and comes as a rejection or is thrown."""
    catch = "(error) => { if (error.code !== 'bad_request') throw error; return error.message; }"
    said = await page.evaluate(f"async () => {{ try {{ await {call}; return ''; }} catch (error) {{ return ({catch})(error); }} }}")
    assert isinstance(said, str)
    return said


# Uploads


@pytest.mark.parametrize(
    "file",
    [
        "'hello'",
        FILE,
        "new Blob(['hello'])",
        "new TextEncoder().encode('hello')",
        "new TextEncoder().encode('hello').buffer",
        FORM % f"{{file: {FILE}}}",
        FORM % f"{{title: 'A title', file: {FILE}}}",
    ],
)
async def test_what_is_a_file_is_stored(page: Page, site: Served, file: str) -> None:
    (site.folder / "site/a.txt").write_text("my text")
    assert await told(page, f"Goop.site.upload('a.txt', {file})") == ""
    assert (site.folder / "site/a.txt").read_text() == "hello"


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("undefined", "is missing"),
        ("null", "not null"),
        ("{content: 'x'}", "not an object of the kind Object"),
        ("['x']", "not a list"),
        ("7", "not 7"),
        ("new Map()", "of the kind Map"),
        ("Promise.resolve('x')", "of the kind Promise"),
        (INPUT, "of the kind HTMLInputElement"),
        (f"{INPUT}.files", "none was chosen"),
        ("new FormData()", "none was chosen"),
        (FORM % "{title: 'x'}", "none was chosen"),
        (FORM % f"{{a: {FILE}, b: {FILE}}}", "2 were given"),
    ],
)
async def test_what_is_no_file_is_refused_and_nothing_is_overwritten(page: Page, site: Served, file: str, why: str) -> None:
    (site.folder / "site/a.txt").write_text("my text")
    said = await told(page, f"Goop.site.upload('a.txt', {file})")
    assert said.startswith("Goop.site.upload: file ")
    assert why in said
    assert (site.folder / "site/a.txt").read_text() == "my text"


async def test_the_one_file_that_was_chosen_is_stored_and_of_several_none(page: Page, site: Served) -> None:
    files = [{"name": name, "mimeType": "text/plain", "buffer": b"chosen"} for name in ("a", "b")]
    await page.locator("input").set_input_files(files[:1])  # type: ignore[arg-type]
    assert await told(page, f"Goop.site.upload('one.txt', {INPUT}.files)") == ""
    assert (site.folder / "site/one.txt").read_text() == "chosen"
    await page.locator("input").set_input_files(files)  # type: ignore[arg-type]
    assert "2 were given" in await told(page, f"Goop.site.upload('one.txt', {INPUT}.files)")


async def test_a_form_sent_without_the_sdk_is_no_rubbish_either(page: Page, site: Served) -> None:
    form = FORM % f"{{file: {FILE}}}"
    status = await page.evaluate(f"fetch('/api/site/upload?path=bare.txt', {{method: 'POST', body: {form}}}).then((one) => one.status)")
    assert (status, (site.folder / "site/bare.txt").read_text()) == (200, "hello")


# Rows


async def rows(page: Page) -> int:
    found = await page.evaluate("Goop.data.count('notes')")
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize(
    "row",
    [
        "{title: 'x'}",
        FORM % "{title: 'x', likes: '3'}",
        "new URLSearchParams('title=x')",
        "Object.assign(Object.create(null), {title: 'x'})",
    ],
)
async def test_objects_and_forms_are_rows(page: Page, row: str) -> None:
    before = await rows(page)
    row_id = await page.evaluate(f"Goop.data.insert('notes', {row}).then((one) => one.id)")
    assert await rows(page) == before + 1
    stored = await page.evaluate(f"Goop.data.orm('notes').get('{row_id}')")
    assert (stored["title"], stored["likes"]) == ("x", 3 if "likes" in row else None)
    assert await told(page, f"Goop.data.update('notes', {row_id}n, {row.replace(chr(39) + 'x' + chr(39), chr(39) + 'y' + chr(39))})") == ""


@pytest.mark.parametrize(
    "row",
    [
        "undefined",
        "null",
        "'x'",
        "[]",
        "[{title: 'x'}]",
        "new Map([['title', 'x']])",
        "new Set(['x'])",
        "Promise.resolve({title: 'x'})",
        INPUT,
        FORM % f"{{title: {FILE}}}",
        "new URLSearchParams('title=a&title=b')",
        "{title: new Map()}",
        f"{{title: {FILE}}}",
    ],
)
@pytest.mark.parametrize(
    "call", ["data.insert('notes', %s)", "data.orm('notes').insert(%s)", "api.insert('notes', %s)", "data.upsert('notes', 'title', %s)"]
)
async def test_what_is_no_row_adds_none(page: Page, call: str, row: str) -> None:
    before = await rows(page)
    assert await told(page, f"Goop.{call % row}") != ""
    assert await rows(page) == before


# Missing and misspelt


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("listen.control('seek')", 'Goop.listen.control("seek").seconds is missing: it takes a number'),
        ("listen.control('seek', {})", "seconds is missing"),
        ("listen.control('seek', {second: 30})", 'has no "second"; it takes seconds'),
        ("listen.control('seek', {seconds: NaN})", "takes a number, not NaN"),
        ("listen.control('seek', {seconds: '30'})", 'takes a number, not "30"'),
        ("listen.control('seek', 30)", "takes an object with seconds, not 30"),
        ("listen.control('load')", "path is missing"),
        ("listen.control('stop')", 'action takes one of create, load, play, pause, seek, close, not "stop"'),
        ("listen.control()", "not undefined"),
        ("listen.control('play', {seconds: 3})", 'has no "seconds"; it takes none'),
        ("listen.join()", "audio is missing"),
        ("listen.subscribe()", "listener is missing"),
        ("data.find()", "table is missing"),
        (
            "data.find('notes', {wher: '1'})",
            'Goop.data.find: options has no "wher"; it takes columns, fields, where, args, order, limit, offset',
        ),
        ("data.find('notes', 'title = 1')", "takes an object with columns"),
        ("data.find('notes', {limit: 'ten'})", 'limit takes a whole number, not "ten"'),
        ("data.count('notes', {were: '1'})", 'has no "were"'),
        ("data.query('notes', {where: 1})", "where takes a text, not 1"),
        ("data.pluck('notes', {where: '1'})", "column takes a text"),
        ("data.aggregate('notes', 'count(*)', {groupby: 'title'})", 'has no "groupby"'),
        ("data.update('notes', {title: 'x'})", "id takes a whole number"),
        ("data.update('notes', 1)", "changes is missing"),
        ("data.remove('notes')", "id is missing"),
        ("data.removeWhere('notes')", "where is missing"),
        ("data.call()", "name is missing"),
        ("data.call('echo', new Map([[1, 2]]))", "params takes an object"),
        ("data.call('echo', {deep: {map: new Map()}})", '"map" is an object of the kind Map, which cannot be sent'),
        ("data.orm()", "table is missing"),
        ("api.get('notes', {slgu: 'x'})", 'has no "slgu"; it takes id, slug'),
        ("api.get('notes')", "key is missing"),
        ("api.list('notes', {limt: 3})", 'has no "limt"'),
        ("chat.send('peer')", "text is missing"),
        ("chat.subscribe({})", "listener takes a function"),
        ("group.join()", "group is missing"),
        ("group.send('g')", "payload is missing"),
        ("group.create('Chess', {max: 2})", 'has no "max"; it takes type, max_members, volatile'),
        ("site.read()", "path is missing"),
        ("site.remove('')", "path takes a text that is not empty"),
        ("site.upload()", "path is missing"),
        ("ui.toast()", "what is missing"),
        ("ui.toast({titel: 'x', message: 'y'})", 'has no "titel"; it takes title, message'),
        ("ui.confirm()", "text is missing"),
        ("ui.prompt({label: 'x'})", 'has no "label"'),
    ],
)
async def test_a_missing_or_misspelt_argument_is_an_error(page: Page, call: str, why: str) -> None:
    asked: list[str] = []
    watch = lambda request: asked.append(request.url)  # noqa: E731
    page.on("request", watch)
    said = await told(page, f"Goop.{call}")
    page.remove_listener("request", watch)
    assert said.startswith(("Goop.", '"'))
    assert why in said
    assert asked == []


async def test_what_may_be_left_out_may_be_and_forms_are_parameters(page: Page) -> None:
    assert await page.evaluate("Goop.data.find('notes', null).then(Array.isArray)")
    assert await page.evaluate("Goop.data.find('notes', {where: undefined, limit: '1'}).then((rows) => rows.length)") == 1
    assert await page.evaluate("Goop.data.count('notes', {where: '1', limit: 1, order: '_id'}).then(Number.isInteger)")
    form = FORM % "{a: '1'}"
    assert await page.evaluate(f"Goop.data.call('echo', {form})") == {"a": "1"}
    assert await page.evaluate("Goop.data.call('echo')") in ({}, [])
    await page.evaluate("Goop.ui.toast(new Error('as it was caught'))")
    await expect(page.get_by_role("status")).to_have_text("as it was caught")


async def test_without_the_sdk_seeking_wants_its_seconds_too(site: Served) -> None:
    await site.peer.listening.create("Radio")
    await site.peer.listening.load("tone.wav")
    await site.peer.listening.seek(30)
    for body, why in (
        (b'{"action": "seek"}', "seek takes seconds"),
        (b'{"action": "seek", "second": 3}', "second"),
        (b'{"action": "load"}', "load takes path"),
    ):
        answer = await site.ask("/api/listen/control", method="POST", body=body)
        assert (answer.status, why in answer.json["message"]) == (400, True), answer.json
    state = site.peer.listening.state()
    assert state is not None
    assert state.position == 30
    await site.peer.listening.close()
