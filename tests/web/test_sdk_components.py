"""The components of the SDK on one page: by pointer and by keyboard, in both forms of their names, and clean for axe in light and dark."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from tests.web.axe import complaints
from tests.web.browser import launched
from tests.web.sdk_pages import COMPONENTS, STYLES, loading, watched
from tests.web.served import served

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = Path(__file__).parent / "pages"
PAGE = (PAGES / "components.html").read_text()
PHONE = {"width": 390, "height": 800}
WIDE = {"width": 1280, "height": 900}
LAST_CHANGE = "changes.at(-1)"
SORTABLE = """
  window.drops = [];
  const onEnd = ({ item, from, to, oldIndex, newIndex }) => drops.push([item.dataset.id, from.id, to.id, oldIndex, newIndex]);
  const onCancel = ({ item }) => drops.push(["cancel", item.dataset.id]);
  for (const id of ["one", "two"]) Goop.drag.sortable(document.getElementById(id), { group: "board", onEnd, onCancel });
"""
ORDER = "[...document.querySelectorAll('#one > li, #two > li')].map((item) => item.parentNode.id[0] + item.dataset.id).join(' ')"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    async with AsyncExitStack() as stack:
        up = await stack.enter_async_context(served(tmp_path_factory.mktemp("components")))
        styles = [style for style in STYLES if "component" in style or style == "goop-ui.css"]
        files = loading("goop-ui.js", *COMPONENTS, *styles)
        (up.folder / "site/components.html").write_text(PAGE.replace("LINKS", files))
        (up.folder / "site/dot.svg").write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><circle r="9" cx="10" cy="10"/></svg>'
        )
        (up.folder / "site/partials").mkdir()
        (up.folder / "site/partials/row.html").write_text("<p>{{title}}</p>")
        browser = await stack.enter_async_context(launched())
        one = await stack.enter_async_context(
            watched(browser, f"http://{up.site}{up.front}components.html", viewport=WIDE, reduced_motion="reduce")
        )
        yield one.page


async def value(page: Page, name: str) -> Any:
    return await page.evaluate(f"made.{name}.getValue()")


async def changed(page: Page) -> Any:
    """The last change a component told of: its element's id, and the detail."""
    return await page.evaluate(LAST_CHANGE)


async def test_a_toolbar_has_one_or_several_active_buttons(page: Page) -> None:
    await page.evaluate("make('toolbar', { activeAttr: 'data-on', onChange: (value) => (window.told = value) }); 0")
    assert await value(page, "toolbar") == "i"
    await page.get_by_role("button", name="Bold").click()
    assert await changed(page) == ["toolbar", {"value": "b"}]
    await page.keyboard.press("ArrowLeft")
    await expect(page.get_by_role("button", name="Under")).to_be_focused()
    await page.keyboard.press("Enter")
    assert (await value(page, "toolbar"), await page.evaluate("told")) == ("u", "u")
    await expect(page.locator("#toolbar [data-on]")).to_have_text("Under")
    await page.evaluate("make('toolbar', { multi: true, active: ['b', 'u'] }); 0")
    await page.get_by_role("button", name="Bold").click()
    await page.get_by_role("button", name="Italic").click()
    assert await value(page, "toolbar") == ["i", "u"]
    await page.evaluate("made.toolbar.destroy()")
    await page.get_by_role("button", name="Bold").click()
    assert await value(page, "toolbar") == ["i", "u"], "it has ended"


async def test_items_are_dragged_within_a_list_and_into_another(page: Page) -> None:
    await page.evaluate(SORTABLE)
    item, target = page.locator("#one > li").first, page.locator("#two > li")
    await item.hover()
    await page.mouse.down()
    await page.mouse.move(0, 0)
    await expect(page.locator(".goop-drag-ghost")).to_have_count(1)
    box = await target.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 20, box["y"] + 2, steps=3)
    await expect(page.locator("#two .goop-drag-placeholder")).to_have_count(1)
    await page.mouse.up()
    assert await page.evaluate(ORDER) == "o2 o3 t1 t4"
    assert await page.evaluate("drops") == [["1", "one", "two", 0, 0]]
    await expect(page.locator(".goop-drag-ghost, .goop-drag-placeholder, .goop-drag-source")).to_have_count(0)
    # Escape puts it back, less than the threshold is a press, and a button in it is no grip.
    await item.hover()
    await page.mouse.down()
    await page.mouse.move(0, 0)
    await page.keyboard.press("Escape")
    await page.mouse.up()
    await page.get_by_role("button", name="Press").hover()
    await page.mouse.down()
    await page.mouse.move(0, 0)
    await page.mouse.up()
    assert await page.evaluate(ORDER) == "o2 o3 t1 t4"
    assert (await page.evaluate("drops"))[1:] == [["cancel", "2"]]


