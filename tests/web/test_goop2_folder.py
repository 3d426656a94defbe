"""A whole folder as Goop2 leaves it, started here and asked over HTTP as its pages ask: by its owner, a member of each role and a stranger.

Written from existing-sites.md alone: routes with lazy handles, co-authors by group, a board that shifts positions, a poll with one answer a
peer, settings in a table of pairs and of one row, a seed, drafts of schemas that are not finished, a goop.json with every section.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.storage.test_moved import FOREIGN, SYSTEM
from tests.web.served import Answer, Served

from goop2.app import open_peer, serve_peer
from goop2.folder.identity import load_or_create

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL = {"read": True, "insert": True, "update": True, "delete": True}
OPERATIONS = tuple(ALL)


def typed(name: str, columns: str, access: str | dict[str, str], roles: object = None) -> dict[str, Any]:
    """A schema as Goop2 registers it; `columns` is `name:type[!]…`, with `!` for required and `*` for key."""
    parsed = []
    for text in columns.split():
        column, _, kind = text.partition(":")
        bare = kind.rstrip("!*")
        parsed.append({"name": column, "type": bare, "key": kind.endswith("*"), "required": kind.endswith(("!", "*")), "auto": False})
    policies = dict.fromkeys(OPERATIONS, access) if isinstance(access, str) else access
    schema = {"name": name, "columns": parsed, "access": policies, "system_key": not any(column["key"] for column in parsed)}
    return {**schema, "roles": roles} if roles else schema


ROLES = {"coauthor": ALL, "viewer": {"read": True, "insert": False, "update": False, "delete": False}}
SCHEMAS = (
    typed("posts", "title:text! slug:text! body:text published:integer", {**dict.fromkeys(OPERATIONS, "group"), "read": "open"}, ROLES),
    typed("blog_config", "key:text* value:text", {**dict.fromkeys(OPERATIONS, "owner"), "read": "open"}),
    typed("cards", "title:text! lane:text position:integer", "group", ROLES),
    typed("votes", "voter:text* choice:text!", "local"),
    typed("look", "colour:text size:integer", {**dict.fromkeys(OPERATIONS, "owner"), "read": "open"}),
)
SQL_TYPES = {"text": "TEXT", "integer": "INTEGER"}

BLOG = """
--- The blog of this site
local posts, config
local function init()
  if posts then return end
  posts = goop.orm("posts")
  config = goop.config("blog_config", { title = "My blog", layout = "list" })
end
local function is_author()
  local role = goop.group.member.role()
  return role == "owner" or role == "coauthor"
end
local function page()
  init()
  return { title = config.title, layout = config.layout, mine = is_author(), template = goop.template.name }
end
local fields = { "_id", "title", "slug" }
local function list() init() return posts:find({ where = "published = 1", order = "_id DESC", limit = 20, fields = fields }) end
local function get(p) init() return posts:get_by("slug", p.slug) end
local function save(p)
  init()
  if not is_author() then error("only authors write here") end
  if p.id then
    local ok, err = posts:update(p.id, { title = p.title })
    if not ok then error(err) end
    return { id = p.id }
  end
  local id, err = posts:insert({ title = p.title, slug = p.slug, body = p.body or "", published = 1 })
  if not id then error(err) end
  return { id = id }
end
local function remove(p)
  init()
  if not is_author() then error("only authors remove here") end
  return posts:delete_where({ where = "slug = ?", args = { p.slug } })
end
local settings = goop.owner(function(p)
  init()
  for key, value in pairs(p.values) do
    local ok, err = config:set(key, value)
    if not ok then error(err) end
  end
  return { title = config.title, layout = config.layout }
end)
call = goop.route{ page = page, list = list, get = get, save = save, remove = remove, settings = settings }
function handle(args) return "blog: " .. (args == "" and "open the page" or args) end
"""
BOARD = """
local cards
local function t() cards = cards or goop.orm("cards") return cards end
local function check() if goop.group.member.role() == "" then error("members only") end end
local function editor() local role = goop.group.member.role() if role ~= "owner" and role ~= "coauthor" then error("editors only") end end
local function list() check() return t():find({ order = "lane, position" }) end
local function add(p)
  editor()
  local last = t():aggregate("COALESCE(MAX(position), -1) as v", { where = "lane = ?", args = { p.lane } })[1].v
  local id, err = t():insert({ title = p.title, lane = p.lane, position = last + 1 })
  if not id then error(err) end
  return id
