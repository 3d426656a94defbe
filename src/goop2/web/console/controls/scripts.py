"""Scripts: the list with its states, the editor's files, and trying a script out as anybody.

    GET  /scripts              {folder, scripts: [Listed], warnings}
    GET  /scripts/table        the goop table for completion: [{name, signature, returns, doc}]
    POST /scripts/read         {kind, name} → {text, version}
    POST /scripts/save         {kind, name, text, version} → {version, fault, older_runs}; 409 with what is there now when that is
                               another version
    POST /scripts/create|rename|delete
    POST /scripts/check        {kind, name, text} → {findings: [{line, start, end, message, severity}]}; the text need not be saved
    POST /scripts/versions     {kind, name} → [{id, at}], the newest first
    POST /scripts/version      {kind, name, id} → {text}
    GET  /scripts/columns      [{name, columns: [{name, type}]}], the tables of the site for completion
    POST /scripts/test         {name} → {results, seconds, notes}: the tests of the folder, or those that `name` picks
    POST /scripts/try          {kind, name, argument, caller?} → {reply | result | failure, run}

A saved script is compiled before it goes live, and the answer names the line of a mistake. The file has the new text in any case, so
that no work is lost; the last version that compiled keeps running. The last versions of each script are kept (folder/script_versions.py):
those that were saved here, and those another editor saved meanwhile.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.folder.script_changes import Kind, ScriptConflictError, ScriptFiles, ScriptText
from goop2.folder.script_versions import ScriptVersions
from goop2.scripting.api import FUNCTIONS
from goop2.scripting.catalog import CompileUnavailableError
from goop2.scripting.checks.script_checks import ScriptFinding, check
from goop2.scripting.engine import Failure, Recorded
from goop2.scripting.invocation import Caller
from goop2.services.peer import Peer
from goop2.services.script_tests.folder_copy import TestFolderError
from goop2.services.script_tests.limits import CONSOLE_SECONDS
from goop2.services.script_tests.runner import NoTestsError
from goop2.storage.columns import SYSTEM_COLUMNS
from goop2.storage.run_record import Run
from goop2.web.console.controls.replies import CONFLICT, BadRequestError, refusal, reply, route, sent
from goop2.web.console.controls.runs import run_shown

CHECKED_MAX_BYTES: Final = 200_000
"""Of a text that is checked while it is written: a quarter of a second of one thread."""
COMPLETED_TABLES_MAX: Final = 500
"""Tables whose names and columns are completed."""
Control = Callable[[Request], Awaitable[Response]]


class ScriptRequest(msgspec.Struct):
    """A request of the console about one script."""

    kind: Kind
    name: str


class SaveRequest(ScriptRequest):
    """The request to save a script's text in place of the version `version`."""

    text: str
    version: str


class RenameRequest(ScriptRequest):
    """The request to rename a script."""

    new_name: str


class DeleteRequest(ScriptRequest):
    """The request to remove a script."""

    version: str


class CheckRequest(ScriptRequest):
    """The request to look for what is odd about a text."""

    text: str


class VersionRequest(ScriptRequest):
    """The request for a saved version of a script."""

    id: str


class TrialCaller(msgspec.Struct):
    """The caller as whom a script is tried."""

    id: str
    label: str = ""
    email: str = ""


class TestRequest(msgspec.Struct):
    """The request to run the tests of the folder, or those that `name` picks."""

    __test__ = False

    name: str = ""


class TrialRequest(ScriptRequest):
    """The request to try a script, as the owner unless `caller` is given.

    `argument` is a command's arguments, or a function's parameters as JSON.
    """

    argument: str = ""
    caller: TrialCaller | None = None