async def test_items_are_moved_by_keyboard(page: Page) -> None:
    await page.evaluate("drops.length = 0")
    await page.locator("#one > li", has_text="Third").focus()
    for key in ("Space", "ArrowUp"):
        await page.keyboard.press(key)
    assert await page.evaluate(ORDER) == "o3 o2 t1 t4"
    await expect(page.locator(".goop-drag-said")).to_have_text("1 of 2")
    await page.keyboard.press("ArrowRight")
    assert await page.evaluate(ORDER) == "o2 t3 t1 t4"
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Space")
    assert await page.evaluate(ORDER) == "o2 t1 t3 t4"
    assert await page.evaluate("drops") == [["3", "one", "two", 1, 1]]
    await page.keyboard.press("Space")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Escape")
    assert await page.evaluate(ORDER) == "o2 t1 t3 t4"
    assert await page.evaluate("document.activeElement.dataset.id") == "3"


async def test_pictures_open_and_go_on(page: Page) -> None:
    await page.evaluate("make('lightbox', { items: 'img.small', onChange: (at) => (window.at = at) }); 0")
    await expect(page.locator("#lightbox")).to_be_hidden()
    await page.locator("img.small").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog", name="Pictures")).to_be_visible()
    await expect(page.locator(".gc-lightbox-img")).to_have_attribute("alt", "Dot")
    await page.evaluate("made.lightbox.setItems(['dot.svg', { src: 'dot.svg', caption: 'Two' }, { src: 'dot.svg' }])")
    await page.keyboard.press("ArrowRight")
    assert await changed(page) == ["lightbox", {"value": 1, "index": 1}]
    await expect(page.locator(".gc-lightbox-caption")).to_have_text("Two")
    await page.get_by_role("button", name="Next picture").click()
    await page.get_by_role("button", name="Next picture").click()
    assert (await value(page, "lightbox"), await page.evaluate("at")) == (0, 0)
    assert await complaints(page) == []
    for _ in range(5):
        await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.closest('#lightbox') !== null"), "Tab stays in it"
    await page.keyboard.press("Escape")
    await expect(page.locator("#lightbox")).to_be_hidden()
    await expect(page.locator("img.small")).to_be_focused()


async def test_a_colour_is_chosen_or_written(page: Page) -> None:
    await page.evaluate("make('colorpicker', { colors: ['#f00', '#00ff00', 'no colour', '#0000ff'], value: '#F00' }); 0")
    assert await value(page, "colorpicker") == "#ff0000"
    await page.locator("#colorpicker .gc-colorpicker-swatch").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    assert await changed(page) == ["colorpicker", {"value": "#00ff00"}]
    await expect(page.locator("#colorpicker .gc-colorpicker-popup")).to_be_hidden()
    await page.evaluate("made.colorpicker.open()")
    for text, then in (("#abc", "#aabbcc"), ("javascript:1", "#aabbcc")):
        await page.get_by_label("Colour as #rrggbb").fill(text)
        await page.get_by_label("Colour as #rrggbb").blur()
        assert await value(page, "colorpicker") == then
        await page.evaluate("made.colorpicker.open()")
    await page.keyboard.press("Escape")


async def test_a_date_is_chosen_written_and_bounded(page: Page) -> None:
    await page.evaluate("make('datepicker', { value: '2026-02-27', min: '2026-02-10' }); 0")
    field = page.get_by_label("Date", exact=True)
    await field.focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    assert await changed(page) == ["datepicker", {"value": "2026-03-01"}]
    await page.evaluate("made.datepicker.open()")
    await page.keyboard.press("PageUp")
    await expect(page.locator("[data-date='2026-02-10']")).to_be_focused()  # the first of February is too early
    await expect(page.locator("[data-date='2026-02-03']")).to_be_disabled()
    await page.keyboard.press("Escape")
    await expect(page.locator("#datepicker .gc-datepicker-popup")).to_be_hidden()
    for written, then in (
        ("2026-12-24", "2026-12-24"),
        ("2026-02-30", "2026-12-24"),
        ("2026-01-01", "2026-12-24"),
        ("soon", "2026-12-24"),
        ("", ""),
    ):
        await field.fill(written)
        await field.blur()
        assert await value(page, "datepicker") == then
    await page.evaluate("make('datepicker', { value: '2026-05-06 07:08', time: true, firstDay: 0 }); made.datepicker.open()")
    await page.get_by_label("Time", exact=True).fill("09:30")
    assert await value(page, "datepicker") == "2026-05-06 09:30"
    assert await complaints(page) == []
    await page.keyboard.press("Escape")


