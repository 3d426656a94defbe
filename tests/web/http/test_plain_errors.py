"""Errors on site origins: text for a browser's bare fetch, JSON for everybody else."""

from __future__ import annotations

from typing import Any

import pytest
from tests.web.served import Served

from goop2.web.http.peer_host import host_label

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
BARE_FETCH: dict[str, Any] = {"accept": "*/*", "sec_fetch_mode": "cors", "sec_fetch_site": "same-origin"}
PATHS = {"data/lua/call": 404, "nosuch": 404, "p/{own}/data/nosuch": 404}


@pytest.mark.parametrize("path", PATHS)
async def test_a_bare_fetch_gets_the_message_as_text(up: Served, path: str) -> None:
    path = f"/api/{path.format(own=up.peer.identity.peer_id)}"
    body = b'{"function": "nosuch"}'
    for host in (up.site, up.visitor("ann")):
        told = await up.ask(path, host=host, method="POST", body=body)
        answer = await up.ask(path, host=host, method="POST", body=body, **BARE_FETCH)
        assert (answer.status, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8")
        assert answer.body.decode() == told.json["message"]
        assert answer.headers["content-length"] == str(len(answer.body))
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("headers", [{}, {**BARE_FETCH, "accept": "application/json"}, {"accept": "*/*"}, {"sec_fetch_mode": "cors"}])
async def test_everybody_else_gets_json(up: Served, headers: dict[str, Any]) -> None:
    other = f"{host_label(OTHER)}.localhost:{up.port}"
    for host in (up.site, up.visitor("ann"), other):
        answer = await up.ask("/api/nosuch", host=host, **headers)
        assert (answer.status, answer.headers["content-type"], answer.json["code"]) == (404, "application/json", "not_found")


async def test_what_is_refused_before_a_handler_is_text_too(up: Served) -> None:
    other = f"{host_label(OTHER)}.localhost:{up.port}"
    answer = await up.ask("/api/data/query", host=other, method="POST", body=b"{}", **BARE_FETCH)
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (503, "text/plain")
    large = await up.ask("/api/data/query", method="POST", body=b"x" * 3_000_000, **BARE_FETCH)
    assert (large.status, large.headers["content-type"].partition(";")[0]) == (400, "text/plain")


async def test_answers_that_are_no_errors_stay_as_they_are(up: Served) -> None:
    answer = await up.call("hello", **BARE_FETCH)
    assert (answer.headers["content-type"], answer.json) == ("application/json", "Hello, world!")


async def test_the_console_asks_for_nothing_by_name_and_gets_json(up: Served) -> None:
    answer = await up.ask("/api/console/home", host=up.console, **BARE_FETCH)
    assert (answer.status, answer.json["code"]) == (403, "forbidden")


async def test_a_site_without_an_icon_has_a_default_one(up: Served) -> None:
    for path in ("/favicon.ico", f"{up.front}favicon.ico"):
        answer = await up.ask(path)
        assert (answer.status, answer.headers["content-type"]) == (200, "image/x-icon")
    (up.folder / "site/favicon.ico").write_bytes(b"own")
    assert (await up.ask("/favicon.ico")).body == b"own"
