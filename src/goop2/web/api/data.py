"""`/api/data/<path>`: what a page asks of its own peer's scripts and tables.

The operations are declared in storage/data_operations.py. What a call answers passes through as it came from the worker: JSON text is
neither parsed nor made here. It must not know origins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from goop2.scripting.catalog import Catalog
from goop2.scripting.engine import Engine, Failure, Success
from goop2.services.tables import Request, Tables, read_request
from goop2.storage.data_operations import DATA_OPERATIONS, FURTHER_PATHS, LUA_CALL, LUA_LIST, DataOperation
from goop2.web.http.handlers import JsonBody, Work, as_sent, endpoint, posted_json
from goop2.web.http.request_context import Handler, RequestContext

T = TypeVar("T")


class _LuaCall(msgspec.Struct):
    function: str
    params: msgspec.Raw = msgspec.Raw(b"{}")


class _Function(msgspec.Struct, frozen=True):
    name: str
    description: str


_LUA_CALL_BODY: Final = JsonBody(_LuaCall, '{"function": name, "params": {…}}')


class DataApi:
    """Endpoints of the data operations of one peer."""

    def __init__(self, engine: Engine, catalog: Catalog, tables: Tables) -> None:
        self._engine = engine
        self._catalog = catalog
        self._tables = tables
        self.api: dict[str, Handler] = {f"data/{operation.path}": self._handler(operation) for operation in DATA_OPERATIONS}
        self.api |= {
            f"data/{path}": endpoint(
                self._on_tables(operation, rewrite), read_request, read=posted_json(), method="POST", name=path, holds=True
            )
            for path, (operation, rewrite) in FURTHER_PATHS.items()
        }
        """Path after `/api/` → handler."""

    def _handler(self, operation: DataOperation) -> Handler:
        if operation is LUA_CALL:
            return _endpoint(operation, self._call, _LUA_CALL_BODY)
        if operation is LUA_LIST:
            return _endpoint(operation, self._list, as_sent)
        return _endpoint(operation, self._on_tables(operation), read_request)

    async def _call(self, call: RequestContext, request: _LuaCall) -> bytes | Failure:
        return _json_of(await self._engine.call(call.caller, request.function, bytes(request.params)))

    async def _list(self, _call: RequestContext, _body: bytes) -> bytes:
        listed = self._catalog.listing()
        answering = [
            # A script whose newest file is broken answers all the same if an older version runs.
            _Function(one.name, one.description)
            for one in listed
            if one.kind == "function" and (one.state == "ok" or one.older_runs)
        ]
        return msgspec.json.encode({"functions": answering})

    def _on_tables(
        self, operation: DataOperation, rewrite: Callable[[Request], Request] = lambda request: request
    ) -> Work[Request | Failure]:
        async def work(call: RequestContext, request: Request | Failure) -> bytes | Failure:
            if isinstance(request, Failure):
                return request
            return _json_of(await self._tables.perform(operation.name, call.caller, rewrite(request)))

        return work


def _endpoint(operation: DataOperation, work: Work[T], decode: Callable[[bytes], T]) -> Handler:
    return endpoint(work, decode, read=posted_json(), method=operation.method, name=operation.path, holds=True)


def _json_of(result: Success | Failure) -> bytes | Failure:
    return result.json if isinstance(result, Success) else result
