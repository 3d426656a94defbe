"""goop.http as scripts have it, from Lua to a server and back."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from tests.services.http_client.peers import STRANGER, given, peer_with, said
from tests.services.http_client.stage import Handler, Heard, Stage, a_stage, answering, redirecting

from goop2.sandbox.answers import FAILED, RAISE
from goop2.scripting.annotations import Annotations
from goop2.scripting.catalog import Script
from goop2.scripting.invocation import Caller, Invocation
from goop2.services.http_client.limits import REQUESTS_PER_INVOCATION
from goop2.services.http_client.operations import HttpOperations
from goop2.services.peer import Peer

GET = """
function call(request) local opts = request.params.opts or {} if type(opts) == "table" then opts.full = true end
  local body, err, about = goop.http.get(request.params.url, opts)
  return { body = body, err = err, about = about }
end
"""
POST = """
function call(request)
  local body, err = goop.http.post(request.params.url, request.params.body, request.params.opts)
  return { body = body, err = err }
end
"""
COUNT = """
function call(request)
  local errors = {}
  for index = 1, 5 do
    local _, err = goop.http.get(request.params.url)
    errors[index] = err or "answered"
  end
  return errors
end
"""
DODGE = """
function call(request)
  local results = {}
  local function once() local _, err = goop.http.get(request.params.url) return err or "answered" end
  for index = 1, 3 do results[index] = once() end
  local _, caught = pcall(once)
  results[4] = caught
  results[5] = coroutine.wrap(once)()
  goop.http.spent, goop.spent, _G.spent = 0, 0, 0
  results[6] = once()
  return results
