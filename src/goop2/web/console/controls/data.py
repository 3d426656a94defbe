"""Data: the tables of the site for the owner, by the operations of storage/data_operations.py.

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
from goop2.services.peer import Peer
from goop2.storage.data_operations import TABLE_OPERATIONS
from goop2.web.console.controls.replies import BadRequestError, failed, reply, route, sent

SYSTEM: Final = "_"
"""How the names of the columns begin that the peer itself writes."""


def routes(peer: Peer) -> list[BaseRoute]:
    """Return the routes of the data page's controls."""

    async def tables(_request: Request) -> Response:
        # Failures become empty answers: the page shows what it can, and the operation itself says why when it is done.
        listed = await _ask(peer, "tables")
        return reply([await _described(peer, str(one["name"])) for one in listed] if isinstance(listed, list) else [])

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

    return [route("/data", tables), route("/data/do", do, methods=["POST"])]


async def _described(peer: Peer, name: str) -> dict[str, object]:
    described = await _ask(peer, "describe", table=name) or {"columns": []}
    typed = {column["name"]: column for column in described["schema"]["columns"]} if "schema" in described else {}
    columns = [_column(column, typed.get(column["name"])) for column in described["columns"]]
    counted = await _ask(peer, "count", table=name)
    role = await _ask(peer, "role", table=name)
    return {
        "name": name,
        "typed": bool(typed),
        "rows": counted["count"] if counted else None,
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


async def _ask(peer: Peer, operation: str, **request: object) -> Any:
    """Return the answer of an operation done as the owner; None when it failed."""
    result = await peer.tables.perform(operation, peer.owner, request)
    return None if isinstance(result, Failure) else msgspec.json.decode(result.json)