async def test_one_or_several_are_selected_by_keyboard_and_search(page: Page) -> None:
    options = "['apple', { value: 'b', label: 'banana' }, { key: 'c', label: 'cherry' }, { value: 'd', label: 'date', disabled: true }]"
    await page.evaluate(f"make('select', {{ options: {options}, value: 'b', clearable: true, placeholder: 'None' }}); 0")
    trigger = page.get_by_role("button", name="Fruit: banana")
    await trigger.focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("option", name="banana")).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    assert await changed(page) == ["select", {"value": "c"}]
    await expect(page.get_by_role("button", name="Fruit: cherry")).to_be_focused()
    await page.get_by_role("button", name="Clear: Fruit").click()
    assert await changed(page) == ["select", {"value": ""}]
    await page.evaluate(f"make('many', {{ options: {options}, multi: true, searchable: true }}, 'select'); 0")
    await page.get_by_role("button", name="Fruits: nothing chosen").click()
    await page.keyboard.type("an")
    await expect(page.locator("#many [role=option]")).to_have_text(["banana"])
    await page.keyboard.press("Enter")
    await page.keyboard.press("Control+A")
    await page.keyboard.type("e")
    assert await complaints(page) == []
    await page.get_by_role("option", name="apple").click()
    await page.get_by_role("option", name="date").click(force=True)
    assert await value(page, "many") == ["b", "apple"]
    await page.keyboard.press("Escape")
    await page.evaluate("made.many.setOptions(['b'])")
    assert await value(page, "many") == ["b"]


async def test_tabs_and_sections_show_what_is_chosen(page: Page) -> None:
    await page.evaluate("make('tabs'); make('accordion'); 0")
    await expect(page.get_by_role("tabpanel", name="A")).to_be_visible()
    await page.get_by_role("tab", name="A").focus()
    await page.keyboard.press("ArrowRight")
    assert await changed(page) == ["tabs", {"value": "b"}]
    await expect(page.get_by_text("Panel A")).to_be_hidden()
    assert await page.evaluate("made.tabs.getPanel('b').textContent") == "Panel B"
    await page.get_by_role("button", name="X", exact=True).click()
    await page.get_by_role("button", name="Y", exact=True).press("Enter")
    assert await changed(page) == ["accordion", {"value": "y"}]
    await expect(page.get_by_text("Body X")).to_be_hidden()
    await page.evaluate("make('accordion', { multi: true }); made.accordion.open('x')")
    assert await value(page, "accordion") == ["x", "y"]
    assert await page.evaluate(
        "[made.accordion.getSection('x').dataset.section, made.accordion.close('y'), made.accordion.getValue()]"
    ) == ["x", None, ["x"]]


async def test_tags_and_numbers(page: Page) -> None:
    await page.evaluate(
        "make('taginput', { value: ['one'], max: 3, suggestions: ['two'] }); make('stepper', { value: 1, min: 0, max: 2, step: 0.5 }); 0"
    )
    field = page.locator("#taginput input")
    await field.press_sequentially("two,one,")
    await field.press_sequentially("three")
    await field.press("Enter")
    assert await value(page, "taginput") == ["one", "two", "three"]
    assert await page.evaluate("made.taginput.addTag('four')") is False
    await page.get_by_role("button", name="Remove two").click()
    await page.keyboard.press("Backspace")
    assert await changed(page) == ["taginput", {"value": ["one"]}]
    await page.get_by_role("button", name="More").click()
    await page.get_by_label("Guests").locator("input").press("ArrowUp")
    assert await changed(page) == ["stepper", {"value": 2}]
    await expect(page.get_by_role("button", name="More")).to_be_disabled()
    await page.locator("#stepper input").fill("99")
    await page.locator("#stepper input").blur()
    assert await value(page, "stepper") == 2
    await page.evaluate("made.stepper.setDisabled(true)")
    await expect(page.get_by_role("button", name="Less")).to_be_disabled()
    await page.evaluate("made.stepper.setDisabled(false)")


