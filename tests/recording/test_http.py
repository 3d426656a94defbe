"""Every HTTP endpoint answers as recorded: its methods, for whom, with which headers, and the shape of what it says.

The endpoints are read from the running application, so one that is new and not recorded fails here.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families
from tests.recording.asking import ask
from tests.recording.recorded import as_json, compare, masked
from tests.recording.requests import COLUMNS, CONSOLE, HOST, SITE
from tests.web.served import Served, served

from goop2.rendezvous.http import Rendezvous
from goop2.web import app
from goop2.web.app import Web
from goop2.web.console import app as console_module
from goop2.web.console.app import console_app
from goop2.web.http.peer_host import host_label

pytestmark = pytest.mark.asyncio(loop_scope="module")

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
TOO_LARGE_BYTES = 200 * 1024 * 1024
"""More than any endpoint takes; announced, and never sent."""
FUNCTIONS = {
    "hello": 'function call(request) return "Hello, " .. (request.params.name or "world") .. "!" end',
    "broken": "function call(",
}
SETTINGS: dict[str, Any] = {"lua": {"rate_limit_per_peer": 10_000, "rate_limit_global": 100_000}}
STRANGERS_TABLE = "posts"
"""What others than the owner ask for instead of `notes`, which the owner makes and deletes."""
TABLE = {"name": STRANGERS_TABLE, "columns": COLUMNS, "access": dict.fromkeys(("read", "insert", "update", "delete"), "open")}
HEAD_IS_ENOUGH = ("events", "groups/events", "listen/events", "listen/audio")
"""Streams: their answer never ends."""


@dataclass
class Recorded:
    """A peer that is up, and its tables of endpoints."""

    up: Served
    web: Web
    console: Any

    @property
    def hosts(self) -> dict[str, str]:
        """Who asks a site's origin → the host that means this."""
        return {
            "owner": self.up.site,
            "visitor": self.up.visitor("ann"),
            "visited site's page": f"{host_label(HOST)}.localhost:{self.up.port}",
        }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recorded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Recorded]:
    found: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:

        def web(*arguments: Any, **options: Any) -> Web:
            found["web"] = Web(*arguments, **options)
            return found["web"]  # type: ignore[no-any-return]

        def console(*arguments: Any) -> Any:
            found["console"] = console_app(*arguments)
            return found["console"]

        patch.setattr(app, "Web", web)
        patch.setattr(console_module, "console_app", console)
        folder = tmp_path_factory.mktemp("peer")
        (folder / "schemas").mkdir()
        (folder / f"schemas/{STRANGERS_TABLE}.json").write_text(json.dumps(TABLE))
        async with served(folder, functions=FUNCTIONS, **SETTINGS) as up:
            yield Recorded(up, found["web"], found["console"])


