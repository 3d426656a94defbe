"""The reference is complete: pages made from declarations are up to date, and what is served, measured or raised stands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from starlette.routing import BaseRoute, Mount, Route
from tests.web.served import served
from tools import reference
from tools.reference import commands, errors, http_api, limits, metrics

from goop2.app import open_peer
from goop2.cli.commands import goop2
from goop2.folder.creation import create
from goop2.scripting.invocation import ErrorCode
from goop2.web.app import Web
from goop2.web.console.app import console_app
from goop2.web.console.metrics import TOKEN_FILE
from goop2.web.http.console_token import Token
from goop2.web.http.listeners import bound_to
from goop2.web.http.saved_ports import SavedPorts
from goop2.web.remote.network import RemoteNetwork

DOCS = Path(__file__).parents[2] / "docs"
WITHOUT_DOCUMENTATION = frozenset(("/", "/docs", "/metrics"))
"""Addresses of the console that a table of the page has by hand."""


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_page_is_the_one_that_the_declarations_make(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == reference.PAGES[name](), "make it anew: make pages"


def test_every_command_option_and_argument_is_explained() -> None:
    missing = []
    for path, command in commands.commands(("goop2",), goop2):
        missing += [] if command.help else [" ".join(path)]
        options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
        missing += [f"{' '.join(path)} {each.opts[-1]}" for each in options if not each.help]
    assert missing == []


async def test_every_endpoint_of_pages_is_in_the_reference(tmp_path: Path) -> None:
    create(tmp_path)
    async with open_peer(tmp_path, {}) as peer:
        web = Web(peer, RemoteNetwork())
        try:
            assert {*web.api, *web.api_of_visits} == http_api.paths(), "tools/reference/http_api.py has a line for each"
        finally:
            web.stop()


def told(page: str) -> set[tuple[str, str]]:
    """Return method and path of each line `GET /rooms …`; of `/a|b` each of the two, and {} for any part in brackets."""
    found = set()
    for method, path in re.findall(r"^\|? ?`?(GET|POST) +(/[^\s?`{]*)", page, re.MULTILINE):
        head, _, last = path.rpartition("/")
        found |= {(method, re.sub(r"<[^>]*>", "{}", f"{head}/{each}")) for each in last.split("|")}
    return found


def routes(of: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield method and path of every route, those behind the token too."""
    for route in of:
        if isinstance(route, Route):
            path = re.sub(r"{[^}]*}", "{}", prefix + route.path)
            yield from ((method, path) for method in route.methods or {"GET"} if method != "HEAD")
        elif isinstance(route, Mount):
            inner = getattr(route.app, "_app", route.app)
            yield from routes(getattr(inner, "routes", []), prefix + route.path)


async def test_every_control_of_the_console_is_in_the_reference(tmp_path: Path) -> None:
    page = (DOCS / "http-api.md").read_text("utf-8")
    create(tmp_path)
    async with open_peer(tmp_path, {"GOOP2_VIEWER_HTTP_ADDR": "127.0.0.1:0"}) as peer:
        web = Web(peer, RemoteNetwork())
        try:
            with bound_to(peer.settings.viewer.http_addr, peer.identity.peer_id, SavedPorts(peer.folder)) as listeners:
                app = console_app(web, listeners[0].listener, "", Token())
            served_there = set(routes(app.routes))  # type: ignore[attr-defined]
        finally:
            web.stop()
    controls = {(method, path.removeprefix("/api/console")) for method, path in served_there if path.startswith("/api/console/")}
    assert len(controls) > 40
    assert controls - told(page) == set(), "the docstring of the control's module names each: METHOD /path {body} → answer"
    assert {path for _, path in served_there if not path.startswith("/api/console/")} <= WITHOUT_DOCUMENTATION


async def test_every_metric_a_peer_gives_is_in_the_reference(tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        await up.call("hello")
        token = (tmp_path / TOKEN_FILE).read_text().strip()
        answer = await up.ask("/metrics", host=up.console, authorization=f"Bearer {token}")
    given = {(name.removesuffix("_total"), kind) for name, kind in re.findall(r"^# TYPE (\S+) (\S+)", answer.body.decode(), re.MULTILINE)}
    # A family of time stamps that the library adds to counters and histograms.
    assert {each for each in given if not each[0].endswith("_created")} == {(each.name, each.kind) for each in metrics.families()}


def test_every_class_of_errors_is_explained() -> None:
    assert set(errors.MEANINGS) == set(ErrorCode) - {ErrorCode.OK}
    assert set(errors.FAULTS) | {"usage"} == errors.owner_codes() | errors.BY_MAIN


def test_every_limit_has_a_reason() -> None:
    without = [f"{file.parent.name}: {name}" for file in limits.files() for name, _, why in limits.limits(file) if not why]
    assert without == []


def test_every_name_of_the_sdk_is_on_the_page_about_pages() -> None:
    types = (DOCS.parent / "src/goop2/web/sdk/goop.d.ts").read_text("utf-8")
    page = (DOCS / "pages.md").read_text("utf-8")
    kinds = re.findall(r"^    [a-z]+: ([A-Z][a-z]+);$", types.partition("var Goop:")[2].partition("};")[0], re.MULTILINE)
    assert len(kinds) > 8
    missing = []
    for kind in kinds:
        body = re.search(rf"^export interface {kind} {{\n(.*?)^}}", types, re.MULTILINE | re.DOTALL)
        functions = re.findall(r"^  ([a-zA-Z]+)(?:<[^(]*>)?\(", body[1], re.MULTILINE) if body else []
        missing += [f"{kind}.{name}" for name in functions if not re.search(rf"\b{name}\b", page)]
    assert missing == []