async def test_slides_go_round(page: Page) -> None:
    await page.evaluate("make('carousel', { start: 1 }); 0")
    await page.get_by_role("button", name="Slide after").click()
    await page.keyboard.press("ArrowRight")
    assert await changed(page) == ["carousel", {"value": 0, "index": 0}]
    await page.get_by_role("button", name="Slide 3 of 3").click()
    assert await page.evaluate("document.getElementById('carousel').style.getPropertyValue('--gc-slide')") == "2"
    await page.evaluate("make('carousel', { loop: false, start: 2 }); made.carousel.next()")
    assert await value(page, "carousel") == 2
    await page.evaluate("made.carousel.prev(); made.carousel.goTo(0)")
    await expect(page.get_by_role("button", name="Slide before")).to_be_disabled()


async def test_a_sidebar_opens_takes_the_focus_and_gives_it_back(page: Page) -> None:
    await page.evaluate(
        "make('sidebar', { backdrop: '#backdrop', onOpen: () => (window.opened = true), onClose: () => (window.opened = false) }); 0"
    )
    await page.locator("#opener").focus()
    await page.evaluate("made.sidebar.open()")
    await expect(page.locator(".gc-sidebar-close")).to_be_focused()
    assert await changed(page) == ["sidebar", {"value": True, "open": True}]
    assert await complaints(page) == []
    await page.keyboard.press("Escape")
    await expect(page.locator("#opener")).to_be_focused()
    assert await page.evaluate("opened") is False
    await page.evaluate("made.sidebar.open()")
    await page.locator("#backdrop").click(position={"x": 800, "y": 300})
    await expect(page.locator("#sidebar")).to_be_hidden()


async def test_badges_progress_and_pages(page: Page) -> None:
    await page.evaluate(
        "make('badge', { text: 3, variant: 'error', dot: true }); make('progress', { value: 3, max: 12 }); "
        "make('pagination', { totalItems: 95, showInfo: true }); 0"
    )
    await expect(page.locator("#badge")).to_have_class("gc-badge gc-badge-error gc-badge-dot")
    await page.evaluate("made.badge.setText('4'); made.badge.setVariant('info'); made.badge.showDot(false)")
    await expect(page.locator("#badge")).to_have_class("gc-badge gc-badge-info")
    await expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuetext", "25 %")
    await page.evaluate("made.progress.setMax(6); made.progress.setValue(6)")
    assert await page.evaluate("document.getElementById('progress').style.getPropertyValue('--gc-progress')") == "100%"
    pages = page.get_by_role("navigation", name="Pages")
    await expect(pages.locator(".gc-pagination-info")).to_have_text("1–10 of 95")
    await page.get_by_role("button", name="Page 10", exact=True).click()
    assert await changed(page) == ["pagination", {"value": 10, "page": 10}]
    await expect(page.get_by_role("button", name="Page after")).to_be_disabled()
    await page.get_by_role("button", name="Page before").press("Enter")
    await expect(page.get_by_role("button", name="Page before")).to_be_focused()
    await page.evaluate("made.pagination.setTotal(3); made.pagination.setTotalItems(20)")
    assert await value(page, "pagination") == 2


async def test_a_tooltip_is_seen_by_focus_and_gone_by_escape(page: Page) -> None:
    await page.evaluate("make('tooltip', { tip: 'A word' }); 0")
    tip = page.get_by_role("tooltip", include_hidden=True)
    await expect(tip).to_be_hidden()
    await page.get_by_role("button", name="What is it?").focus()
    await expect(tip).to_have_text("A word")
    await page.keyboard.press("Escape")
    await expect(tip).to_be_hidden()
    await page.evaluate("made.tooltip.setText('Other'); made.tooltip.show()")
    await expect(tip).to_have_text("Other")
    await page.evaluate("made.tooltip.hide()")


async def test_switches_of_a_button_and_of_a_box(page: Page) -> None:
    await page.evaluate("make('toggle'); make('boxed', { checked: true }, 'toggle'); 0")
    await page.get_by_role("switch", name="Wifi").press("Space")
    assert await changed(page) == ["toggle", {"value": True}]
    await page.get_by_role("switch", name="Radio").click()
    assert await changed(page) == ["boxed", {"value": False}]
    await page.evaluate("made.toggle.setDisabled(true); made.toggle.toggle()")
    assert await value(page, "toggle") is True
    await page.evaluate("made.toggle.setDisabled(false)")


