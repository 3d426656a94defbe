"""Every code block of the documentation runs, or says why it does not."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.docs.examples import DOCS, EXPECT, LANGUAGES, PAGES, Block, all_blocks, blocks, checked
from tests.docs.peer import reference_peer, reset
from tests.web.served import Served

from goop2.config.loading import load
from goop2.config.settings import sections
from goop2.scripting.api.docs import REFERENCE, examples
from goop2.storage.schema_declarations import read

pytestmark = pytest.mark.asyncio(loop_scope="module")
LUA = all_blocks("lua")
ARROW = "=>"
"""Between what goes into an example and what comes out."""
WHOLE = re.compile(r"^(?:local )?function (?:handle|call|run|on_\w+)\b|^call =", re.MULTILINE)
"""A script, and not a part of one."""


def function_of(block: Block) -> str:
    """Return the name under which a block is a data function of the peer."""
    return f"{block.page.stem.lower()}-{block.line}"


def runs(block: Block) -> bool:
    """Return whether the block is called, and not only compiled."""
    called = "call" in block.marks or "chat" in block.marks
    return called or not {"part", "not run", "file"} & set(block.marks)


def source_of(block: Block) -> str:
    """Return the script that runs a block: itself, or a function around it that gives what its lines gave."""
    if WHOLE.search(block.text) or not runs(block):
        return block.text
    body = checked(block.text)
    return (
        f"local expected_values = {{}} {EXPECT} local function example(request) {body}\nend\n"
        "function call(request) example(request) return { checks = expected_values } end"
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def peer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with reference_peer(tmp_path_factory.mktemp("peer"), {function_of(block): source_of(block) for block in LUA}) as up:
        yield up


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_every_block_of_a_page_names_its_language(page: Path) -> None:
    assert [block.place for block in blocks(page) if block.language not in LANGUAGES] == []


@pytest.mark.parametrize("block", LUA, ids=lambda block: block.place)
async def test_lua_runs(block: Block, peer: Served) -> None:
    name = function_of(block)
    listed = {each.name: each for each in peer.peer.catalog.listing()}[name]
    assert listed.state == "ok", listed
    if not runs(block):
        assert block.marks.get("not run") != "", "say why it does not run"
        return
    await reset(peer)
    if (chat := block.marks.get("chat")) is not None:
        args, _, wanted = chat.partition(ARROW)
        assert (await peer.peer.engine.command(peer.peer.owner, f"!{name} {args}")).text == wanted.strip()
    elif WHOLE.search(block.text):
        params, _, wanted = block.marks.get("call", "").partition(ARROW)
        assert wanted, "a whole script needs a comment above it: call, chat, part or not run"
        answer = await peer.call(name, json.loads(params))
        assert (answer.status, plain(answer.json)) == (200, plain(json.loads(wanted)))
    else:
        answer = await peer.call(name)
        assert answer.status == 200, answer.body
        assert [plain(json.loads(each["given"])["value"]) for each in answer.json["checks"]] == [
            plain(json.loads(each["wanted"])) for each in answer.json["checks"]
        ]


def plain(given: object) -> object:
    """Return a value of JSON in which an empty table is an empty list, as in Lua."""
    if isinstance(given, dict):
        return {key: plain(inner) for key, inner in given.items()} or []
    return [plain(inner) for inner in given] if isinstance(given, list) else given


JSON = all_blocks("json")


@pytest.mark.parametrize("block", JSON, ids=lambda block: block.place)
async def test_json_is_what_it_is_for(block: Block, tmp_path: Path) -> None:
    """Settings are settings there are, with values they may have; a table that is declared can be made."""
    document = json.loads(block.text)
    assert isinstance(document, dict)
    if set(document) <= set(sections()):
        (tmp_path / "goop.json").write_text(block.text)
        loaded = load(tmp_path, {})
        assert loaded.warnings == ()
    elif "columns" in document:
        (tmp_path / "schemas").mkdir()
        (tmp_path / f"schemas/{document['name']}.json").write_text(block.text)
        assert read(tmp_path / f"schemas/{document['name']}.json", tmp_path).table.name == document["name"]


async def test_every_function_has_an_example_and_every_example_a_function() -> None:
    shown = re.findall(r"^### `([a-z_.:]+)\(", (DOCS / REFERENCE).read_text(), re.MULTILINE)
    assert sorted(examples()) == sorted(shown)