end
"""
ONCE = "function handle(args) local body, err = goop.http.get(args) return err or body end"
SCRIPTS = {"get": GET, "post": POST, "count": COUNT, "dodge": DODGE}
URL = "http://good.example/"


pytestmark = pytest.mark.asyncio(loop_scope="module")  # one peer for most tests: starting one takes a while


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as ready:
        yield ready


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def peer(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Peer]:
    async with peer_with(tmp_path_factory.mktemp("peer"), stage.world(), {"get": ONCE}, SCRIPTS) as ready:
        yield ready


async def test_a_get_gives_body_no_error_and_what_the_server_said(stage: Stage, peer: Peer) -> None:
    await stage.house("good.example", answering(b"not here", "404 Not Found", ["X-Kind: test"]))
    about = {"status": 404, "headers": {"content-length": "8", "x-kind": "test"}}
    assert await given(peer, "get", {"url": URL}) == {"body": "not here", "about": about}


async def test_there_are_two_values_unless_more_is_asked_for(stage: Stage, tmp_path: Path) -> None:
    await stage.house("good.example", answering(b"x"))
    script = "function handle(url) return select('#', goop.http.get(url)) .. select('#', goop.http.get(url, {full = true})) end"
    async with peer_with(tmp_path, stage.world(), {"values": script}) as peer:
        assert await said(peer, f"!values {URL}") == "23"


async def test_bytes_arrive_as_they_are(stage: Stage, tmp_path: Path) -> None:
    await stage.house("good.example", answering(bytes(range(256))))
    script = "function handle(url) local b = goop.http.get(url) return #b .. ' ' .. b:byte(1) .. ' ' .. b:byte(-1) end"
    async with peer_with(tmp_path, stage.world(), {"bytes": script}) as peer:
        assert await said(peer, f"!bytes {URL}") == "256 0 255"


@pytest.mark.parametrize(
    ("body", "opts", "sent", "kind"),
    [
        ({"key": "val"}, None, b'{"key":"val"}', "application/json"),
        ([1, 2], None, b"[1,2]", "application/json"),
        ("a=b&c=d", None, b"a=b&c=d", "application/x-www-form-urlencoded"),
        ('{"looks": "like JSON"}', None, b'{"looks": "like JSON"}', "application/x-www-form-urlencoded"),
        (5, None, b"5", "application/x-www-form-urlencoded"),
        ("", None, b"", "application/x-www-form-urlencoded"),
        ("hello", {"headers": {"Content-Type": "text/plain"}}, b"hello", "text/plain"),
        ({"a": 1}, {"headers": {"content-type": "application/ld+json"}}, b'{"a":1}', "application/ld+json"),
    ],
)
async def test_a_post_sends_a_table_as_json_and_a_string_as_it_is(
    stage: Stage, peer: Peer, body: object, opts: object, sent: bytes, kind: str
) -> None:
    house = await stage.house("good.example", answering(b"thanks"))
    assert await given(peer, "post", {"url": URL, "body": body, "opts": opts}) == {"body": "thanks"}
    heard = house.heard[0]
    assert (heard.method, heard.body, heard.headers["content-type"]) == ("POST", sent, kind)


async def test_headers_are_sent(stage: Stage, peer: Peer) -> None:
    house = await stage.house("good.example", answering())
    await given(peer, "get", {"url": URL, "opts": {"headers": {"Authorization": "Bearer x", "X-Number": 5}}})
    assert house.heard[0].headers["authorization"] == "Bearer x"
    assert house.heard[0].headers["x-number"] == "5"


async def test_credentials_in_an_address_are_sent_as_a_header(stage: Stage, peer: Peer) -> None:
    house = await stage.house("good.example", answering())
    await said(peer, "!get http://me:p%40ss@good.example/")
    assert house.heard[0].headers["authorization"] == "Basic bWU6cEBzcw=="


async def test_a_blank_in_an_address_is_encoded(stage: Stage, peer: Peer) -> None:
    house = await stage.house("good.example", answering())
    await said(peer, "!get http://good.example/?q=New York")
    assert house.heard[0].path == "/?q=New%20York"


WRONG = {
    "no address": ("get", {}, "get:3: bad argument #1 to 'goop.http.get' (string expected, got no value)"),
    "an address that is a table": ("get", {"url": {}}, "get:3: bad argument #1 to 'goop.http.get' (string expected, got table)"),
    "options that are a string": (
        "get",
        {"url": URL, "opts": "x"},
        "get:3: bad argument #2 to 'goop.http.get' (table expected, got string)",
    ),
    "an unknown option": ("get", {"url": URL, "opts": {"timeout": 5}}, "bad argument #2 to 'goop.http.get' (opts must be a table such as"),
    "an unknown option after a body": ("post", {"url": URL, "body": "x", "opts": {"timeout": 5}}, "#3 to 'goop.http.post' (opts must be"),
    "headers without names": ("get", {"url": URL, "opts": {"headers": ["x"]}}, "opts.headers must have names"),
    "a header that is a table": ("get", {"url": URL, "opts": {"headers": {"X": {"a": 1}}}}, "opts must be a table such as"),
    "no body": ("post", {"url": URL}, "post:3: bad argument #2 to 'goop.http.post' (string or table expected, got no value)"),
    "a body that is true": (
        "post",
        {"url": URL, "body": True},
        "bad argument #2 to 'goop.http.post' (string or table expected, got boolean)",
    ),
}


@pytest.mark.parametrize(("function", "params", "message"), WRONG.values(), ids=WRONG)
async def test_a_wrong_argument_raises(stage: Stage, peer: Peer, function: str, params: object, message: str) -> None:
    asked = len(stage.asked)
    result = await given(peer, function, params)
    assert isinstance(result, str)
    assert message in result
    assert result.startswith(f"{function}:3: ")
    assert len(stage.asked) == asked


@pytest.mark.parametrize("opts", [{}, {"headers": {}}, None])
async def test_empty_options_are_fine(stage: Stage, peer: Peer, opts: object) -> None:
    await stage.house("good.example", answering())
    assert "about" in str(await given(peer, "get", {"url": URL, "opts": opts}))


async def test_three_requests_an_invocation(stage: Stage, peer: Peer) -> None:
    house = await stage.house("good.example", answering())
    limit = "http request limit (3) exceeded"
    assert await given(peer, "count", {"url": URL}) == ["answered"] * 3 + [limit] * 2
    assert house.connections == 3
    assert await given(peer, "count", {"url": URL}) == ["answered"] * 3 + [limit] * 2, "the next one begins anew"


async def test_refused_requests_count_too(stage: Stage, peer: Peer) -> None:
    errors = await given(peer, "count", {"url": "http://127.0.0.1/"})
    assert errors == ["blocked: 127.0.0.1 is a loopback address"] * 3 + ["http request limit (3) exceeded"] * 2


async def test_a_redirect_is_part_of_its_request(stage: Stage, peer: Peer) -> None:
    async def once(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await (redirecting("/next") if heard.path == "/" else answering())(heard, writer)

    await stage.house("good.example", once)
    assert await given(peer, "count", {"url": URL}) == ["answered"] * 3 + ["http request limit (3) exceeded"] * 2


async def test_nothing_in_lua_dodges_the_count(stage: Stage, peer: Peer) -> None:
    house = await stage.house("good.example", answering())
    limit = "http request limit (3) exceeded"
    assert await given(peer, "dodge", {"url": URL}) == ["answered"] * 3 + [limit] * 3
    assert house.connections == 3


async def test_what_is_switched_off_says_so(stage: Stage, tmp_path: Path) -> None:
    house = await stage.house("good.example", answering())
    async with peer_with(tmp_path, stage.world(), {"get": ONCE}, http_enabled=False) as peer:
        assert await said(peer, f"!get {URL}") == "http is disabled in goop.json (lua.http_enabled)"
    assert house.connections == 0


async def test_what_the_owner_allows_is_reached(stage: Stage, tmp_path: Path) -> None:
    box = await stage.house("box", answering(b"21 degrees"), port=8123, address="192.168.1.5")
    async with peer_with(tmp_path, stage.world(), {"get": ONCE}, http_allow=["192.168.1.5:8123"]) as peer:
        assert await said(peer, "!get http://192.168.1.5:8123/") == "21 degrees"
        assert await said(peer, "!get http://192.168.1.5:8124/") == "blocked: 192.168.1.5 is a private address"
    assert (box.connections, stage.trap.connections) == (1, 0)


def never() -> Handler:
    async def handle(_: Heard, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)  # until the client gives up

    return handle


async def gave_up(peer: Peer, message: str) -> tuple[float, float]:
    """After how many seconds a request was given up, as the script says, and how many its run took."""
    begun = time.monotonic()
    reply = await said(peer, message)
    told = re.fullmatch(r"timed out after (\d\.\d) s", reply)
    assert told, reply
    return float(told[1]), time.monotonic() - begun


async def test_a_script_can_say_that_a_request_took_too_long(stage: Stage, tmp_path: Path) -> None:
    """It has all of the run's second but the last fifth, in which the script can say so."""
    await stage.house("good.example", never())
    async with peer_with(tmp_path, stage.world(), {"get": ONCE}, timeout_seconds=1) as peer:
        waited, took = await gave_up(peer, f"!get {URL}")
        assert waited <= 0.8
        assert took > 0.79
        assert took - waited < 0.45, "what was before it is less than half of the run"


