"""Templates applied to a peer and taken back: files, tables, settings, groups and scripts, all of it or nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.services.templates.clubhouse import SCHEMA, template

from goop2.app import open_peer
from goop2.folder.bundles import BundleError
from goop2.folder.file_switch import JOURNAL, RECORD, WORK, FileSwitch
from goop2.scripting.engine import Success
from goop2.scripting.invocation import Caller
from goop2.services.peer import Peer
from goop2.services.templates import change, recovery
from goop2.services.templates.errors import NothingToUndoError, TemplateChangedError, TemplateError
from goop2.services.templates.plan import TemplatePlan
from goop2.storage.table_design import TableDesign
from goop2.storage.template_tables import SWITCH_KEY, meta

STRANGER = Caller("12D3KooWstranger", "Stranger")


@pytest_asyncio.fixture
async def peer(tmp_path: Path) -> AsyncIterator[Peer]:
    folder = tmp_path / "peer"
    (folder / "site/lua").mkdir(parents=True)
    (folder / "site/mine.html").write_text("mine")
    (folder / "site/.well-known").write_text("mine")
    (folder / "site/lua/mine.lua").write_text('function handle() return "mine" end')
    (folder / "goop.json").write_text(json.dumps({"profile": {"label": "Me"}, "viewer": {"theme": "dark"}}))
    async with open_peer(folder, {}) as opened:
        TableDesign(opened.database, folder).create("own", [{"name": "x", "type": "text"}])
        opened.database.rows("INSERT INTO own (_owner, x) VALUES ('me', 'kept')")
        yield opened


def rows(peer: Peer, sql: str) -> list[tuple[Any, ...]]:
    return peer.database.rows(sql)


def site(peer: Peer) -> dict[str, str]:
    files = [path for name in ("site", "schemas") for path in (peer.folder / name).rglob("*") if path.is_file()]
    return {path.relative_to(peer.folder).as_posix(): path.read_text() for path in files}


def state(peer: Peer) -> tuple[object, ...]:
    """What `undo` must bring back, and a change that fails must leave."""
    schema = rows(peer, "SELECT name, sql FROM sqlite_schema WHERE tbl_name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name")
    tables = {str(name): rows(peer, f'SELECT * FROM "{name}"') for name, sql in schema if str(sql).startswith("CREATE TABLE")}
    registered = rows(peer, "SELECT name, schema, insert_policy FROM _tables ORDER BY name")
    return site(peer), json.loads((peer.folder / "goop.json").read_text()), schema, tables, registered


async def apply(peer: Peer, name: str, **options: bool) -> TemplatePlan:
    plan = await peer.templates.plan(name, **options)
    done = await peer.templates.apply(name, plan.digest, **options)
    assert done.notes == ()
    return plan


async def call(peer: Peer, function: str, caller: Caller | None = None) -> object:
    outcome = await peer.engine.call(caller or peer.owner, function)
    return json.loads(outcome.json) if isinstance(outcome, Success) else outcome.message


async def test_a_template_becomes_the_site(peer: Peer, tmp_path: Path) -> None:
    plan = await apply(peer, template(tmp_path))
    assert set(site(peer)) == {
        "site/.well-known",
        "site/index.html",
        "site/css/style.css",
        "site/lua/mine.lua",
        "site/lua/functions/seed.lua",
        "site/lua/functions/board.lua",
        "schemas/posts.json",
        "schemas/draft.json",
    }
    assert rows(peer, "SELECT title, _owner FROM posts") == [("Clubhousetrue", peer.owner.id)]  # seed ran, once, as the owner
    assert rows(peer, "SELECT text FROM notes") == [("one",)]
    assert rows(peer, "SELECT x FROM own") == [("kept",)]
    assert rows(peer, "SELECT name, insert_policy FROM _tables ORDER BY 1") == [("notes", "open"), ("own", "owner"), ("posts", "group")]
    settings = json.loads((peer.folder / "goop.json").read_text())
    assert settings["lua"] == {"enabled": True, "kv_enabled": True}
    assert settings["viewer"] == {"theme": "dark", "active_template": "club"}
    assert await call(peer, "board", STRANGER) == 1  # at once: without a restart
    assert plan.seed
    (group,) = peer.grouping.groups.hosted()
    assert (group.name, group.kind, group.context, group.default_role) == ("Clubhouse", "template", "Clubhouse", "coauthor")
    known = meta(peer.database)
    assert (known["template_tables"], known["template_group_id"], known["template_group_name"]) == ("posts,notes", group.id, "Clubhouse")
    assert (await peer.templates.listed()).current == "Clubhouse"


async def test_what_follows_is_said_before_it_happens(peer: Peer, tmp_path: Path) -> None:
    before = state(peer)
    plan = await peer.templates.plan(template(tmp_path))
    said = "\n".join(f"{section.title}: {line}" for section in plan.sections() for line in section.lines)
    for sentence in (
        "Its rights: Pages and scripts of Clubhouse run with your rights",
        "functions/board.lua: anyone who can open the site has it run, !board too; uses goop.kv, goop.orm",
        "stay as they are: mine.lua: strangers can have them run from then on too",
        "notes (1 row): anyone may read, anyone may add rows",
        "members of the site's group whose role is coauthor may add rows",
        "no role of the site's group may delete the rows they added",
        "scripts answer from then on",
        "goop.kv (lua.kv_enabled)",
        "Run once: the script seed runs as you",
        "the site: 1 files go (mine.html), 2 come",
        "a group Clubhouse is made; its members have what the policy group gives, and new ones the role coauthor",
        "schemas/draft.json",
    ):
        assert sentence in said
    assert "http" not in said
    assert state(peer) == before


async def test_undo_brings_back_what_was_there_and_undo_again_what_was_taken_back(peer: Peer, tmp_path: Path) -> None:
    before = state(peer)
    await apply(peer, template(tmp_path))
    peer.database.rows("INSERT INTO notes (_owner, text) VALUES ('y', 'two')")
    after = state(peer)
    plan = await peer.templates.plan_undo()
    assert {each.name: each.rows for each in plan.dropped} == {"posts": 1, "notes": 2}
    await peer.templates.undo(plan.digest)
    assert state(peer) == before
    assert "disabled" in str(await call(peer, "board"))
    assert peer.grouping.groups.hosted() == ()
    await peer.templates.undo()
    assert state(peer) == after
    assert await call(peer, "board", STRANGER) == 1


async def test_another_template_takes_the_place_of_the_one_before(peer: Peer, tmp_path: Path) -> None:
    await apply(peer, template(tmp_path))
    await peer.rooms.create("Bar", context="Clubhouse")
    blog = template(tmp_path, {"manifest.json": '{"name": "Blog"}', "schema.sql": None, "schemas/draft.json": None}, "blog")
    plan = await peer.templates.plan(blog)
    assert {(each.name, each.of_template) for each in plan.dropped} == {("posts", True), ("notes", True)}
    assert {each.name for each in plan.closed} == {"Clubhouse", "Bar"}
    await peer.templates.apply(blog, plan.digest)
    assert rows(peer, "SELECT name FROM _tables ORDER BY 1") == [("own",), ("posts",)]
    assert [group.name for group in peer.grouping.groups.hosted()] == ["Blog"]
    assert sorted(path.name for path in (peer.folder / "schemas").iterdir()) == ["posts.json"]  # the draft went too


async def test_the_same_template_again_keeps_its_group(peer: Peer, tmp_path: Path) -> None:
    await apply(peer, template(tmp_path))
    (group,) = peer.grouping.groups.hosted()
    plan = await peer.templates.plan(template(tmp_path))
    assert (plan.keeps_group, plan.closed) == (True, ())
    await peer.templates.apply(template(tmp_path), plan.digest)
    assert [each.id for each in peer.grouping.groups.hosted()] == [group.id]
    assert meta(peer.database)["template_group_id"] == group.id


async def test_a_table_of_the_owner_with_that_name_is_named_and_comes_back(peer: Peer, tmp_path: Path) -> None:
    name = template(tmp_path, {"schemas/posts.json": json.dumps({**SCHEMA, "name": "Own"}), "lua/functions/seed.lua": None})
    plan = await peer.templates.plan(name)
    assert [(each.name, each.rows, each.of_template) for each in plan.dropped] == [("own", 1, False)]
    assert "YOURS" in str(plan.sections())
    await peer.templates.apply(name, plan.digest)
    assert rows(peer, "SELECT count(*) FROM own") == [(0,)]
    await peer.templates.undo()
    assert rows(peer, "SELECT x FROM own") == [("kept",)]


async def test_lua_stays_off_when_its_switches_are_to_stay(peer: Peer, tmp_path: Path) -> None:
    plan = await apply(peer, template(tmp_path), switches=False)
    assert (plan.is_lua_on, plan.seed) == (False, False)
    assert "scripts stay switched off" in str(plan.sections())
    assert "lua" not in json.loads((peer.folder / "goop.json").read_text())
    assert "disabled" in str(await call(peer, "board"))


async def test_only_what_was_shown_is_done(peer: Peer, tmp_path: Path) -> None:
    name = template(tmp_path)
    plan = await peer.templates.plan(name)
    (Path(name) / "lua/functions/board.lua").write_text('function call() return goop.http.get("http://x") end')
    before = state(peer)
    with pytest.raises(TemplateChangedError):
        await peer.templates.apply(name, plan.digest)
    with pytest.raises(TemplateChangedError):
        await peer.templates.apply(name, "nothing")
    with pytest.raises(TemplateChangedError):
        await peer.templates.apply(name, "")
    assert state(peer) == before
    assert "lua.http_enabled" in (await peer.templates.plan(name)).switches


async def test_a_seed_that_fails_is_told_and_stops_nothing(peer: Peer, tmp_path: Path) -> None:
    name = template(tmp_path, {"lua/functions/seed.lua": 'function call() error("no luck") end'})
    done = await peer.templates.apply(name, (await peer.templates.plan(name)).digest)
    assert done.notes == ("seed failed, so the site may begin without its content: seed:1: no luck",)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"schema.sql": "ATTACH 'x' AS y"}, "schema.sql may not use ATTACH"),
        ({"schema.sql": "CREATE TABLE posts (a)"}, "makes the table posts twice"),
        ({"schema.sql": "CREATE TABLE t (a); CREATE INDEX taken ON t (a)"}, "index taken already exists"),
        ({"manifest.json": "[]"}, "must be an object"),
        ({"manifest.json": "{"}, "manifest.json is no JSON"),
    ],
)
async def test_a_template_that_cannot_be_applied_changes_nothing(
    peer: Peer, tmp_path: Path, changes: dict[str, str | None], why: str
) -> None:
    peer.database.rows("CREATE INDEX taken ON own (x)")
    before = state(peer)
    name = template(tmp_path, changes)
    with pytest.raises(Exception, match=why):
        await peer.templates.apply(name, (await peer.templates.plan(name)).digest)
    assert state(peer) == before
    assert not recovery.is_interrupted(peer.folder)
    with pytest.raises(NothingToUndoError):
        await peer.templates.plan_undo()


async def test_without_a_name_of_a_template_the_ones_there_are_are_named(peer: Peer) -> None:
    with pytest.raises(TemplateError, match="ours are start, blank"):
        await peer.templates.plan("blok")


class KilledError(BaseException):
    """A kill: nothing that would put things right runs any more."""


STEPS: dict[str, str] = {
    "before anything": "template_tables.save",
    "with the tables dropped": "template_tables.make",
    "with the tables made": "template_tables.set_meta",
    "with the files moved": "write",
}


@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_before_the_end_leaves_the_old_state(peer: Peer, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, name = state(peer), template(tmp_path)
    plan = await peer.templates.plan(name)

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(f"goop2.services.templates.change.{STEPS[step]}", killed)
        patched.setattr(change, "put_back", lambda *_: None)
        patched.setattr(change, "put_right", lambda *_: None)
        patched.setattr(FileSwitch, "discard", lambda *_: None)
        with pytest.raises(KilledError):
            await peer.templates.apply(name, plan.digest)
    assert recovery.is_interrupted(peer.folder)
    assert "everything is as it was" in (await peer.templates.finish())[0]
    assert state(peer) == before
    await apply(peer, name)


async def test_a_kill_after_the_end_leaves_the_new_state_and_the_next_start_does_the_rest(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = template(tmp_path)
    plan = await peer.templates.plan(name)

    async def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(type(peer.templates), "_follow", killed)
        with pytest.raises(KilledError):
            await peer.templates.apply(name, plan.digest)
    assert recovery.put_right(peer.folder) == ""
    assert rows(peer, "SELECT count(*) FROM posts") == [(0,)]
    assert await peer.templates.finish() == ()
    assert rows(peer, "SELECT count(*) FROM posts") == [(1,)]
    assert [group.name for group in peer.grouping.groups.hosted()] == ["Clubhouse"]
    assert await peer.templates.finish() == ()
    assert rows(peer, "SELECT count(*) FROM posts") == [(1,)]  # once


async def test_what_came_with_a_folder_moves_no_file(peer: Peer, tmp_path: Path) -> None:
    """Whoever made a folder may have put a journal into it, or a record of what undo brings back."""
    (tmp_path / "mine").write_text("private")
    moves = [{"place": "../mine", "old": "site/mine.html", "new": None}]
    await apply(peer, template(tmp_path))
    before = state(peer)
    (peer.folder / JOURNAL).write_text(
        json.dumps({"seal": "", "text": json.dumps({"id": "a", "moves": moves, "settings": None, "later": {}})})
    )
    assert "not written by this user" in recovery.put_right(peer.folder)
    assert not recovery.is_interrupted(peer.folder)
    switch = str(meta(peer.database, (SWITCH_KEY,))[SWITCH_KEY])
    record = peer.folder / WORK / switch / RECORD
    taken = json.loads(json.loads(record.read_text())["text"])
    taken["moves"] = [{"place": "site/stolen.html", "old": "../mine", "new": True}]
    record.write_text(json.dumps({"seal": json.loads(record.read_text())["seal"], "text": json.dumps(taken)}))
    with pytest.raises(NothingToUndoError, match="not written by this user"):
        await peer.templates.undo()
    assert (state(peer), (tmp_path / "mine").read_text()) == (before, "private")


async def test_nothing_is_written_behind_a_link_out_of_the_folder(peer: Peer, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (peer.folder / "schemas").symlink_to(tmp_path / "elsewhere")
    before = site(peer)
    name = template(tmp_path)
    with pytest.raises(BundleError, match="outside of the peer folder"):
        await peer.templates.apply(name, (await peer.templates.plan(name)).digest)
    assert (site(peer), list((tmp_path / "elsewhere").iterdir())) == (before, [])


async def test_scripts_go_where_this_peer_keeps_them(tmp_path: Path) -> None:
    folder = tmp_path / "peer"
    (folder / "public").mkdir(parents=True)
    settings = {"lua": {"script_dir": "public/app/code"}, "paths": {"site_root": "public"}}
    (folder / "goop.json").write_text(json.dumps(settings))
    (folder / "public/app/code").mkdir(parents=True)
    (folder / "public/app/code/Board.lua").write_text("function handle() return 'old' end")
    (folder / "public/app/page.html").write_text("old")
    name = template(tmp_path, {"lua/board.lua": "function handle() return 'new' end", "app/new.html": "new"})
    async with open_peer(folder, {}) as peer:
        plan = await peer.templates.plan(name)
        await peer.templates.apply(name, plan.digest)
        assert not (folder / "site").exists()
        assert (folder / "public/app/new.html").exists()
        assert not (folder / "public/app/page.html").exists()
        assert not (folder / "public/lua").exists()
        assert sorted(path.name for path in (folder / "public/app/code").iterdir()) == ["board.lua", "functions"]
        assert not [entry.path for entry in peer.files.listing() if entry.path.endswith(".lua")]
        await peer.templates.undo()
        assert (folder / "public/app/code/Board.lua").read_text() == "function handle() return 'old' end"
        assert (folder / "public/app/page.html").read_text() == "old"


async def test_each_template_of_ours_is_applied_by_its_name(peer: Peer) -> None:
    for entry in (await peer.templates.listed()).templates:
        plan = await peer.templates.plan(entry.name)
        assert plan.ours
        assert (await peer.templates.apply(entry.name, plan.digest)).notes == ()
        assert (peer.folder / "site/index.html").exists()
        assert not (peer.folder / "README.md").exists()
        assert [script.path for script in peer.catalog.listing() if script.state != "ok"] == []