def routes_below(app: Any, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield the path of every route of a Starlette application, and its methods; through what is mounted and what guards it."""
    for route in getattr(app, "routes", ()):
        if hasattr(route, "methods"):
            yield prefix + route.path, sorted(route.methods or ["any"])
        else:
            yield from routes_below(getattr(route.app, "_app", route.app), prefix + route.path)


async def answers(recorded: Recorded, path: str, host: str, good: Any, **headers: str) -> dict[str, Any]:
    """Return what an endpoint says to each method, to bad JSON, to a body that is too large, and to a request as it should be."""
    port = recorded.up.port
    name = path.removeprefix("/api/")
    methods = [method for method in METHODS if method != "GET" or name not in HEAD_IS_ENOUGH]
    said = {method: await ask(port, method, path, host, b"{}" if method == "POST" else None, **headers) for method in methods}
    if good is not None:
        said["POST, bad JSON"] = await ask(port, "POST", path, host, b"{", **headers)
        said["POST, no object"] = await ask(port, "POST", path, host, b"7", **headers)
        said["POST, too large"] = await ask(port, "POST", path, host, b"", **headers, Content_Length=str(TOO_LARGE_BYTES))
        said["POST, as it should be"] = await ask(port, "POST", path, host, json.dumps(good).encode(), **headers)
    return said


def asked_by(who: str, good: Any) -> Any:
    """Return the body as this caller sends it."""
    return good if who == "owner" else json.loads(json.dumps(good).replace('"notes"', f'"{STRANGERS_TABLE}"'))


async def test_every_endpoint_of_sites_answers_as_recorded(recorded: Recorded) -> None:
    own, visited = recorded.web.api, recorded.web.api_of_visits
    assert set(SITE) == {*own, *visited}, "tests/recording/requests.py names every endpoint"
    for who, host in recorded.hosts.items():
        recording = {path: await answers(recorded, f"/api/{path}", host, asked_by(who, good)) for path, good in SITE.items()}
        recording["(none)"] = await answers(recorded, "/api/nosuch", host, None)
        recording["(of another peer)"] = await answers(recorded, f"/api/p/{'x' * 10}/identity", host, None)
        compare(f"http-site-{who.partition(' ')[0]}.json", compacted(recording))


async def test_a_page_of_another_origin_is_refused_as_recorded(recorded: Recorded) -> None:
    recording = {}
    for who, host in recorded.hosts.items():
        for path in SITE:
            answer = await ask(recorded.up.port, "POST", f"/api/{path}", host, b"{}", Origin="http://evil.example")
            recording[f"{who}: {path}"] = answer
    recording["another host"] = await ask(recorded.up.port, "GET", "/api/identity", "evil.example")
    compare("http-foreign.json", compacted(recording))


async def test_every_control_of_the_console_answers_as_recorded(recorded: Recorded) -> None:
    routes = {path: methods for path, methods in routes_below(recorded.console) if path.startswith("/api/console/")}
    assert set(CONSOLE) == {path.removeprefix("/api/console/") for path in routes}, "tests/recording/requests.py names every control"
    recording: dict[str, Any] = {"routes": routes}
    authorization = f"Bearer {recorded.up.web.token.text}"
    for path, good in CONSOLE.items():
        filled = f"/api/console/{re.sub(r'{.*}', '999999', path)}"
        host = recorded.up.console
        recording[path] = await (streams if path == "events" else answers)(recorded, filled, host, good, Authorization=authorization)
        recording[f"{path}, without the token"] = await ask(recorded.up.port, "POST", filled, host, b"{}")
        recording[f"{path}, at the site's host"] = await ask(recorded.up.port, "GET", filled, recorded.up.site, Authorization=authorization)
    compare("http-console.json", compacted(recording))


async def streams(recorded: Recorded, path: str, host: str, _good: object, **headers: str) -> dict[str, Any]:
    """Return how an endpoint begins whose answer never ends."""
    return {method: await ask(recorded.up.port, method, path, host, None, **headers) for method in ("GET", "HEAD", "POST")}


async def test_pages_and_files_answer_as_recorded(recorded: Recorded) -> None:
    port, peer = recorded.up.port, recorded.up.peer.identity.peer_id
    sdk = sorted(f"/sdk/{file.name}" for file in Path(app.__file__).with_name("sdk").iterdir())
    paths = [
        "/",
        "/index.html",
        "/nosuch",
        "/nosuch.js",
        "/..%2fgoop.json",
        "/lua/functions/hello.lua",
        "/healthz",
        "/metrics",
        "/sdk/",
        *sdk,
    ]
    paths += [f"/p/{peer}/", f"/p/{HOST}/", "/p/nobody/", "/as/ann/", "/as/Not-A-Name/", "/console.js", "/favicon.ico"]
    recording: dict[str, Any] = {}
    for who, host in {**recorded.hosts, "console": recorded.up.console}.items():
        for path in paths:
            recording[f"{who}: {path.replace(peer, 'SELF')}"] = await ask(port, "GET", path, host)
        for method in ("HEAD", "POST", "PUT"):
            recording[f"{who}: {method} /"] = await ask(port, method, "/", host, b"" if method != "HEAD" else None)
    recording["owner: range"] = await ask(port, "GET", f"/p/{peer}/", recorded.up.site, Range="bytes=0-3")
    compare("http-pages.json", compacted(recording))


async def test_metrics_are_named_as_recorded(recorded: Recorded) -> None:
    await recorded.up.call("hello")
    answer = await recorded.up.ask("/metrics", host=recorded.up.console, authorization=f"Bearer {recorded.up.web.token.text}")
    families = text_string_to_metric_families(answer.body.decode())
    named = {family.name: {"kind": family.type, "about": family.documentation, "labels": labels_of(family.samples)} for family in families}
    compare("metrics.json", as_json(named))


def labels_of(samples: list[Any]) -> dict[str, list[str]]:
    """Return label → its values, of what is not counted per run's end."""
    names = sorted({name for sample in samples for name in sample.labels})
    return {name: sorted({sample.labels[name] for sample in samples}) if name in ("origin", "process", "state") else [] for name in names}


async def test_the_rendezvous_server_has_the_routes_recorded() -> None:
    compare("http-rendezvous.json", as_json({"routes": dict(routes_below(Rendezvous().app))}))


def compacted(recording: dict[str, Any]) -> str:
    """Return the recording as JSON in which an answer is one line, and each set of headers stands once, by a name made of it."""
    sets: dict[str, list[str]] = {}
    lines = list(listed(recording, sets))
    return masked(as_json({"headers": sets})[:-3] + ',\n "answers": {\n' + ",\n".join(lines) + "\n }\n}\n")


def listed(recording: dict[str, Any], sets: dict[str, list[str]]) -> Iterator[str]:
    """Yield a line for each answer: where it comes from, and what it is."""
    for name, value in recording.items():
        answers_ = {"": value} if "status" in value or not all(isinstance(inner, dict) for inner in value.values()) else value
        for case, answer in answers_.items():
            shown = dict(answer)
            if "headers" in shown:
                headers = shown["headers"]
                shown["headers"] = f"{zlib.crc32(masked(json.dumps(headers)).encode()):08x}"
                sets[shown["headers"]] = headers
            text = json.dumps(shown, sort_keys=True, ensure_ascii=False)
            yield f"  {json.dumps(f'{name}, {case}' if case else name)}: {text}"