async def test_the_second_request_has_what_the_first_left(stage: Stage, tmp_path: Path) -> None:
    async def slow(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5 if heard.path == "/" else 60)  # a share of the time both have
        await answering()(heard, writer)

    await stage.house("good.example", slow)
    twice = "function handle(u) goop.http.get(u) local _, err = goop.http.get(u .. '2') return err end"
    async with peer_with(tmp_path, stage.world(), {"twice": twice}, timeout_seconds=1) as peer:
        waited, took = await gave_up(peer, f"!twice {URL}")
        assert 0.5 + waited <= 0.8
        assert took > 0.79


async def test_when_a_caller_goes_away_the_request_of_its_script_is_closed(stage: Stage, peer: Peer) -> None:
    house = await stage.house("good.example", never())
    call = asyncio.create_task(said(peer, f"!get {URL}"))
    await asyncio.wait_for(house.arrived.wait(), 5)
    call.cancel()
    await asyncio.wait_for(house.gone.wait(), 1)


async def test_when_a_worker_dies_the_request_of_its_script_is_closed(stage: Stage, peer: Peer) -> None:
    house = await stage.house("good.example", never())
    call = asyncio.create_task(said(peer, f"!get {URL}"))
    await asyncio.wait_for(house.arrived.wait(), 5)
    for pid in peer.pool.worker_pids:
        os.kill(pid, signal.SIGKILL)
    await asyncio.wait_for(house.gone.wait(), 1)
    assert "the worker of this call ended" in await call