end
local function move(p)
  editor()
  local card = t():get(p.id)
  if not card then error("no such card") end
  t():update_where({ position = goop.expr("position - 1") }, { where = "lane = ? AND position > ?", args = { card.lane, card.position } })
  t():update_where({ position = goop.expr("position + 1") }, { where = "lane = ? AND position >= ?", args = { p.lane, p.position } })
  local ok, err = t():update(p.id, { lane = p.lane, position = p.position })
  if not ok then error(err) end
  return t():pluck("title", { where = "lane = ?", args = { p.lane }, order = "position" })
end
call = goop.route({ list = list, add = add, move = move })
"""
POLL = """
local votes = goop.orm("votes")
local function vote(p)
  local id, err = votes:upsert("voter", { voter = goop.peer.id, choice = p.choice })
  if not id then error(err) end
  return { mine = votes:get_by("voter", goop.peer.id).choice }
end
local function results()
  return { total = votes:count(), voted = votes:exists({ where = "voter = ?", args = { goop.peer.id } }),
           rows = votes:aggregate("choice, COUNT(*) as n", { group_by = "choice" }) }
end
call = goop.route{ vote = vote, results = results }
"""
LOOK = """
local look = goop.config("look", { colour = "red", size = 10 })
local save = goop.owner(function(p)
  local ok, err = look:save({ colour = p.colour, size = p.size })
  if not ok then error(err) end
  return "saved"
end)
call = goop.route{ get = function() return { colour = look.colour, size = look.size } end, save = save }
"""
SEED = """
local cards = goop.orm("cards")
local seeded = goop.owner(function() return cards:seed({
  { title = "one", lane = "todo", position = 0 },
  { title = "two", lane = "todo", position = 1 },
  { title = "three", lane = "done", position = 0 } }) end)
