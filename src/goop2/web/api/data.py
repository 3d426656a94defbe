"""`/api/data/<op>`: what a page asks of its own peer's scripts and tables.

The table `Data.operations` is the one place where an operation is named. What a call answers passes
through as it came from the worker: JSON text is neither parsed nor made here. It must not know origins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import msgspec

from goop2.protocols.untrusted_json import Decoder, InvalidJsonError
from goop2.scripting.catalog import Catalog
from goop2.scripting.engine import Engine, Failure, Success
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.services.tables import TABLE_OPERATIONS, Tables, read_request
from goop2.web.http.bodies import read_json
from goop2.web.http.request_context import RequestContext
from goop2.web.http.responses import send_failure, send_json, send_refusal
from goop2.web.limits import BODY_MAX_BYTES, FULL_HOLD_SECONDS

Run = Callable[[Caller, bytes], Awaitable[Success | Failure]]
"""Caller and body → result."""

PATHS: Final = {
    "tables/describe": "describe",
    "tables/create": "create-table",
    "tables/delete": "delete-table",
    "tables/add-column": "add-column",
    "tables/drop-column": "drop-column",
    "tables/rename": "rename-table",
}
"""Path after `/api/data/` → operation of the data protocol; the others are named as it names them."""


_ASKED_WITH_GET: Final = frozenset(("tables", "lua/list"))


def method_of(path: str) -> str:
    """With which method an operation is asked for (behaviour.md, "HTTP")."""
    return "GET" if path in _ASKED_WITH_GET else "POST"


async def send_other_method(call: RequestContext, name: str) -> None:
    """The operation at the path `name` is asked for otherwise."""
    method = method_of(name)
    allow = (b"allow", method.encode())
    await send_refusal(call.send, HTTPStatus.METHOD_NOT_ALLOWED, f"{name} is asked for with {method}", [allow, *call.headers])


class _LuaCall(msgspec.Struct):
    function: str
    params: msgspec.Raw = msgspec.Raw(b"{}")


class _Function(msgspec.Struct, frozen=True):
    name: str
    description: str


_lua_call = Decoder(_LuaCall)


class DataApi:
    """The data operations of one peer."""

    def __init__(self, engine: Engine, catalog: Catalog, tables: Tables) -> None:
        self._engine = engine
        self._catalog = catalog
        self._tables = tables
        named = {name: name for name in TABLE_OPERATIONS - {*PATHS.values()}}
        self.operations: dict[str, Run] = {
            "lua/call": self._call,
            "lua/list": self._list,
            **{path: self._on_tables(operation) for path, operation in {**PATHS, **named}.items()},
        }

    async def answer(self, call: RequestContext, name: str) -> None:
        """Answer the operation `name`."""
        run = self.operations.get(name)
        if run is None:
            await send_failure(call.send, Failure(ErrorCode.NOT_FOUND, f"there is no data operation {name[:64]!r}"), call.headers)
        elif call.method != method_of(name):
            await send_other_method(call, name)
        else:
            await self._answer(call, run)

    async def _answer(self, call: RequestContext, run: Run) -> None:
        body = await read_json(call.scope, call.receive, BODY_MAX_BYTES) if call.method == "POST" else b""
        result = await run(call.caller, body)
        if isinstance(result, Success):
            await send_json(call.send, result.json, HTTPStatus.OK, call.headers)
        else:
            if result.code is ErrorCode.UNAVAILABLE and result.retry_after_seconds is not None:
                await asyncio.sleep(FULL_HOLD_SECONDS)  # whoever asks again at once takes no time from calls that have a place in the line
            await send_failure(call.send, result, call.headers)

    async def _call(self, caller: Caller, body: bytes) -> Success | Failure:
        try:
            asked = _lua_call.decode(body)
        except InvalidJsonError as error:
            return Failure(ErrorCode.BAD_REQUEST, f'the body should be {{"function": name, "params": {{…}}}}: {error}')
        return await self._engine.call(caller, asked.function, bytes(asked.params))

    def _on_tables(self, operation: str) -> Run:
        async def run(caller: Caller, body: bytes) -> Success | Failure:
            request = read_request(body)
            return request if isinstance(request, Failure) else await self._tables.perform(operation, caller, request)

        return run

    async def _list(self, _caller: Caller, _body: bytes) -> Success | Failure:
        listed = self._catalog.listing()
        answering = [
            _Function(one.name, one.description) for one in listed if one.kind == "function" and (one.state == "ok" or one.older_runs)
        ]
        return Success(msgspec.json.encode({"functions": answering}))
