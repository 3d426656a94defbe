"""Settings: goop.json with every setting's meaning, default and bounds, and its saving.

    GET  /settings  {version, backup, can_restart, sections,
                     settings: [{path, title, section, doc, allowed, default, kind, value, running, variable, overridden, live, waits}]}
    POST /settings  {version, changes: {path: value | null}} → the same; 400 with the loader's sentence, and the `path` it is about where
                    that is known; 409 when the file was changed meanwhile
    POST /settings/restart   ends the peer and starts it again; 400 with the loader's sentence where it would not start

The running peer takes over at once what needs no new start (`live`); the page says what waits for one.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.config import Settings, SettingsError, load
from goop2.config.editing import BACKUP, SettingsView, save, show
from goop2.config.settings import Setting, declared, sections
from goop2.config.types import Address
from goop2.scripting.pool import PoolError
from goop2.web.app import Web
from goop2.web.console.controls.replies import BadRequestError, refusal, reply, route, sent
from goop2.web.console.events import CONSOLE

RESTART_SECONDS: Final = 0.2
"""From the answer to the end of the peer."""


class SettingsChange(msgspec.Struct, forbid_unknown_fields=True):
    """The request to change settings."""

    version: str
    changes: dict[str, object]


def routes(web: Web, environment: Mapping[str, str] = os.environ) -> list[BaseRoute]:
    """Return the routes of the settings page's controls. `environment` holds the variables `GOOP2_…`."""
    peer = web.peer

    async def answer(request: Request) -> Response:
        try:
            if request.method == "GET":
                return reply(_page(web, await asyncio.to_thread(show, peer.folder), environment))
            wanted = await sent(request, SettingsChange)
            # A file that was changed meanwhile is not overwritten (409): the page shows what it says now, and the owner decides.
            shown = await asyncio.to_thread(save, peer.folder, wanted.changes, wanted.version, environment)
            loaded = await asyncio.to_thread(load, peer.folder, environment)
            await peer.live_settings.take(loaded.settings)
        except PoolError as error:
            raise BadRequestError(f"the file is saved, and takes effect after a restart: {error}") from None
        except SettingsError as error:
            # The page marks the setting that the sentence is about.
            return refusal(HTTPStatus.BAD_REQUEST, error.code, str(error), path=_about(str(error)))
        # Other tabs show them too, and every page the label.
        web.console_events.publish("settings", {}, CONSOLE)
        return reply(_page(web, shown, environment))

    async def restart(_request: Request) -> Response:
        if web.restart is None:
            raise BadRequestError("nobody would start this peer again: end it and start it where it was started")
        try:
            # One that does not start would leave the owner without a console.
            await asyncio.to_thread(load, peer.folder, environment)
        except SettingsError as error:
            raise BadRequestError(f"it would not start: {error}") from None
        # After the answer, so that the page hears it.
        asyncio.get_running_loop().call_later(RESTART_SECONDS, web.restart)
        return reply({})

    return [route("/settings", answer, methods=["GET", "POST"]), route("/settings/restart", restart, methods=["POST"])]


def _about(sentence: str) -> str:
    """Return the setting that a refusal is about, "" when it names none."""
    named = [setting.path for setting in declared() if re.search(rf"\b{re.escape(setting.path)}\b", sentence)]
    return named[0] if named else ""


def _page(web: Web, shown: SettingsView, environment: Mapping[str, str]) -> dict[str, object]:
    rows = [_row(setting, web.peer.settings, shown, environment) for setting in declared()]
    docs = {name: str(section.__doc__) for name, section in sections().items()}
    can_restart = web.restart is not None
    return {"version": shown.version, "backup": BACKUP, "can_restart": can_restart, "sections": docs, "settings": rows}


def _row(setting: Setting, running: Settings, shown: SettingsView, environment: Mapping[str, str]) -> dict[str, object]:
    # The running value may differ from the file: settings are read at the start, and an environment variable wins.
    in_force = getattr(getattr(running, setting.section), setting.key)
    return {
        "path": setting.path,
        "title": setting.title,
        "live": setting.live,
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
