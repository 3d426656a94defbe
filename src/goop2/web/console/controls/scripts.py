"""Scripts: the list with its states, the editor's files, and trying a script out as anybody.

    GET  /scripts              {folder, scripts: [Listed], warnings}
    GET  /scripts/table        the goop table for completion: [{name, signature, returns, doc}]
    POST /scripts/read         {kind, name} → {text, version}
    POST /scripts/save         {kind, name, text, version} → {version, fault, older_runs}; 409 with what is there now when that is
                               another version
    POST /scripts/create|rename|delete
    POST /scripts/try          {kind, name, argument, caller?} → {reply | result | failure, run}

What is saved is compiled before it goes live, and the answer says where the mistake is. The file has it all the same: an author's text is
never lost, and the last version that compiled goes on answering.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.folder.script_changes import Kind, ScriptConflictError, ScriptFiles, ScriptText
from goop2.scripting.api import FUNCTIONS
from goop2.scripting.engine import Failure, Recorded
from goop2.scripting.invocation import Caller
from goop2.storage.run_record import Run
from goop2.web.app import Parts
from goop2.web.console.controls.replies import refusal, reply, route, sent
from goop2.web.console.controls.runs import run_shown


class ScriptRequest(msgspec.Struct):
    """A request of the console about one script."""

    kind: Kind
    name: str


class Saved(ScriptRequest):
    """A script's new text; `version` of what it takes the place of."""

    text: str
    version: str


class Renamed(ScriptRequest):
    """The request to rename a script."""

    new_name: str


class Removed(ScriptRequest):
    """The request to remove a script."""

    version: str


class As(msgspec.Struct):
    """Whom a script is tried as; without it the owner."""

    id: str
    label: str = ""
    email: str = ""


class Tried(ScriptRequest):
    """A script to run, with a command's arguments or a function's parameters as JSON."""

    argument: str = ""
    caller: As | None = None


def routes(parts: Parts) -> list[BaseRoute]:
    """Return the routes of the scripts page's controls."""
    files = ScriptFiles(parts.folder, parts.settings.lua.script_dir, parts.settings.homes)

    async def listed(_request: Request) -> Response:
        return reply({"folder": parts.settings.lua.script_dir, "scripts": parts.catalog.listing(), "warnings": parts.catalog.warnings})

    async def table(_request: Request) -> Response:
        return reply([{"name": one.name, "signature": _signature(one), "returns": one.returns, "doc": one.doc} for one in FUNCTIONS])

    async def read(request: Request) -> Response:
        which = await sent(request, ScriptRequest)
        return reply(await asyncio.to_thread(files.read, which.kind, which.name))

    async def save(request: Request) -> Response:
        wanted = await sent(request, Saved)
        try:
            text = await asyncio.to_thread(files.save, wanted.kind, wanted.name, wanted.text, wanted.version)
        except ScriptConflictError as error:
            await parts.catalog.scan()
            now = await asyncio.to_thread(files.read, wanted.kind, wanted.name)
            return refusal(HTTPStatus.CONFLICT, "conflict", str(error), text=now.text, version=now.version)
        return reply(await _state(parts, wanted, text))

    async def create(request: Request) -> Response:
        which = await sent(request, ScriptRequest)
        text = await asyncio.to_thread(files.create, which.kind, which.name)
        return reply(await _state(parts, which, text))

    async def rename(request: Request) -> Response:
        wanted = await sent(request, Renamed)
        await asyncio.to_thread(files.rename, wanted.kind, wanted.name, wanted.new_name)
        await parts.catalog.scan()
        return reply({})

    async def delete(request: Request) -> Response:
        wanted = await sent(request, Removed)
        await asyncio.to_thread(files.delete, wanted.kind, wanted.name, wanted.version)
        await parts.catalog.scan()
        return reply({})

    async def try_out(request: Request) -> Response:
        return reply(await _try(parts, await sent(request, Tried)))

    handlers = {"read": read, "save": save, "create": create, "rename": rename, "delete": delete, "try": try_out}
    return [
        route("/scripts", listed),
        route("/scripts/table", table),
        *(route(f"/scripts/{name}", handler, methods=["POST"]) for name, handler in handlers.items()),
    ]


async def _state(parts: Parts, which: ScriptRequest, text: ScriptText) -> dict[str, object]:
    """How a script stands after a save: the catalog has its verdict when this returns."""
    await parts.catalog.scan()
    found = next((one for one in parts.catalog.listing() if (one.kind, one.name) == (which.kind, _known_as(which))), None)
    return {"version": text.version, "fault": found.fault if found else None, "older_runs": bool(found and found.older_runs)}


def _known_as(which: ScriptRequest) -> str:
    return which.name.lower() if which.kind == "command" else which.name


def _signature(one: Any) -> str:
    return f"({', '.join(each.name + ('?' if each.optional else '…' if each.repeated else '') for each in one.parameters)})"


async def _try(parts: Parts, tried: Tried) -> dict[str, object]:
    """Run it by the engine, and what its run left."""
    caller = parts.owner if tried.caller is None else Caller(tried.caller.id, tried.caller.label, email=tried.caller.email)
    runs: list[Run] = []
    answer = await _ask(parts, tried, caller, runs.append)
    return {**answer, "run": run_shown(parts, runs[0]) if runs else None}


async def _ask(parts: Parts, tried: Tried, caller: Caller, recorded: Recorded) -> dict[str, object]:
    if tried.kind == "command":
        reply_ = await parts.engine.command(caller, f"!{tried.name} {tried.argument}", recorded)
        return {"reply": reply_.text, "failure": reply_.failure}
    result = await parts.engine.call(caller, tried.name, (tried.argument.strip() or "{}").encode(), recorded)
    return {"failure": result} if isinstance(result, Failure) else {"result": msgspec.Raw(result.json)}