async def test_panels_boxes_and_panes(page: Page) -> None:
    await page.evaluate(
        "make('panel', { title: 'Members' }); made.panel.body.textContent = 'Body of it'; "
        "make('scrollbox', { follow: true }); make('splitpane', { initial: 30 }); 0"
    )
    await page.get_by_role("button", name="Fold").click()
    assert await changed(page) == ["panel", {"value": False, "open": False}]
    await expect(page.get_by_text("Body of it")).to_be_hidden()
    await page.evaluate("made.panel.expand(); made.panel.setTitle('All')")
    await expect(page.get_by_role("heading", name="All")).to_be_visible()
    lines = "for (let line = 0; line < 50; line++) document.getElementById('scrollbox').append(Goop.dom('p', null, 'Line ' + line))"
    await page.evaluate(lines)
    await page.wait_for_function("() => made.scrollbox.isAtBottom()")
    await page.evaluate("made.scrollbox.scrollTo(0)")
    assert await page.evaluate("made.scrollbox.isAtBottom()") is False
    await page.get_by_role("separator").focus()
    await page.keyboard.press("ArrowRight")
    assert await changed(page) == ["splitpane", {"value": 35}]
    await page.keyboard.press("Home")
    assert await value(page, "splitpane") == 10


async def test_toasts_of_an_element_and_of_the_page(page: Page) -> None:
    plain = "show({ title: 'Saved', message: '<b>all</b>', duration: 0 }); show.error('Away'); 0"
    await page.evaluate(f"window.show = Goop.ui.toast(document.getElementById('toasts')); {plain}")
    await expect(page.locator("#toasts .gc-toast-message").first).to_have_text("<b>all</b>")
    await expect(page.locator("#toasts .gc-toast-error")).to_have_text("Away")
    assert await complaints(page) == []
    await page.get_by_role("button", name="Close", exact=True).last.click()
    await expect(page.locator("#toasts .gc-toast-title")).to_have_count(0)
    await page.evaluate("Goop.ui.toast({ message: 'As before', duration: 50 }) instanceof Element")
    await expect(page.locator(".goop-toast")).to_have_count(0)


async def ask(page: Page, call: str) -> None:
    await page.evaluate(f"window.answer = undefined; Goop.ui.{call}.then((answer) => (window.answer = answer)); 0")


async def answered(page: Page) -> Any:
    await page.wait_for_function("() => answer !== undefined")
    return await page.evaluate("answer")


async def test_plain_dialogs_ask_in_both_forms(page: Page) -> None:
    for call, keys, answer in (
        ("confirm('Sure?')", "Escape", False),
        ("confirm('Sure?', 'Title')", "Escape", None),
        ("confirm('Sure?', 'Title')", "Enter", True),
        ("prompt('Name', 'Ann')", "Enter", "Ann"),
        ("prompt({ title: 'Name', value: 'Bob', okText: 'Go' })", "Enter", "Bob"),
        ("prompt({ message: 'Name' })", "Escape", None),
        ("alert('Title', 'Text')", "Enter", True),
        ("dialog({ title: 'Name', input: { value: 'x' }, ok: 'Save' })", "Enter", "x"),
        ("confirmDanger({ title: 'Delete' })", "Escape", None),
    ):
        await ask(page, call)
        await expect(page.locator(".goop-dialog")).to_be_visible()
        await page.keyboard.press(keys)
        assert await answered(page) == answer, call
    await ask(page, "confirmDanger({ title: 'Delete all', match: 'ALL' })")
    assert await complaints(page) == []
    await expect(page.get_by_role("button", name="Delete")).to_be_disabled()
    await page.keyboard.type("ALL")
    await page.get_by_role("button", name="Delete").click()
    assert await answered(page) is True


