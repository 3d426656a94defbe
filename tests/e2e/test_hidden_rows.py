"""Hidden rows change no answer, whichever door is asked: pages over HTTP, the REST API, other peers over libp2p.

The twin is a peer of the same folder without them. tests/storage/test_hidden_rows.py asks far more, without a peer around it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tests.e2e.peers import Running, made, running
from tests.net.hosts import loopback_host
from tests.storage.worlds import FAILING, TABLE, requests
from tests.web.served import exchange

from goop2.net.address import parse
from goop2.peers.client import PeerClient
from goop2.protocols import data
from goop2.storage.migrations import open_folder
from goop2.storage.typed_tables import Owner, TypedTables

REQUESTS = 60
READING = ("query", "query-one", "count", "exists", "pluck", "distinct", "aggregate")
SCHEMA = [{"name": "code", "type": "text", "key": True}, {"name": "n", "type": "integer"}, {"name": "body", "type": "text"}]
ACCESS = {"read": "owner", "insert": "open", "update": "owner", "delete": "owner"}
API = {
    "things": {
        "table": TABLE,
        "slug": "code",
        "filter": "json_valid(body)",
        "get": True,
        "list": {"order": "code"},
        "map": {"key": "code", "value": "n"},
    }
}
GUESSES = [
    {"op": "query", "where": f"code BETWEEN 'b' AND 'z' AND iif(code {guess}, json('{{' || code), 0)", "columns": ["code"]}
    for guess in ("= 'hunter2'", "> 'c'", "= 'wrong'", "LIKE 'h%'")
]
Asked = dict[str, object]


def folder_of(path: Path, *, hidden: bool) -> Path:
    """A peer's folder with rows of its owner, or with none where they were."""
    made(path, "Alice", lua={"enabled": True, "rate_limit_per_peer": 10_000, "rate_limit_global": 10_000})
    (path / "site/api.json").write_text(json.dumps(API))
    database, _ = open_folder(path, path / "site/lua")
    typed = TypedTables(database)
    typed.create(TABLE, SCHEMA, {"access": ACCESS})
    for code, n, body in (("hunter2", 5, "{"), ("d", 1, "x"), ("z", 2**63 - 1, None)):
        typed.insert(TABLE, {"code": code, "n": str(n) if n > 2**53 else n, "body": body}, Owner("boss"))
    if not hidden:
        database.rows(f"DELETE FROM {TABLE}")
    database.close()
    return path


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Running]]:
    place = tmp_path_factory.mktemp("twins")
    with (
        running(folder_of(place / "whole", hidden=True), "Alice") as whole,
        running(folder_of(place / "without", hidden=False), "Alice") as without,
    ):
        yield whole, without


def asked() -> list[Asked]:
    """Some requests of a stranger, and guesses as an attack makes them."""
    found: list[Asked] = [{"table": TABLE, **guess} for guess in GUESSES]

    @settings(max_examples=REQUESTS * 4, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(one=requests(FAILING))
    def collect(one: tuple[str, Asked]) -> None:
        operation, request = one
        # Times differ between two peers, whatever is hidden.
        if operation in READING and "_at" not in json.dumps(request):
            found.append({"op": operation, "columns": ["_id", "code", "n", "body"], **request})

    collect()
    return found[:REQUESTS]


async def over_http(peer: Running, path: str, request: Asked) -> tuple[int, bytes]:
    site = urlsplit(peer.site)
    body = json.dumps(request).encode()
    head = f"POST /api/data/{path} HTTP/1.1\r\nHost: eve.{site.netloc}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = await exchange(site.port or 80, head.encode() + body)
    return answer.status, answer.body


async def test_over_http(twins: tuple[Running, Running]) -> None:
    for peer in twins:
        assert (await over_http(peer, "insert", {"table": TABLE, "data": {"code": "c", "n": 1, "body": "[1]"}}))[0] == 200
    for request in asked():
        request = dict(request)
        path = str(request.pop("op"))
        whole, without = [await over_http(peer, path, request) for peer in twins]
        assert whole == without, (path, request)
    ways: list[Asked] = [{"action": "get", "slug": slug} for slug in ("c", "hunter2", "z", "nosuch")]
    ways += (
        {"action": "get", "id": 1},
        {"action": "list"},
        {"action": "map"},
    )
    for params in ways:
        call: Asked = {"function": "api", "params": {"resource": "things", **params}}
        whole, without = [await over_http(peer, "lua/call", call) for peer in twins]
        assert whole[0] == without[0] == 200, whole
        assert without_times(whole[1]) == without_times(without[1]), params


def without_times(body: bytes) -> object:
    """An answer of the REST API, but for when a row was made."""
    answer = json.loads(body)
    for row in (answer.get("item"), *(answer.get("items") or ())):
        for key in ("_created_at", "_updated_at"):
            (row or {}).pop(key, None)
    return answer


async def test_over_libp2p(twins: tuple[Running, Running]) -> None:
    async with loopback_host() as eve:
        calling = PeerClient(eve)
        for peer in twins:
            await eve.connect(peer.id, [parse(peer.address)])
            added = await calling.ask(peer.id, data.DataRequest("insert", TABLE, data=msgspec.Raw(b'{"code": "b", "n": 1, "body": "[1]"}')))
            assert isinstance(added, data.SuccessAnswer), added
        for request in asked():
            whole, without = [await calling.ask(peer.id, _sent(request)) for peer in twins]
            assert whole == without, request


def _sent(request: Asked) -> data.DataRequest:
    known = {key: value for key, value in request.items() if key in data.DataRequest.__struct_fields__ and key not in ("id", "data")}
    texts = {key: value for key, value in known.items() if key in ("op", "table")}
    return data.DataRequest(**texts, **{key: msgspec.Raw(msgspec.json.encode(value)) for key, value in known.items() if key not in texts})  # type: ignore[arg-type]
