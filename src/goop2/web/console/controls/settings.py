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
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.config import Settings, SettingsError
from goop2.config.editing import BACKUP, SettingsConflictError, SettingsView, UnknownSettingError, save, show
from goop2.config.settings import Setting, declared, sections
from goop2.config.types import Address
from goop2.web.app import Parts
from goop2.web.console.controls.replies import BadRequestError, refusal, reply, route, sent

_CHANGED: Final = "goop.json was changed meanwhile, by another tab or an editor; look at what it says now, and save again"


class SettingsChange(msgspec.Struct, forbid_unknown_fields=True):
    """The request to change settings."""

    version: str
    changes: dict[str, object]


def routes(parts: Parts, environment: Mapping[str, str] = os.environ) -> list[BaseRoute]:
    """Path → handler. `environment` is where `GOOP2_…` stands."""

    async def answer(request: Request) -> Response:
        try:
            if request.method == "GET":
                return reply(_page(parts, await asyncio.to_thread(show, parts.folder), environment))
            wanted = await sent(request, SettingsChange)
            shown = await asyncio.to_thread(save, parts.folder, wanted.changes, wanted.version, environment)
        except SettingsError as error:
            raise BadRequestError(str(error)) from None
        except UnknownSettingError as error:
            raise BadRequestError(f"{error} is no setting") from None
        except SettingsConflictError:
            return refusal(HTTPStatus.CONFLICT, "conflict", _CHANGED)
        return reply(_page(parts, shown, environment))

    return [route("/settings", answer, methods=["GET", "POST"])]


def _page(parts: Parts, shown: SettingsView, environment: Mapping[str, str]) -> dict[str, object]:
    rows = [_row(setting, parts.settings, shown, environment) for setting in declared()]
    docs = {name: str(section.__doc__) for name, section in sections().items()}
    return {"version": shown.version, "backup": BACKUP, "sections": docs, "settings": rows}


def _row(setting: Setting, running: Settings, shown: SettingsView, environment: Mapping[str, str]) -> dict[str, object]:
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
    """Return what the file sets it to, None when it sets nothing (then the default holds, which a start may compute)."""
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
