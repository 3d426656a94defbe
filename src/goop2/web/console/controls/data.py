"""Data: the site's tables for their owner, by the data protocol's operations.

GET  /data            [{name, typed, rows, columns: [{name, type, required, values, editable}], policies}]
POST /data/do         {op, …} → the operation's answer (network.md, "Data"), as the owner
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.scripting.engine import Failure
from goop2.storage.data_operations import TABLE_OPERATIONS
from goop2.web.app import Parts
from goop2.web.console.controls.replies import BadRequestError, failed, reply, route, sent

SYSTEM: Final = "_"
"""How columns begin that the peer keeps itself."""


def routes(parts: Parts) -> list[BaseRoute]:
    """Return the routes of the data page's controls."""

    async def tables(_request: Request) -> Response:
        listed = await _ask(parts, "tables")
        return reply([await _described(parts, str(one["name"])) for one in listed] if isinstance(listed, list) else [])

    async def do(request: Request) -> Response:
        asked = await sent(request, dict[str, Any])
        operation = asked.pop("op", None)
        if operation not in TABLE_OPERATIONS:
            raise BadRequestError(f"{operation!r} is no operation")
        result = await parts.tables.perform(operation, parts.owner, asked)
        if isinstance(result, Failure):
            return failed(result)
        return reply(msgspec.Raw(result.json))

    return [route("/data", tables), route("/data/do", do, methods=["POST"])]


async def _described(parts: Parts, name: str) -> dict[str, object]:
    described = await _ask(parts, "describe", table=name)
    schema = await _ask(parts, "orm-schema", table=name)
    typed = {column["name"]: column for column in schema["columns"]} if isinstance(schema, dict) else {}
    columns = [_column(column, typed.get(column["name"])) for column in described] if isinstance(described, list) else []
    role = await _ask(parts, "role", table=name)
    return {
        "name": name,
        "typed": bool(typed),
        "rows": await _ask(parts, "count", table=name),
        "columns": sorted(columns, key=lambda column: (column["name"] != "_id", not column["editable"])),
        "policies": role["policies"] if isinstance(role, dict) else {},
    }


def _column(described: dict[str, Any], typed: dict[str, Any] | None) -> dict[str, object]:
    name = described["name"]
    return {
        "name": name,
        "type": typed["type"] if typed else str(described["type"]).lower(),
        "required": bool(described["not_null"]),
        "values": [value["key"] for value in typed.get("values", [])] if typed else [],
        "editable": not str(name).startswith(SYSTEM) and not described.get("computed"),
    }


async def _ask(parts: Parts, operation: str, **request: object) -> Any:
    """Return the answer as the owner, None where there is none."""
    result = await parts.tables.perform(operation, parts.owner, request)
    return None if isinstance(result, Failure) else msgspec.json.decode(result.json)