def routes(peer: Peer) -> list[BaseRoute]:
    """Return the routes of the scripts page's controls."""
    files = ScriptFiles(peer.folder, peer.settings.lua.script_dir, peer.settings.homes)
    versions = ScriptVersions(peer.folder)

    async def listed(_request: Request) -> Response:
        return reply({"folder": peer.settings.lua.script_dir, "scripts": peer.catalog.listing(), "warnings": peer.catalog.warnings})

    async def table(_request: Request) -> Response:
        return reply([{"name": one.name, "signature": _signature(one), "returns": one.returns, "doc": one.doc} for one in FUNCTIONS])

    async def columns(_request: Request) -> Response:
        return reply(await _tables(peer))

    handlers = _file_handlers(peer, files, versions) | _text_handlers(peer, versions)
    return [
        route("/scripts", listed),
        route("/scripts/table", table),
        route("/scripts/columns", columns),
        *(route(f"/scripts/{name}", handler, methods=["POST"]) for name, handler in handlers.items()),
    ]


def _file_handlers(peer: Peer, files: ScriptFiles, versions: ScriptVersions) -> dict[str, Control]:
    """Return what reads and changes the files of scripts."""

    async def read(request: Request) -> Response:
        which = await sent(request, ScriptRequest)
        text = await asyncio.to_thread(files.read, which.kind, which.name)
        # What another editor has saved since is a version too.
        await asyncio.to_thread(versions.record, which.kind, which.name, text.text)
        return reply(text)

    async def save(request: Request) -> Response:
        wanted = await sent(request, SaveRequest)
        try:
            before = await asyncio.to_thread(files.read, wanted.kind, wanted.name)
            text = await asyncio.to_thread(files.save, wanted.kind, wanted.name, wanted.text, wanted.version)
            for each in (before, text):
                await asyncio.to_thread(versions.record, wanted.kind, wanted.name, each.text)
        except ScriptConflictError as error:
            # The other editor's version may not be compiled yet.
            await peer.catalog.scan()
            now = await asyncio.to_thread(files.read, wanted.kind, wanted.name)
            return refusal(HTTPStatus.CONFLICT, CONFLICT, str(error), text=now.text, version=now.version)
        return reply(await _state(peer, wanted, text))

    async def create(request: Request) -> Response:
        which = await sent(request, ScriptRequest)
        text = await asyncio.to_thread(files.create, which.kind, which.name)
        return reply(await _state(peer, which, text))

    async def rename(request: Request) -> Response:
        wanted = await sent(request, RenameRequest)
        await asyncio.to_thread(files.rename, wanted.kind, wanted.name, wanted.new_name)
        await asyncio.to_thread(versions.rename, wanted.kind, wanted.name, wanted.new_name)
        await peer.catalog.scan()
        return reply({})

    async def delete(request: Request) -> Response:
        wanted = await sent(request, DeleteRequest)
        await asyncio.to_thread(files.delete, wanted.kind, wanted.name, wanted.version)
        await peer.catalog.scan()
        return reply({})

    return {"read": read, "save": save, "create": create, "rename": rename, "delete": delete}


def _text_handlers(peer: Peer, versions: ScriptVersions) -> dict[str, Control]:
    """Return what looks at a text, runs a script, and gives earlier versions."""

    async def findings(request: Request) -> Response:
        wanted = await sent(request, CheckRequest)
        found = await _findings(peer, wanted)
        return reply({"findings": [_in_utf16(each, wanted.text) for each in found]})

    async def saved(request: Request) -> Response:
        which = await sent(request, ScriptRequest)
        return reply(await asyncio.to_thread(versions.listed, which.kind, which.name))

    async def version(request: Request) -> Response:
        wanted = await sent(request, VersionRequest)
        return reply({"text": await asyncio.to_thread(versions.read, wanted.kind, wanted.name, wanted.id)})

    async def try_out(request: Request) -> Response:
        return reply(await _try(peer, await sent(request, TrialRequest)))

    async def test(request: Request) -> Response:
        try:
            return reply(await peer.tests.run((await sent(request, TestRequest)).name, CONSOLE_SECONDS))
        except (NoTestsError, TestFolderError) as error:
            raise BadRequestError(str(error)) from None

    return {"check": findings, "versions": saved, "version": version, "try": try_out, "test": test}


