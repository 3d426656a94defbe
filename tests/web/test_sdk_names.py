"""Every file and name of the SDK that existing pages rely on is there, each file works alone, and brings no more than is listed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.web.browser import launched
from tests.web.sdk_pages import COMPONENTS, SCRIPTS, SDK, SERVED, STYLES, bare, watched
from tests.web.served import Served, served
from tools.sdk_sizes import table

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[2]
VALUED = "getValue setValue"
FACTS = {
    "goop-data.js": "data.{tables describe query insert update remove createTable dropTable addColumn call functions find findOne "
    "get getBy list pluck distinct exists count aggregate updateWhere deleteWhere upsert schemas role orm config api} "
    "peer esc date overlay list",
    "goop-identity.js": "identity.{get id label email refresh resolveName}",
    "goop-site.js": "site.{files read fetch upload remove}",
    "goop-template.js": "template.{get requireEmail refresh}",
    "goop-group.js": "group.{join send leave subscriptions subscribe unsubscribe create joinOwn leaveOwn close list}",
    "goop-mq.js": "mq.{subscribe send unsubscribe}",
    "goop-chat.js": "chat.{broadcast send broadcasts messages subscribe unsubscribe}",
    "goop-chatroom.js": "chatroom.{create close join leave send state subscribe}",
    "goop-peers.js": "peers.{list subscribe unsubscribe}",
    "goop-realtime.js": "realtime.{connect accept channels onIncoming onMessage offMessage isConnected}",
    "goop-call.js": "call.{start onIncoming getCall activeCalls}",
    "goop-router.js": "router.{param params page go home}",
    "goop-form.js": "form.{render}",
    "goop-forms.js": "forms.{render insertForm}",
    "goop-ui.js": "ui.{toast confirm prompt alert confirmDanger dialog theme}",
    "goop-drag.js": "drag.{sortable}",
    "goop-component-base.js": "dom render list ui.{empty loading time avatar grid theme}",
    "goop-component-template.js": "partial preload list",
    "goop-component-toast.js": "ui.{toast}",
    "goop-component-dialog.js": "ui.{dialog}",
    "goop-component-toolbar.js": "ui.{toolbar}",
    "goop-component-drag.js": "drag.{sortable}",
    "goop-component-elements.js": "button card table field message stats section actions item",
    # Ours.
    "goop-api.js": "api.{get list insert update delete map}",
    "goop-listen.js": "listen.{state subscribe position join leave control files}",
}
"""File → what it adds to Goop (existing-sites.md, section 4)."""
OTHERS = [
    *("lightbox", "colorpicker", "datepicker", "select", "tabs", "accordion", "taginput", "stepper", "carousel"),
    *("sidebar", "badge", "progress", "pagination", "tooltip", "toggle", "panel", "scrollbox", "splitpane"),
]
ENGINE = [
    *("GameLoop", "Renderer", "SpriteSheet", "Input", "Collision", "TileMap", "GameAudio", "SceneManager", "Entity"),
    *("clamp", "lerp", "random", "randomInt", "distance", "angle"),
]
METHODS = {
    "GameLoop": "start stop",
    "Renderer": "clear drawRect drawRectOutline drawCircle drawSprite drawText drawTextCentered",
    "SpriteSheet": "getTile draw",
    "Input": "bind isDown justPressed justReleased update",
    "TileMap": "draw getTileAt isSolid setTile collideRect",
    "GameAudio": "load play stop stopAll toggleMute",
    "SceneManager": "add switch update render",
}
ABSENT = """(names) => names.filter((name) => {
  const value = name.split(".").reduce((holder, part) => holder && holder[part], Goop);
  return typeof value !== "function";
})"""


def names_of(facts: str) -> list[str]:
    """The names that `a.{b c} d` means."""
    found = []
    for holder, inside, plain in re.findall(r"(\w+)\.\{([^}]*)\}|(\w+)", facts):
        found += [plain] if plain else [f"{holder}.{name}" for name in inside.split()]
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with served(tmp_path_factory.mktemp("names")) as one:
        for name in SCRIPTS:
            (one.folder / f"site/{name}.html").write_text(bare(name))
        (one.folder / "site/all.html").write_text(bare(*SCRIPTS, *STYLES))
        (one.folder / "site/back.html").write_text(bare(*reversed(SCRIPTS)))
        yield one


async def test_every_file_of_the_facts_is_there_and_none_is_without_facts() -> None:
    files = {*FACTS, *(f"goop-component-{name}.js" for name in OTHERS), "goop-engine.js"}
    assert set(SCRIPTS) == files


async def test_every_component_has_its_style() -> None:
    assert {name.removesuffix(".js") for name in COMPONENTS if "template" not in name} < {name.removesuffix(".css") for name in STYLES}
    assert {"goop-form.css", "goop-forms.css", "goop-ui.css", "goop-drag.css", "goop-data.css"} < set(STYLES)


async def test_each_file_adds_its_names_alone(browser: Browser, up: Served) -> None:
    facts = {**FACTS, **{f"goop-component-{name}.js": f"ui.{{{name}}}" for name in OTHERS}}
    async with watched(browser, up.web.site) as one:
        for file, names in facts.items():
            await one.page.goto(f"{up.web.site}{file}.html")
            assert await one.page.evaluate(ABSENT, names_of(names)) == [], file


@pytest.mark.parametrize("page", ["all.html", "back.html"])
async def test_all_files_live_together_in_any_order(browser: Browser, up: Served, page: str) -> None:
    names = [name for facts in FACTS.values() for name in names_of(facts)] + [f"ui.{name}" for name in OTHERS]
    async with watched(browser, f"{up.web.site}{page}") as one:
        assert await one.page.evaluate(ABSENT, names) == []


async def test_the_engine_has_its_names_and_they_work(browser: Browser, up: Served) -> None:
    async with watched(browser, f"{up.web.site}goop-engine.js.html") as one:
        assert await one.page.evaluate("(names) => names.filter((name) => !globalThis[name])", ENGINE) == []
        for name, methods in METHODS.items():
            assert (
                await one.page.evaluate(
                    "([name, methods]) => methods.filter((one) => !(one in globalThis[name].prototype))", [name, methods.split()]
                )
                == []
            )
        assert await one.page.evaluate(
            "[clamp(9, 0, 5), lerp(0, 10, .5), distance(0, 0, 3, 4), distance({x: 0, y: 0}, {x: 3, y: 4}), angle(0, 0, 1, 0)]"
        ) == [5, 5, 5, 5, 0]
        assert await one.page.evaluate("Array.from({length: 200}, () => randomInt(1, 3)).every((one) => [1, 2, 3].includes(one))")
        game = (Path(__file__).parent / "pages/engine.js").read_text()
        assert await one.page.evaluate(game) == {
            "keys": [True, True, False, False, True],
            "told": [1],
            "moved": True,
            "pixel": [255, 0, 0, 255],
            "muted": [True, False],
            "none": 'there is no scene "over"; there are play',
            "tiles": [2, True, False, True],
            "meets": [True, False, False],
        }


async def test_files_have_the_type_of_their_name_and_a_missing_one_too(up: Served) -> None:
    types = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
    for name in (*SCRIPTS, *STYLES):
        answer = await up.ask(f"/sdk/{name}")
        assert (answer.status, answer.headers["content-type"]) == (200, types[Path(name).suffix]), name
        assert len(answer.body) == SERVED[name]
    for ending, kind in types.items():
        answer = await up.ask(f"/sdk/goop-component-nosuch{ending}")
        assert (answer.status, answer.headers["content-type"]) == (404, kind)
    for beginning in ("core.js", "component.js"):
        assert (await up.ask(f"/sdk/{beginning}")).status == 404, "it is served in front of others only"


async def test_no_file_loads_code_of_another_place_or_another_file() -> None:
    for file in SDK.iterdir():
        if file.name.endswith((".js", ".css")):
            text = file.read_text()
            assert not re.findall(r"https?://|@import|url\(|\bimport\(|createElement\(.script", text), file.name


async def test_the_page_about_pages_lists_the_size_of_every_file() -> None:
    page = (ROOT / "docs/pages.md").read_text()
    assert table() in page, "make it anew: .venv/bin/python tools/sdk_sizes.py"
