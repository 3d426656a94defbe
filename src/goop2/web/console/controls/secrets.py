"""Secrets: what scripts keep by goop.kv. Values stay hidden until one is asked for.

GET  /secrets         {enabled, scripts: [{kind, name}], keys: [{kind, script, key, bytes}]}
POST /secrets/show    {kind, script, key} → {value}
POST /secrets/save    {kind, script, key, value} → the list
POST /secrets/forget  {kind, script, key} → the list
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.services.peer import Peer
from goop2.web.console.controls.replies import reply, route, sent


class KeySent(msgspec.Struct, frozen=True):
    """A key under which a script keeps a value: `kind` is `command` or `function`."""

    kind: str
    script: str
    key: str


class ValueSent(KeySent, frozen=True):
    """A value to keep under it: a text, or any JSON."""

    value: object


def routes(peer: Peer) -> list[BaseRoute]:
    """Return the routes of the secrets page's controls."""

    async def listed() -> Response:
        scripts = [{"kind": one.kind, "name": one.name} for one in peer.catalog.listing() if one.kind in ("command", "function")]
        return reply({"enabled": peer.settings.lua.kv_enabled, "scripts": scripts, "keys": await peer.script_keys.keys()})

    async def secrets(_request: Request) -> Response:
        return await listed()

    async def show(request: Request) -> Response:
        wanted = await sent(request, KeySent)
        return reply({"value": await peer.script_keys.value(wanted.kind, wanted.script, wanted.key)})

    async def save(request: Request) -> Response:
        given = await sent(request, ValueSent)
        await peer.script_keys.put(given.kind, given.script, given.key, given.value)
        return await listed()

    async def forget(request: Request) -> Response:
        wanted = await sent(request, KeySent)
        await peer.script_keys.delete(wanted.kind, wanted.script, wanted.key)
        return await listed()

    return [
        route("/secrets", secrets),
        route("/secrets/show", show, methods=["POST"]),
        route("/secrets/save", save, methods=["POST"]),
        route("/secrets/forget", forget, methods=["POST"]),
    ]