async def test_dialogs_of_the_pages_own_markup(page: Page) -> None:
    await page.evaluate("made.dialog = Goop.ui.dialog(document.getElementById('dialog')); 0")
    await page.locator("#opener").focus()
    for call, keys, answer in (
        ("confirm('Sure?', 'Title')", ["Escape"], None),
        ("confirm('Sure?', 'Title')", ["Enter"], True),
        ("prompt({ title: 'Name', value: 'Ann', placeholder: 'x' })", ["End", "a", "Enter"], "Anna"),
        ("prompt('Name')", ["Escape"], None),
        ("alert('Title', 'Text')", ["Enter"], True),
        ("confirmDanger({ title: 'Delete', match: 'ok' })", ["Enter", "o", "k", "Enter"], True),
    ):
        await ask(page, call)
        await expect(page.get_by_role("dialog").locator(".gc-dialog-title")).to_be_visible()
        for key in keys:
            await page.keyboard.press(key)
        assert await answered(page) == answer, call
        await expect(page.locator("#opener")).to_be_focused()
    await ask(page, "confirm('Sure?')")
    assert await complaints(page) == []
    for _ in range(4):
        await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.closest('.gc-dialog') !== null"), "Tab stays in it"
    await page.locator("#dialog").click(position={"x": 5, "y": 5})
    assert await answered(page) is None


async def test_elements_lists_and_times(page: Page) -> None:
    got = await page.evaluate((PAGES / "elements.js").read_text())
    assert got == {
        "first": '<p class="a b" data-row-id="7" style="--x: 1;">text 1two</p>',
        "listed": "0&lt;i&gt; 1b ",
        "none": '<div><div class="none">None</div></div>',
        "pressed": ["on", "bare", "join"],
        "cols": 2,
        "times": ["just now", "5m ago", "3h ago", "2d ago", "", "soon"],
        "theme": "light",
        "table": ["a", "Bee", "1", "2"],
        "own": "<b>",
    }


async def test_partials_are_filled_escaped_and_listed(page: Page) -> None:
    names = "<p>{{a.b}}|{{{raw}}}|{{none}}|{{zero}}|{{raw}}</p>"
    blocks = "{{#if a}}A{{#each rows}}[{{_index}}{{@index}}{{n}}{{a}}]{{/each}}{{/if}}{{#unless none}}B{{/unless}}{{#if zero}}C{{/if}}"
    partials = {
        "names": (names, {"a": {"b": "<i>"}, "raw": "<i>x</i>", "zero": 0}, "<p>&lt;i&gt;|<i>x</i>||0|&lt;i&gt;x&lt;/i&gt;</p>"),
        "blocks": (
            f"<p>{blocks}{{{{#if list}}}}D{{{{/if}}}}</p>",
            {"a": 1, "rows": [{"n": "x"}, {"n": "{{a}}"}], "zero": 0, "list": []},
            "<p>A[00x][11{{a}}]B</p>",
        ),
        "several": ("<p>1</p> <p>2</p>", {}, "<div><p>1</p> <p>2</p></div>"),
        "texts": ("<p>{{#each tags}}<i>{{.}}</i>{{/each}}</p>", {"tags": ["a", "<"]}, "<p><i>a</i><i>&lt;</i></p>"),
    }
    await page.evaluate((PAGES / "fetched.js").read_text(), {name: text for name, (text, _, _) in partials.items()})
    for name, (_, data, expected) in partials.items():
        assert await page.evaluate("async ([name, data]) => (await Goop.partial(name, data)).outerHTML", [name, data]) == expected, name
    assert all(path.startswith("/p/12D3Koo") for path in await page.evaluate("asked"))
    await page.evaluate("Goop.preload('names', 'blocks')")
    assert len(await page.evaluate("asked")) == len(partials), "each is asked for once"
    rows = "Goop.list(document.getElementById('base'), [{ a: { b: 1 } }, { zero: 2 }], 'names').then((el) => el.innerText.split(/\\n+/))"
    assert await page.evaluate(rows) == ["1||||", "|||2|"]


async def test_what_is_no_element_is_said(page: Page) -> None:
    for call, why in (
        ("Goop.ui.tabs(null)", "Goop.ui.tabs takes an element: null is none"),
        ("Goop.ui.select('#nosuch')", 'Goop.ui.select takes an element: there is none for "#nosuch" in the page'),
        ("Goop.drag.sortable(undefined)", "Goop.ui.sortable takes an element: undefined is none"),
    ):
        assert await page.evaluate(f"(() => {{ try {{ {call}; return ''; }} catch (error) {{ return error.message; }} }})()") == why


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
async def test_the_whole_page_is_clean_for_axe_and_as_wide_as_the_screen(page: Page, scheme: Any, size: Any) -> None:
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size(size)
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
