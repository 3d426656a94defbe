"""Settings: goop.json with every setting's meaning, default and bounds, and its saving.

    GET  /settings  {version, settings: [{path, section, doc, allowed, default, kind, value, set, running, variable, overridden}]}
    POST /settings  {version, changes: {path: value | null}} → the same; 400 with the loader's sentence, 409 when the
                    file was changed meanwhile

Every setting is read when a peer starts, so every change waits for the next start; the page says so where the two differ.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.config import Settings
from goop2.config.editing import BACKUP, SettingsView, save, show
from goop2.config.settings import Setting, declared, sections
from goop2.config.types import Address
from goop2.services.peer import Peer
from goop2.web.console.controls.replies import reply, route, sent


class SettingsChange(msgspec.Struct, forbid_unknown_fields=True):
    """The request to change settings."""

    version: str
    changes: dict[str, object]


def routes(peer: Peer, environment: Mapping[str, str] = os.environ) -> list[BaseRoute]:
    """Return the routes of the settings page's controls. `environment` holds the variables `GOOP2_…`."""

    async def answer(request: Request) -> Response:
        if request.method == "GET":
            return reply(_page(peer, await asyncio.to_thread(show, peer.folder), environment))
        wanted = await sent(request, SettingsChange)
        # A file that was changed meanwhile is not overwritten (409): the page shows what it says now, and the owner decides.
        shown = await asyncio.to_thread(save, peer.folder, wanted.changes, wanted.version, environment)
        return reply(_page(peer, shown, environment))

    return [route("/settings", answer, methods=["GET", "POST"])]


def _page(peer: Peer, shown: SettingsView, environment: Mapping[str, str]) -> dict[str, object]:
    rows = [_row(setting, peer.settings, shown, environment) for setting in declared()]
    docs = {name: str(section.__doc__) for name, section in sections().items()}
    return {"version": shown.version, "backup": BACKUP, "sections": docs, "settings": rows}


def _row(setting: Setting, running: Settings, shown: SettingsView, environment: Mapping[str, str]) -> dict[str, object]:
    # The running value may differ from the file: settings are read at the start, and an environment variable wins.
    in_force = getattr(getattr(running, setting.section), setting.key)
    return {
        "path": setting.path,
        "section": setting.section,
        "doc": setting.doc,
        "allowed": setting.kind.allowed,
        "default": setting.shown_default,
        "kind": setting.kind.control or _kind(in_force),
        "value": shown.values.get(setting.path),
        "running": _as_json(in_force),
        "variable": setting.variable,
        "overridden": bool(environment.get(setting.variable)),
        "waits": not environment.get(setting.variable) and _parsed(setting, shown) not in (None, in_force),
    }


def _parsed(setting: Setting, shown: SettingsView) -> object:
    """Return the value in the file; None when the file has none. Then the default holds, which may be computed at the start."""
    value = shown.values.get(setting.path)
    return None if value is None or value == "" else setting.kind.parse(value)


def _kind(value: object) -> str:
    match value:
        case bool():
            return "switch"
        case int() | float():
            return "number"
        case tuple():
            return "list"
        case _:
            return "text"


def _as_json(value: object) -> object:
    match value:
        case Address():
            return str(value)
        case tuple():
            return [_as_json(one) for one in value]
        case _:
            return value
