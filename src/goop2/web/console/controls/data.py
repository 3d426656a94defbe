"""Data: the tables of the site for the owner, their rows, their columns and policies, and the owner's own SQL.

GET  /data            [{name, kind, typed, rows, about, columns, policies, sentences, search, editable}]
POST /data/do         {op, …} → the operation's answer (network.md, "Data"), as the owner
POST /data/rows       {table, filters, search, order, down, offset, limit, total} → {columns, rows, more}
POST /data/count      the same → {count}, null where counting takes too long
POST /data/facet      the same and {column} → {column, values, sampled}
GET  /data/version    {version}, another one when somebody has written
POST /data/design     {change, …} → {notes}
POST /data/sql        {sql, write} → {columns, rows, more, changed, milliseconds}
POST /data/explain    {sql} → [{depth, text}]
GET  /data/queries    [{name, sql}]
POST /data/queries    {name, sql}; without sql it is forgotten
GET  /data/choices    {types, filters, policies: {operation: {policy: sentence}}}
POST /data/import/preview?form=&plan=&partial=   the beginning of a file → {columns, rows, faults, problem}
POST /data/import/begin          → {id, stage, …}, of an import whose file comes next
POST /data/import/part?id=&at=   the file from byte `at` on → the same
POST /data/import/start          {id, form, plan} → the same
GET  /data/import/state?id=      → the same
POST /data/import/stop           {id} → the same
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.protocols.untrusted_json import decode
from goop2.scripting.engine import Failure
from goop2.services.peer import Peer
from goop2.services.table_desk import TableDesk
from goop2.services.table_imports import TableImports
from goop2.storage.data_operations import TABLE_OPERATIONS
from goop2.storage.import_limits import PART_MAX_BYTES, PREVIEW_MAX_BYTES
from goop2.storage.import_source import Form
from goop2.storage.policy_sentences import POLICY_SENTENCES
from goop2.storage.table_browser import FILTERS, WITHOUT_VALUE, RowsWanted
from goop2.storage.table_import import ImportPlan
from goop2.storage.values import TYPES, whole_number
from goop2.web.console.controls.replies import BadRequestError, failed, reply, route, sent
from goop2.web.http.bodies import read_body


class FacetWanted(RowsWanted, frozen=True, kw_only=True):
    """A column whose commonest values are asked for."""

    column: str


class SqlSent(msgspec.Struct, frozen=True):
    """A statement of the owner's; one that changes rows is run only with `write`."""

    sql: str
    write: bool = False


class QuerySent(msgspec.Struct, frozen=True):
    """A query to keep, or to forget."""

    name: str
    sql: str = ""


class ImportStarted(msgspec.Struct, frozen=True):
    """A file that came whole, and what is to be done with it."""

    id: str
    form: Form
    plan: ImportPlan


class ImportNamed(msgspec.Struct, frozen=True):
    """An import by its id, so that a page that was left open does not steer a later one."""

    id: str


def routes(peer: Peer) -> list[BaseRoute]:
    """Return the routes of the data page's controls."""

    async def do(request: Request) -> Response:
        keys = await sent(request, dict[str, Any])
        # Functions of scripts are tried on the Scripts page, which shows their run.
        operation = keys.pop("op", None)
        if operation not in TABLE_OPERATIONS:
            raise BadRequestError(f"{operation!r} is no operation")
        result = await peer.tables.perform(operation, peer.owner, keys)
        if isinstance(result, Failure):
            return failed(result)
        return reply(msgspec.Raw(result.json))

    return [route("/data/do", do, methods=["POST"]), *_looking(peer.desk), *_asking(peer.desk), *_importing(peer.imports)]


def _looking(desk: TableDesk) -> list[BaseRoute]:
    async def tables(_request: Request) -> Response:
        return reply(await desk.tables())

    async def rows(request: Request) -> Response:
        return reply(await desk.rows(await sent(request, RowsWanted)))

    async def count(request: Request) -> Response:
        return reply({"count": await desk.count(await sent(request, RowsWanted))})

    async def facet(request: Request) -> Response:
        wanted = await sent(request, FacetWanted)
        return reply(await desk.facet(wanted, wanted.column))

    async def choices(_request: Request) -> Response:
        return reply({"types": list(TYPES), "filters": list(FILTERS), "without_value": sorted(WITHOUT_VALUE), "policies": POLICY_SENTENCES})

    async def version(_request: Request) -> Response:
        return reply({"version": await desk.version()})

    return [
        route("/data", tables),
        route("/data/rows", rows, methods=["POST"]),
        route("/data/count", count, methods=["POST"]),
        route("/data/facet", facet, methods=["POST"]),
        route("/data/version", version),
        route("/data/choices", choices),
    ]


def _asking(desk: TableDesk) -> list[BaseRoute]:
    async def design(request: Request) -> Response:
        keys = await sent(request, dict[str, Any])
        return reply({"notes": await desk.design(str(keys.pop("change", "")), keys)})

    async def sql(request: Request) -> Response:
        statement = await sent(request, SqlSent)
        return reply(await (desk.write_sql if statement.write else desk.read_sql)(statement.sql))

    async def explain(request: Request) -> Response:
        return reply(await desk.explain((await sent(request, SqlSent)).sql))

    async def queries(request: Request) -> Response:
        if request.method == "POST":
            query = await sent(request, QuerySent)
            await (desk.save_query(query.name, query.sql) if query.sql else desk.forget_query(query.name))
        return reply(await desk.queries())

    return [
        route("/data/design", design, methods=["POST"]),
        route("/data/sql", sql, methods=["POST"]),
        route("/data/explain", explain, methods=["POST"]),
        route("/data/queries", queries, methods=["GET", "POST"]),
    ]


def _importing(imports: TableImports) -> list[BaseRoute]:
    async def preview(request: Request) -> Response:
        beginning = await read_body(request.scope, request.receive, PREVIEW_MAX_BYTES)
        plan = decode(request.query_params.get("plan", "{}").encode(), ImportPlan)
        partial = request.query_params.get("partial") == "true"
        return reply(await imports.preview(beginning, _form(request), plan, partial=partial))

    async def begin(_request: Request) -> Response:
        return reply(await imports.begin())

    async def part(request: Request) -> Response:
        offset = whole_number(request.query_params.get("at"))
        if offset is None:
            raise BadRequestError("at must be a whole number from 0")
        content = await read_body(request.scope, request.receive, PART_MAX_BYTES)
        return reply(await imports.receive(request.query_params.get("id", ""), offset, content))

    async def start(request: Request) -> Response:
        wanted = await sent(request, ImportStarted)
        return reply(await imports.start(wanted.id, wanted.form, wanted.plan))

    async def state(request: Request) -> Response:
        return reply(imports.state(request.query_params.get("id", "")))

    async def stop(request: Request) -> Response:
        return reply(imports.stop((await sent(request, ImportNamed)).id))

    return [
        route("/data/import/preview", preview, methods=["POST"]),
        route("/data/import/begin", begin, methods=["POST"]),
        route("/data/import/part", part, methods=["POST"]),
        route("/data/import/start", start, methods=["POST"]),
        route("/data/import/state", state),
        route("/data/import/stop", stop, methods=["POST"]),
    ]


def _form(request: Request) -> Form:
    form = request.query_params.get("form")
    if form == "csv":
        return "csv"
    if form == "json":
        return "json"
    raise BadRequestError(f"the form is {form!r}; allowed is csv, json")