def _in_utf16(finding: ScriptFinding, text: str) -> ScriptFinding:
    """Return a finding with offsets as JavaScript counts them."""
    start = len(text[: finding.start].encode("utf-16-le", "surrogatepass")) // 2
    length = len(text[finding.start : finding.end].encode("utf-16-le", "surrogatepass")) // 2
    return msgspec.structs.replace(finding, start=start, end=start + length)


async def _state(peer: Peer, which: ScriptRequest, text: ScriptText) -> dict[str, object]:
    """Return the state of a script after a save."""
    # Without this scan the answer would wait for the watcher, or name the state of the version before.
    await peer.catalog.scan()
    script = next((one for one in peer.catalog.listing() if (one.kind, one.name) == (which.kind, _known_as(which))), None)
    return {"version": text.version, "fault": script.fault if script else None, "older_runs": bool(script and script.older_runs)}


async def _findings(peer: Peer, wanted: CheckRequest) -> list[ScriptFinding]:
    """Return what the compiler and the checks say of a text. A text that is too large for that is only saved."""
    content = wanted.text.encode()
    if len(content) > CHECKED_MAX_BYTES:
        return []
    try:
        fault = await peer.pool.compile(wanted.name, content)
    except CompileUnavailableError:
        fault = ""
    if not fault:
        return await asyncio.to_thread(check, wanted.kind, wanted.name, wanted.text)
    match = re.match(r"[A-Za-z0-9_-]+:(\d+): (.*)", fault, re.DOTALL)
    line, message = (int(match[1]), match[2]) if match else (1, fault)
    start = sum(len(each) for each in wanted.text.splitlines(keepends=True)[: line - 1])
    ends = wanted.text.find("\n", start)
    return [ScriptFinding(line, start, ends if ends >= 0 else len(wanted.text), message, "error")]


async def _tables(peer: Peer) -> list[dict[str, object]]:
    """Return the tables of the site with their columns; [] while the database cannot be used."""
    listed = await peer.tables.perform("tables", peer.owner, {})
    if isinstance(listed, Failure):
        return []
    found: list[dict[str, object]] = []
    for table in msgspec.json.decode(listed.json)[:COMPLETED_TABLES_MAX]:
        described = await peer.tables.perform("describe", peer.owner, {"table": table["name"]})
        columns = [] if isinstance(described, Failure) else _columns(msgspec.json.decode(described.json))
        found.append({"name": table["name"], "columns": [{"name": each["name"], "type": str(each["type"]).lower()} for each in columns]})
    return found


def _columns(described: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the columns of a table as `describe` answers them; a typed one declares its own alone."""
    if "schema" not in described:
        return list(described["columns"])
    kinds = {"_id": "integer", "_created_at": "datetime", "_updated_at": "datetime"}
    return [*({"name": name, "type": kinds.get(name, "text")} for name in SYSTEM_COLUMNS), *described["schema"]["columns"]]


def _known_as(which: ScriptRequest) -> str:
    return which.name.lower() if which.kind == "command" else which.name


def _signature(one: Any) -> str:
    return f"({', '.join(each.name + ('?' if each.optional else '…' if each.repeated else '') for each in one.parameters)})"


async def _try(peer: Peer, tried: TrialRequest) -> dict[str, object]:
    """Run a script for the console, and return its answer with the record of the run."""
    caller = peer.owner if tried.caller is None else Caller(tried.caller.id, tried.caller.label, email=tried.caller.email)
    runs: list[Run] = []
    answer = await _ask(peer, tried, caller, runs.append)
    return {**answer, "run": run_shown(peer, runs[0]) if runs else None}


async def _ask(peer: Peer, tried: TrialRequest, caller: Caller, recorded: Recorded) -> dict[str, object]:
    if tried.kind == "library":
        raise BadRequestError(f"{tried.name} is shared code: a script that uses it can be tried")
    if tried.kind == "command":
        reply_ = await peer.engine.command(caller, f"!{tried.name} {tried.argument}", recorded)
        return {"reply": reply_.text, "failure": reply_.failure}
    result = await peer.engine.call(caller, tried.name, (tried.argument.strip() or "{}").encode(), recorded)
    return {"failure": result} if isinstance(result, Failure) else {"result": msgspec.Raw(result.json)}
