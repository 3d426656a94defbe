"""The data API over HTTP: results, errors and their statuses, what is refused before a script hears of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.web.served import ANSWER_SECONDS, Served, served

from goop2.scripting.limits import PARAMS_MAX_BYTES, RUNS_MAX
from goop2.web.http.timeout_protocol import TimeoutProtocol
from goop2.web.limits import BODY_MAX_BYTES

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_function_answers_with_the_bare_result(up: Served) -> None:
    answer = await up.call("hello", {"name": "Ann"})
    assert (answer.status, answer.body) == (200, b'"Hello, Ann!"')
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


async def test_params_may_be_left_out(up: Served) -> None:
    answer = await up.ask("/api/data/lua/call", method="POST", body=b'{"function": "hello"}')
    assert answer.json == "Hello, world!"


@pytest.mark.parametrize("params", [{"a": [1, 2.5, "ä\u0000", None, {"b": True}]}, [1, 2], {"n": 9007199254740992}])
async def test_values_come_through_as_they_are(up: Served, params: object) -> None:
    assert (await up.call("echo", params)).json == params


async def test_half_an_emoji_that_a_page_cut_off_comes_through_as_the_replacement_character(up: Served) -> None:
    body = rb'{"function": "echo", "params": ["cut \ud83d", "\ud83d\ude00"]}'
    assert (await up.ask("/api/data/lua/call", method="POST", body=body)).json == ["cut \ufffd", "\U0001f600"]


async def test_the_site_may_be_named_by_its_peer(up: Served) -> None:
    body = b'{"function": "hello"}'
    answer = await up.ask(f"/api/p/{up.peer.identity.peer_id}/data/lua/call", method="POST", body=body)
    assert answer.json == "Hello, world!"


async def test_the_api_of_another_peer_is_not_reached_from_here(up: Served) -> None:
    other = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
    answer = await up.ask(f"/api/p/{other}/data/lua/call", method="POST", body=b'{"function": "hello"}')
    assert (answer.status, answer.json["code"]) == (403, "forbidden")


async def test_the_list_names_the_functions_that_answer(up: Served) -> None:
    answer = await up.ask("/api/data/lua/list")
    listed = {each["name"]: each["description"] for each in answer.json["functions"]}
    assert listed["fails"] == "Fails"
    assert "hello" in listed
    assert "broken" not in listed


async def test_an_error_says_its_class_script_and_line_and_no_path(up: Served) -> None:
    answer = await up.call("fails")
    assert answer.status == 500
    assert answer.json == {"code": "script_error", "message": "fails:3: no such game", "script": "fails", "line": 3}


@pytest.mark.parametrize(
    ("function", "status", "code"),
    [("absent", 404, "not_found"), ("broken", 500, "script_error"), ("forever", 504, "timeout"), ("hungry", 507, "memory")],
)
async def test_every_error_class_has_its_status(up: Served, function: str, status: int, code: str) -> None:
    answer = await up.call(function)
    assert (answer.status, answer.json["code"]) == (status, code)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"hello"', b'{"function": 5}', b'{"params": {}}', b'{"function": "hello", "params": {]}', b"\xff"]
)
async def test_a_body_that_is_no_call_is_the_callers_mistake(up: Served, body: bytes) -> None:
    answer = await up.ask("/api/data/lua/call", method="POST", body=body)
    assert (answer.status, answer.json["code"]) == (400, "bad_request")
    assert '"function"' in answer.json["message"]


async def test_a_megabyte_of_params_is_taken_and_more_is_not(up: Served) -> None:
    frame = len(b'{"t":""}')
    most = await up.ask("/api/data/lua/call", method="POST", body=_echo(PARAMS_MAX_BYTES - frame))
    more = await up.ask("/api/data/lua/call", method="POST", body=_echo(PARAMS_MAX_BYTES - frame + 1))
    assert most.status in (200, 507)  # taken; what the script's memory makes of it is another matter
    assert (more.status, more.json["code"]) == (400, "bad_request")
    assert str(PARAMS_MAX_BYTES) in more.json["message"]


def _echo(characters: int) -> bytes:
    return json.dumps({"function": "hello", "params": {"t": "x" * characters}}, separators=(",", ":")).encode()


async def test_a_body_without_end_is_not_read_to_its_end(up: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is what the peer reads: the kernel takes megabytes more, as many as the machine is slow."""
    read = 0
    takes = TimeoutProtocol.data_received

    def counts(protocol: TimeoutProtocol, data: bytes) -> None:
        nonlocal read
        read += len(data)
        takes(protocol, data)

    monkeypatch.setattr(TimeoutProtocol, "data_received", counts)
    _, writer = await asyncio.open_connection("127.0.0.1", up.port)
    writer.write(f"POST /api/data/lua/call HTTP/1.1\r\nHost: {up.site}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    try:
        while read < 50 * BODY_MAX_BYTES:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            async with asyncio.timeout(ANSWER_SECONDS):
                await writer.drain()
    except ConnectionError:
        pass
    writer.close()
    assert BODY_MAX_BYTES < read < 20 * BODY_MAX_BYTES
    assert (await up.call("hello")).status == 200


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [("/api/data/lua/call", "GET", "POST"), ("/api/data/lua/list", "POST", "GET"), ("/api/data/tables", "PUT", "GET")],
)
async def test_each_operation_has_its_method(up: Served, path: str, method: str, allowed: str) -> None:
    answer = await up.ask(path, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "path", ["/api/data/", "/api/data/lua", "/api/data/lua/call/", "/api/", "/api/data/lua/nosuch", "/api//data/lua/list"]
)
async def test_what_is_no_operation_is_not_found(up: Served, path: str) -> None:
    answer = await up.ask(path)
    assert (answer.status, answer.json["code"]) == (404, "not_found")