function call(request) return seeded() end
"""
SCRIPTS = {"blog": BLOG, "board": BOARD, "poll": POLL, "look": LOOK, "seed": SEED}
SETTINGS = {
    "identity": {"key_file": "data/identity.key"},
    "paths": {"site_root": "site"},
    "p2p": {"listen_port": 0, "mdns_tag": "goop-mdns", "bridge_mode": False},
    "presence": {"topic": "goop.presence.v1", "ttl_seconds": 20, "heartbeat_seconds": 5, "rendezvous_only": False, "relay_port": 0},
    "profile": {"label": "Fred", "email": "fred@example.org", "verification_token": ""},
    "viewer": {"http_addr": "127.0.0.1:0", "theme": "dark", "active_template": "clubhouse", "splash": True, "open_sites_external": False},
    "lua": {"enabled": True, "script_dir": "site/lua", "kv_enabled": True, "http_enabled": True, "rate_limit_per_peer": 1000},
}
MANIFEST = {"name": "Clubhouse", "description": "a club", "schemas": [schema["name"] for schema in SCHEMAS], "default_role": "viewer"}


def as_goop2_leaves_it(folder: Path) -> None:
    """Make the folder: nothing in it was ever touched by this program."""
    for place in ("site/lua/functions", "site/css", "site/partials", "schemas", "data"):
        (folder / place).mkdir(parents=True)
    load_or_create(folder)
    (folder / "goop.json").write_text(json.dumps(SETTINGS))
    (folder / "site/index.html").write_text(
        '<!doctype html><script src="/sdk/goop-data.js"></script><link rel="stylesheet" href="css/style.css">'
    )
    (folder / "site/css/style.css").write_text("body { color: red }")
    (folder / "site/partials/post.html").write_text("<h2>{{title}}</h2>")
    for name, source in SCRIPTS.items():
        (folder / f"site/lua/functions/{name}.lua").write_text(source)
    (folder / "schemas/draft.json").write_text('{"name": "draft", "columns": [{"name": "kind", "type": "enum"}]}')
    (folder / "schemas/broken.json").write_text('{"name": "broken", ')
    (folder / "schemas/posts.json").write_text(json.dumps({**SCHEMAS[0], "columns": SCHEMAS[0]["columns"][:1]}))
    with closing(sqlite3.connect(folder / "data.db")) as database:
        for statement in FOREIGN[:4] + FOREIGN[4:10]:
            database.execute(statement)
        for schema in SCHEMAS:
            columns = (f"{one['name']} {SQL_TYPES[one['type']]}{' NOT NULL' if one['required'] else ''}" for one in schema["columns"])
            ddl = f"CREATE TABLE {schema['name']} ({SYSTEM}, {', '.join(columns)})"
            database.execute(ddl)
            insert = schema["access"]["insert"]
            database.execute("INSERT INTO _tables (name, schema, insert_policy) VALUES (?, ?, ?)", (schema["name"], ddl, insert))
            database.execute("INSERT INTO _orm_schemas (table_name, schema_json) VALUES (?, ?)", (schema["name"], json.dumps(schema)))
        metas = {
            "template_tables": ",".join(MANIFEST["schemas"]),
            "template_manifest": json.dumps(MANIFEST),
            "template_require_email": "",
            "template_group_name": "Clubhouse",
        }
        database.executemany("INSERT INTO _meta VALUES (?, ?)", metas.items())
        database.execute("INSERT INTO posts (_owner, title, slug, published) VALUES ('12D3KooWOld', 'From before', 'before', 1)")
        database.execute("INSERT INTO blog_config (_owner, key, value) VALUES ('12D3KooWOld', 'title', 'Club news')")
        database.commit()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def club(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("club")
    as_goop2_leaves_it(folder)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GOOP2_")}
    async with open_peer(folder, environment) as peer, serve_peer(peer) as web:
        groups = peer.grouping.groups
        group = groups.host("Clubhouse", "template")
        for member in ("visitor-coauthor", "visitor-viewer"):
            groups._with(group, member)
        groups.set_role(group.id, "visitor-coauthor", "coauthor")
        yield Served(folder, peer, web)


WHO = ("owner", "coauthor", "viewer", "stranger")


def host(club: Served, who: str) -> str:
    return club.site if who == "owner" else club.visitor(who)


async def ask(club: Served, who: str, path: str, **body: object) -> Answer:
    """A request of the page below /p/<id>/, as the SDK of Goop2 sends it."""
    address = f"/api/p/{club.peer.identity.peer_id}/data/{path}"
    headers = {"content_type": "application/json", "sec_fetch_site": "same-origin", "accept": "application/json"}
    return await club.ask(address, host=host(club, who), method="POST", body=json.dumps(body).encode(), **headers)


async def run(club: Served, who: str, function: str, action: str = "", **params: object) -> Any:
    """The result of an action of a script, or its error in one string."""
    given = {"action": action, **params} if action else params
    answer = await ask(club, who, "lua/call", function=function, params=given)
    return answer.json if answer.status == 200 else f"{answer.status} {answer.json['message']}"


async def test_it_starts_with_a_word_about_each_draft_and_serves_its_pages(club: Served) -> None:
    broken, posts = club.peer.schemas.warnings
    assert "broken.json" in broken
    assert "posts.json" in posts
    assert "columns are not removed by a file" in posts
    assert not [warning for warning in club.peer.warnings if "could be read by others" not in warning]
    for path in ("", "css/style.css", "partials/post.html"):
        assert (await club.ask(f"{club.front}{path}")).status == 200
    assert (await club.ask(f"{club.front}lua/functions/blog.lua")).status == 404
    assert (await club.ask("/")).headers["location"] == club.front


async def test_pages_read_what_the_other_program_kept(club: Served) -> None:
    for who in WHO:
        page = await run(club, who, "blog", "page")
        expected = {"title": "Club news", "layout": "list", "mine": who in ("owner", "coauthor"), "template": "Clubhouse"}
        assert page == expected, who
        assert (await run(club, who, "blog", "list"))[-1]["title"] == "From before"
        assert (await run(club, who, "blog", "get", slug="before"))["_owner"] == "12D3KooWOld"


async def test_authors_write_and_nobody_else(club: Served) -> None:
    for who in WHO:
        made = await run(club, who, "blog", "save", title=f"By {who}", slug=who)
        if who in ("owner", "coauthor"):
            assert await run(club, who, "blog", "save", id=str(made["id"]), title="Again") == {"id": str(made["id"])}
            assert await run(club, who, "blog", "remove", slug=who) == 1
        else:
            assert made.startswith("500 blog:")
            assert made.endswith("only authors write here")
            assert "only authors remove here" in await run(club, who, "blog", "remove", slug="before")


async def test_settings_are_changed_by_the_owner_alone(club: Served) -> None:
    for who in WHO[1:]:
        assert "only the site owner can do this" in await run(club, who, "blog", "settings", values={"title": "Mine"})
        assert "only the site owner can do this" in await run(club, who, "look", "save", colour="blue")
    assert await run(club, "owner", "blog", "settings", values={"layout": "grid"}) == {"title": "Club news", "layout": "grid"}
    assert await run(club, "owner", "look", "save", colour="blue", size=12) == "saved"
    assert await run(club, "stranger", "look", "get") == {"colour": "blue", "size": 12}
    assert await run(club, "owner", "blog", "settings", values={"layout": "list"}) == {"title": "Club news", "layout": "list"}
    assert club.peer.database.rows("SELECT count(*) FROM blog_config WHERE key = 'layout'") == [(1,)]


async def test_a_board_is_seeded_once_and_keeps_its_positions(club: Served) -> None:
    assert "only the site owner can do this" in await run(club, "coauthor", "seed")
    assert [await run(club, "owner", "seed") for _ in range(2)] == [3, 0]
    assert "members only" in await run(club, "stranger", "board", "list")
    assert len(await run(club, "viewer", "board", "list")) == 3
    assert "editors only" in await run(club, "viewer", "board", "add", title="x", lane="todo")
    four = await run(club, "coauthor", "board", "add", title="four", lane="todo")
    assert await run(club, "coauthor", "board", "move", id=four, lane="todo", position=0) == ["four", "one", "two"]
    assert await run(club, "owner", "board", "move", id=four, lane="done", position=1) == ["three", "four"]
    lanes = club.peer.database.rows(
        "SELECT lane, group_concat(title || position, ' ') FROM (SELECT * FROM cards ORDER BY position) GROUP BY lane"
    )
    assert lanes == [("done", "three0 four1"), ("todo", "one0 two1")]
    assert "no such card" in await run(club, "owner", "board", "move", id=99, lane="todo", position=0)
    assert "number expected" in await run(club, "owner", "board", "move", id="1; DROP TABLE cards", lane="todo", position=0)


async def test_a_poll_has_one_answer_a_peer(club: Served) -> None:
    for who, choice in (*((who, "tea") for who in WHO), ("viewer", "coffee"), ("viewer", "coffee")):
        assert await run(club, who, "poll", "vote", choice=choice) == {"mine": choice}
    results = await run(club, "stranger", "poll", "results")
    assert (results["total"], results["voted"]) == (4, True)
    assert sorted((row["choice"], row["n"]) for row in results["rows"]) == [("coffee", 1), ("tea", 3)]
    assert "votes.choice is required" in await run(club, "newcomer", "poll", "vote")


async def test_an_action_that_is_none_is_told_in_a_sentence(club: Served) -> None:
    assert (await run(club, "stranger", "blog", "nosuch")).endswith("unknown action: nosuch")
    assert (await run(club, "stranger", "blog")).endswith("action parameter required")
    answer = await ask(club, "stranger", "lua/call", function="blog", params={"action": {"x": 1}})
    assert answer.json["message"].endswith("action parameter required")


async def test_a_page_gets_no_more_than_the_policies_whatever_the_scripts_do(club: Served) -> None:
    """Table → operation → who may, as the page asks for it without a script."""
    allowed = {
        ("posts", "insert"): {"owner", "coauthor"},
        ("posts", "query"): set(WHO),
        ("cards", "query"): {"owner", "coauthor", "viewer"},
        ("cards", "insert"): {"owner", "coauthor"},
        ("votes", "query"): {"owner"},
        ("votes", "insert"): {"owner"},
        ("blog_config", "query"): set(WHO),
        ("blog_config", "insert"): {"owner"},
    }
    data: dict[str, dict[str, object]] = {
        "posts": {"title": "direct", "slug": "direct"},
        "cards": {"title": "direct"},
        "votes": {"voter": "x", "choice": "y"},
        "blog_config": {"key": "x", "value": "y"},
    }
    for (table, operation), who_may in allowed.items():
        for who in WHO:
            body = {"data": data[table]} if operation == "insert" else {"limit": 1}
            if table in ("votes", "blog_config") and operation == "insert":
                body = {"data": {**data[table], "voter" if table == "votes" else "key": who}}
            answer = await ask(club, who, operation, table=table, **body)
            assert (answer.status == 200) is (who in who_may), (table, operation, who, answer.body)


async def test_members_change_their_own_rows_alone(club: Served) -> None:
    mine = (await ask(club, "coauthor", "insert", table="posts", data={"title": "a", "slug": "a"})).json["id"]
    theirs = (await ask(club, "owner", "insert", table="posts", data={"title": "b", "slug": "b"})).json["id"]
    assert (await ask(club, "coauthor", "update", table="posts", id=mine, data={"title": "c"})).status == 200
    assert (await ask(club, "coauthor", "update", table="posts", id=theirs, data={"title": "c"})).status in (403, 404)
    for who in ("viewer", "stranger"):
        for row in (mine, theirs):
            assert (await ask(club, who, "update", table="posts", id=row, data={"title": "c"})).status in (403, 404)
            assert (await ask(club, who, "delete", table="posts", id=row)).status in (403, 404)
    assert (await ask(club, "owner", "delete", table="posts", id=mine)).json == {"status": "deleted"}
    assert (await ask(club, "owner", "delete", table="posts", id=theirs)).json == {"status": "deleted"}


async def test_each_caller_is_told_its_role(club: Served) -> None:
    for who, role, may in (("owner", "owner", ALL), ("coauthor", "coauthor", ALL), ("viewer", "viewer", ROLES["viewer"])):
        answer = (await ask(club, who, "role", table="posts")).json
        assert (answer["role"], answer["permissions"]) == (role, may)
    answer = (await ask(club, "stranger", "role", table="posts")).json
    assert (answer["role"], answer["permissions"]) == ("", None)


async def test_commands_and_functions_share_their_names(club: Served) -> None:
    assert (await club.peer.engine.command(club.peer.owner, "!blog")).text == "blog: open the page"
    assert (await club.peer.engine.command(club.peer.owner, "!board")).text == "Unknown command: board"


async def test_errors_of_a_pages_own_fetch_are_text(club: Served) -> None:
    address = f"/api/p/{club.peer.identity.peer_id}/data/update-where"
    body = json.dumps({"table": "cards", "data": {"lane": "x"}}).encode()
    answer = await club.ask(address, method="POST", body=body, accept="*/*", sec_fetch_mode="cors", sec_fetch_site="same-origin")
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (400, "text/plain")
    assert "where" in answer.body.decode()


async def test_the_other_program_finds_its_registries_as_it_left_them(club: Served) -> None:
    with closing(sqlite3.connect(club.folder / "data.db")) as database:
        assert {name for (name,) in database.execute("SELECT table_name FROM _orm_schemas")} >= {schema["name"] for schema in SCHEMAS}
        (text,) = database.execute("SELECT schema_json FROM _orm_schemas WHERE table_name = 'posts'").fetchone()
        assert json.loads(text) == SCHEMAS[0]
        assert not [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'") if name == "broken"]
    assert json.loads((club.folder / "goop.json").read_text()) == SETTINGS