async def test_when_the_peer_stops_requests_are_closed(stage: Stage, tmp_path: Path) -> None:
    house = await stage.house("good.example", never())
    async with peer_with(tmp_path, stage.world(), {"get": ONCE}) as peer:
        call = asyncio.create_task(said(peer, f"!get {URL}"))
        await asyncio.wait_for(house.arrived.wait(), 5)
    await asyncio.wait_for(house.gone.wait(), 1)
    await call


# What a worker might send that no calls.lua ever would.


def an_invocation() -> Invocation:
    script = Script("command", "x", "site/lua/x.lua", b"", b"", Annotations())
    return Invocation(script, b"", Caller("stranger"), time.monotonic() + 5)


FORGED: dict[str, tuple[object, ...]] = {
    "nothing": (),
    "numbers": (1, 2),
    "truth": (True, True),
    "options that are no JSON": (URL.encode(), b"{"),
    "options that are no text": (URL.encode(), b"\xff"),
    "options nested without end": (URL.encode(), b"[" * 100_000),
    "options of another kind": (URL.encode(), b"5"),
    "a number for options": (URL.encode(), 5),
    "header names without end": (URL.encode(), msgspec.json.encode({"headers": {f"x{i}": "" for i in range(10_000)}})),
    "lone surrogates": (URL.encode(), b'{"headers": {"X": "\\ud800"}}'),
    "an address of bytes": (b"\xff\xfe://\xff", None),
    "a megabyte of address": (b"http://" + b"a" * 1_000_000, None),
}


@pytest.mark.parametrize("arguments", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("name", ["http.get", "http.post"])
async def test_forged_arguments_are_answered_without_a_connection(stage: Stage, name: str, arguments: tuple[object, ...]) -> None:
    house = await stage.house("good.example", answering())
    if name == "http.post":
        arguments = (*arguments[:1], b"sbody", *arguments[1:])
    answer = await HttpOperations(stage.client()).by_name[name](an_invocation(), *arguments)
    assert answer[0] in (RAISE, FAILED)
    assert (house.connections, stage.trap.connections) == (0, 0)


@pytest.mark.parametrize("body", [None, 5, True, b"", b"xbody"])
async def test_a_forged_body_is_answered_without_a_connection(stage: Stage, body: object) -> None:
    house = await stage.house("good.example", answering())
    answer = await HttpOperations(stage.client()).post(an_invocation(), URL.encode(), body)  # type: ignore[arg-type]
    assert answer[0] == RAISE
    assert house.connections == 0


async def test_a_worker_that_does_not_count_is_counted(stage: Stage) -> None:
    house = await stage.house("good.example", answering())
    operations, invocation = HttpOperations(stage.client()), an_invocation()
    answers = [await operations.get(invocation, URL.encode()) for _ in range(10)]
    assert [answer[0] for answer in answers].count(b"vv") == REQUESTS_PER_INVOCATION == house.connections
    assert STRANGER.id == invocation.caller.id