async def test_strangers_are_limited_and_told_when_to_come_back(tmp_path: Path) -> None:
    async with served(tmp_path, lua={"rate_limit_per_peer": 2}) as up:
        answers = [await up.call("hello", host=up.visitor("ann")) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert 1 <= int(answers[2].headers["retry-after"]) <= 60
        assert answers[2].json["code"] == "rate_limited"
        assert [(await up.call("hello")).status for _ in range(5)] == [200] * 5  # the owner
        assert (await up.call("hello", host=up.visitor("bob"))).status == 200


async def test_scripts_switched_off_are_unavailable(tmp_path: Path) -> None:
    async with served(tmp_path, lua={"enabled": False}) as up:
        answer = await up.call("hello")
        assert (answer.status, answer.json["code"]) == (503, "unavailable")


TABLE = {"columns": [{"name": "body", "type": "text"}, {"name": "points", "type": "integer"}], "access": {"insert": "open"}}


async def on_table(up: Served, path: str, host: str = "", **request: object) -> tuple[int, object]:
    answer = await up.ask(f"/api/data/{path}", host=host, method="POST", body=json.dumps(request).encode())
    return answer.status, answer.json if answer.status == 200 else answer.json["code"]


async def test_each_caller_does_with_a_table_what_its_policy_says(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    for name, access in (("posts", {"insert": "open"}), ("diary", dict.fromkeys(("read", "insert", "update", "delete"), "local"))):
        (tmp_path / f"schemas/{name}.json").write_text(json.dumps({**TABLE, "name": name, "access": access}))
    async with served(tmp_path) as up:
        ann, bob = up.visitor("ann"), up.visitor("bob")
        assert await on_table(up, "insert", ann, table="posts", data={"body": "of ann", "points": 1}) == (
            200,
            {"status": "inserted", "id": 1},
        )
        assert await on_table(up, "update", bob, table="posts", id=1, data={"body": "x"}) == (404, "not_found")
        assert await on_table(up, "update", ann, table="posts", id=1, data={"points": "many"}) == (400, "bad_request")
        assert await on_table(up, "update", ann, table="posts", id=1, data={"points": 2}) == (200, {"status": "updated"})
        assert await on_table(up, "query", bob, table="posts", columns=["body", "points"]) == (200, [{"body": "of ann", "points": 2}])
        assert await on_table(up, "count", bob, table="posts", where="points > ?", args=[1]) == (200, {"count": 1})
        assert await on_table(up, "query", bob, table="diary") == (404, "not_found")
        assert await on_table(up, "insert", bob, table="diary", data={}) == (404, "not_found")
        assert await on_table(up, "insert", table="diary", data={"body": "mine"}) == (200, {"status": "inserted", "id": 1})
        assert await on_table(up, "tables/delete", ann, table="posts") == (403, "forbidden")
        assert [each["name"] for each in (await up.ask("/api/data/tables", host=bob)).json] == ["posts"]
        assert [each["name"] for each in (await up.ask("/api/data/tables")).json] == ["diary", "posts"]
        assert await on_table(up, "delete", bob, table="posts", id=1) == (404, "not_found")
        assert await on_table(up, "delete", ann, table="posts", id=1) == (200, {"status": "deleted"})


async def test_the_owner_makes_and_drops_tables_from_a_page(tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        columns = [{"name": "body", "type": "text"}]
        assert await on_table(up, "tables/create", name="notes", column_defs=columns) == (
            200,
            {"status": "created", "table": "notes", "mode": "classic"},
        )
        assert await on_table(up, "tables/add-column", table="notes", column={"name": "tag", "type": "text"}) == (200, {"status": "added"})
        _, described = await on_table(up, "tables/describe", table="notes")
        assert [column["name"] for column in described["columns"]][-2:] == ["body", "tag"]  # type: ignore[index]
        assert await on_table(up, "tables/rename", old_name="notes", new_name="memos") == (200, {"status": "renamed"})
        assert await on_table(up, "tables/drop-column", table="memos", column="tag") == (200, {"status": "dropped"})
        assert await on_table(up, "upsert", table="memos", key_col="body", data={"body": "a"}) == (200, {"status": "ok", "id": 1})
        assert await on_table(up, "tables/delete", table="memos") == (200, {"status": "deleted"})
        assert await on_table(up, "query", table="memos") == (404, "not_found")


async def test_a_computed_column_is_shown_in_the_console_and_not_edited(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/posts.json").write_text(json.dumps({**TABLE, "name": "posts"}))
    async with served(tmp_path) as up:
        with closing(sqlite3.connect(tmp_path / "data.db")) as connection:
            connection.execute("ALTER TABLE posts ADD COLUMN twice INTEGER AS (2 * points)")
            connection.execute("INSERT INTO posts (_owner, body, points) VALUES ('me', 'a', 4)")
            connection.commit()
        answer = await up.ask("/api/console/data", host=up.console, authorization=f"Bearer {up.web.token.text}")
        (table,) = answer.json
        edited = {column["name"]: column["editable"] for column in table["columns"]}
        assert (edited["twice"], edited["points"], edited["_id"]) == (False, True, False)
        status, rows = await on_table(up, "query", up.visitor("bob"), table="posts")
        assert (status, rows[0]["twice"]) == (200, 8)  # type: ignore[index]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"posts"', b"\xff"])
async def test_a_body_that_is_no_request_is_told_so(up: Served, body: bytes) -> None:
    answer = await up.ask("/api/data/query", method="POST", body=body)
    assert (answer.status, answer.json["code"]) == (400, "bad_request")


NESTED = b"[" * 100_000 + b"]" * 100_000
DEEP = b"[" * 400 + b"]" * 400
"""Deeper than anything of ours takes, and still within what Python can follow."""


@pytest.mark.parametrize(
    "path",
    [
        *("data/lua/call", "data/query", "data/insert", "chat/send", "chat/messages", "site/remove", "listen/control"),
        *("group/join", "group/leave", "group/send", "group/create", "group/close", "group/invite", "group/remove", "group/refuse"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b'{"function": "echo", "group": "a", "host": "b", "payload":' + DEEP + b', "params":' + DEEP + b', "data":' + DEEP + b"}",
        b'{"a":' + NESTED + b"}",
        NESTED,
        b'{"function": "\xff", "peer": "\xff", "path": "\xff", "action": "\xff"}',
        b'{"a',
        b"7",
    ],
)
async def test_no_body_is_a_mistake_of_ours(up: Served, path: str, body: bytes) -> None:
    """Nested without end or too deep, no UTF-8, cut, of another form."""
    answer = await up.ask(f"/api/{path}", method="POST", body=body)
    assert (answer.status, answer.json["code"]) == (400, "bad_request")


async def test_whoever_sends_far_too_much_still_hears_why_it_is_refused(up: Served) -> None:
    answer = await up.ask("/api/data/lua/call", method="POST", body=_echo(8 * PARAMS_MAX_BYTES))
    assert (answer.status, answer.json["code"]) == (400, "bad_request")
    assert "the body is larger than" in answer.json["message"]


async def test_a_table_that_is_raised_tells_its_message_and_its_code(up: Served) -> None:
    answer = await up.call("raises")
    assert answer.status == 500
    assert answer.json == {
        "code": "script_error", "message": "raises:2: sold out", "script": "raises", "line": 2, "detail": {"code": "no_stock"},
    }  # fmt: skip


async def test_a_call_whose_worker_is_killed_is_told_so_and_is_not_made_again(up: Served) -> None:
    begun = len(_runs_of(up, "forever"))
    call = asyncio.create_task(up.call("forever"))
    await asyncio.wait_for(_is_running(up), 5)
    for worker in list(up.peer.pool._running):
        os.kill(worker.pid, signal.SIGKILL)
    answer = await call
    assert (answer.status, answer.json["code"]) == (503, "unavailable")
    assert answer.json["message"] == "the worker of this call ended; the call may have been carried out"
    assert "retry-after" not in answer.headers, "nobody should be led to ask again: it may have been carried out"
    await asyncio.sleep(0.2)  # a second run would be there by now
    assert len(_runs_of(up, "forever")) == begun + 1
    assert not up.peer.pool._running


def _runs_of(up: Served, name: str) -> list[object]:
    return [run for run in up.peer.runs.recent(RUNS_MAX) if run.script == name]


async def _is_running(up: Served) -> None:
    while not up.peer.pool._running:  # noqa: ASYNC110 - the pool tells nobody
        await asyncio.sleep(0.01)
