"""goop.transform in scripts: definitions of the peer folder, applied to rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.storage.manual import peer_with

from goop2.scripting.engine import Success
from goop2.services.peer import Peer
from goop2.services.transformations import FILE_MAX_BYTES

PEOPLE = {
    "name": "people",
    "description": "names in one",
    "fields": [
        {"target": "name", "sources": ["first", "last"], "transform": "concat", "args": [" "]},
        {"target": "age", "sources": ["age"], "transform": "to_int"},
    ],
}
FUNCTIONS = {
    "row": "function call(r) local row, err = goop.transform.apply(r.params.name, r.params.row) return { row or err } end",
    "rows": "function call(r) local rows, err = goop.transform.apply_many(r.params.name, r.params.rows) return { rows or err } end",
    "load": "function call(r) local found, err = goop.transform.load(r.params.name) return { found or err } end",
    "list": "function call() return { goop.transform.list(), #goop.transform.transforms() } end",
}
COMMANDS = {"absent": "function handle() return tostring(goop.transform) end"}


async def called(peer: Peer, function: str, **params: object) -> Any:
    answer = await peer.engine.call(peer.owner, function, json.dumps(params).encode())
    assert isinstance(answer, Success), answer
    return json.loads(answer.json)


async def test_a_definition_is_applied_to_rows(tmp_path: Path) -> None:
    (tmp_path / "transformations").mkdir()
    (tmp_path / "transformations/people.json").write_text(json.dumps(PEOPLE))
    (tmp_path / "transformations/notes.txt").write_text("x")
    async with peer_with(tmp_path, FUNCTIONS, COMMANDS) as peer:
        row = {"first": "Ann", "last": "Lee", "age": "41"}
        assert await called(peer, "row", name="people", row=row) == [{"name": "Ann Lee", "age": 41}]
        assert await called(peer, "rows", name="people", rows=[row, {"first": "Bob"}]) == [
            [{"name": "Ann Lee", "age": 41}, {"name": "Bob "}],
        ]
        assert await called(peer, "rows", name="people", rows=[]) == [[]]
        assert (await called(peer, "load", name="people"))[0]["description"] == "names in one"
        assert await called(peer, "list") == [[{"name": "people", "description": "names in one", "field_count": 2}], 22]
        assert (await called(peer, "row", name="people", row={"age": "x"}))[-1] == "row 1, field 'age': 'x' is no number"
        assert (await peer.engine.command(peer.owner, "!absent")).text == "nil"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nosuch", "there is no transformation nosuch: transformations/nosuch.json does not exist"),
        ("../goop", "../goop is no name of a transformation: letters, digits, - and _"),
        ("", " is no name of a transformation: letters, digits, - and _"),
        ("broken", "transformations/broken.json cannot be read: "),
        ("list", "transformations/list.json is no object"),
        ("large", "transformations/large.json is not read: it is larger than 65536 bytes"),
        ("folder", "transformations/folder.json is not read: it is a folder, not a regular file"),
        ("out", "transformations/out.json is not read: "),
    ],
)
async def test_what_is_no_definition_is_said(tmp_path: Path, name: str, said: str) -> None:
    folder = tmp_path / "peer"
    there = folder / "transformations"
    there.mkdir(parents=True)
    for file, content in (("broken", "{"), ("list", "[]"), ("large", " " * FILE_MAX_BYTES + "{}")):
        (there / f"{file}.json").write_text(content)
    (there / "folder.json").mkdir()
    (tmp_path / "secret").write_text('{"fields": []}')
    (there / "out.json").symlink_to(tmp_path / "secret")
    async with peer_with(folder, FUNCTIONS, {}) as peer:
        for function in ("load", "row", "rows"):
            (*_, message) = await called(peer, function, name=name, row={}, rows=[])
            assert message.startswith(said)
