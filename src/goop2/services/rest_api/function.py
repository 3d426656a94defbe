"""The data function `api` for the catalog and the pool: api.lua as a script, and the one private operation it has.

Only this script can use the operation: the peer knows which script runs. Table, filter, fields and permissions come from api.json, rows
under the caller's own policy from `Tables`; none of that is taken from the worker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from goop2.folder import threads
from goop2.folder.site_files import UNREADABLE_RETRY_SECONDS, FileNotServedError, SiteFiles, SiteFileTooLargeError, UnreadableError
from goop2.sandbox.answers import Answer, raised, several
from goop2.sandbox.framing import WorkerProtocolError
from goop2.sandbox.messages import Scalar
from goop2.scripting.annotations import Annotations
from goop2.scripting.catalog import Script
from goop2.scripting.engine import Failure, Success
from goop2.scripting.invocation import Caller, ErrorCode, Invocation
from goop2.scripting.limits import MEGABYTE_BYTES
from goop2.services.rest_api.resources import ApiFileError, Resource, decoded, default, parse
from goop2.services.tables import Tables, read_request

NAME: Final = "api"
FILE: Final = "api.json"
OPERATION: Final = "api.perform"
ANYBODY: Final = Caller("")
"""Without rights: what it does not know of is no resource where there is no api.json."""
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "rows": ("get", "list"),
    "pairs": ("map",),
    "ids": ("update", "delete"),
    "insert": ("insert",),
    "update": ("update",),
    "delete": ("delete",),
}
"""What api.lua may ask beside `resource` → the words of api.json of which one must allow it."""
_SOURCE: Final = (Path(__file__).parent / "api.lua").read_bytes()

SCRIPT: Final = Script(
    "function",
    NAME,
    "(built in)",
    _SOURCE,
    hashlib.blake2b(_SOURCE, digest_size=16, person=b"goop2 built in").digest(),
    Annotations("The virtual REST API"),
    builtin=True,
)


class Api:
    """The virtual REST API of one peer."""

    def __init__(self, files: SiteFiles, tables: Tables) -> None:
        self._files = files
        self._tables = tables
        self._text: str | None = None
        self._resources: dict[str, Resource] | ApiFileError = {}

    def problem(self) -> str:
        """Return what is wrong with api.json, as `site/api.json: line 3, column 5: …`; "" if it is right, or missing."""
        found = self._declared()
        return f"site/{FILE}: {found}" if isinstance(found, ApiFileError) else ""

    async def perform(self, invocation: Invocation, operation: Scalar, resource: Scalar, request: Scalar) -> Answer:
        """Do the private operation of api.lua (scripting.invocation.PeerOperation). Raises `WorkerProtocolError` for an unknown one."""
        # The worker may have been taken over by another script; the peer knows which script it started.
        if not invocation.script.builtin:
            return raised("goop.api is not available")
        if _text(operation) not in ("resource", *_NEEDS):
            raise WorkerProtocolError("api.perform was asked for an operation it does not have")
        result = await self._perform(invocation.caller, _text(operation), _text(resource), request)
        if isinstance(result, Failure):
            return several(b"vvv", None, result.code.value.encode(), result.message.encode())
        return several(b"j", result.json)

    async def _perform(self, caller: Caller, operation: str, name: str, request: Scalar) -> Success | Failure:
        resource = await self._resource(name)
        if isinstance(resource, Failure):
            return resource
        if operation == "resource":
            return Success(
                msgspec.json.encode({key: value for key, value in msgspec.to_builtins(resource).items() if value not in ("", ())})
            )
        if not any(getattr(resource, word) for word in _NEEDS[operation]):
            return Failure(ErrorCode.FORBIDDEN, f"{name} cannot be asked for this")
        asked = read_request(request if isinstance(request, bytes) else b"{}")
        if isinstance(asked, Failure):
            return asked
        return await self._tables.perform(*_translated(operation, caller, resource, asked), condition=resource.filter)

    async def _resource(self, name: str) -> Resource | Failure:
        try:
            declared = await threads.SITE.run(self._declared)
        except threads.FolderHangsError as error:
            return Failure(ErrorCode.UNAVAILABLE, str(error))
        except UnreadableError as error:
            text = f"the API is closed, {FILE}: {error.strerror}"
            return Failure(ErrorCode.UNAVAILABLE, text, retry_after_seconds=UNREADABLE_RETRY_SECONDS)
        if isinstance(declared, ApiFileError):
            return Failure(ErrorCode.UNAVAILABLE, f"the API is closed, its {FILE} is wrong: {declared}")
        if declared is not None:
            return declared.get(name) or _unknown(name)
        # Asked without any rights, so a table that strangers may not see is no resource for anybody.
        known = await self._tables.perform("describe", ANYBODY, {"table": name})
        return default(name) if isinstance(known, Success) else _unknown(name)

    def _declared(self) -> dict[str, Resource] | ApiFileError | None:
        """Return the content of api.json, read again when it has changed; None when there is none."""
        try:
            text = decoded(self._files.read(FILE, MEGABYTE_BYTES))
        except FileNotServedError:
            # A folder, a pipe, a link that leads out: the owner has declared something, and nothing else is given.
            return ApiFileError("it cannot be read as a file of the site") if self._is_there() else None
        except ApiFileError as error:
            return error
        except SiteFileTooLargeError as error:
            return ApiFileError(str(error))
        # Parsed again only when its text has changed: this is on the path of every call.
        if text != self._text:
            try:
                self._resources = parse(text)
            except ApiFileError as error:
                self._resources = error
            self._text = text
        return self._resources

    def _is_there(self) -> bool:
        try:
            (self._files.root / FILE).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            pass
        return True


def _translated(operation: str, caller: Caller, resource: Resource, asked: Mapping[str, object]) -> tuple[str, Caller, dict[str, object]]:
    """Return the request to `Tables`: table and columns come from the resource, whatever `asked` says."""
    request: dict[str, object] = {**asked, "table": resource.table}
    if operation == "pairs":
        assert resource.map is not None
        request["columns"] = [resource.map.key, resource.map.value]
    elif operation == "ids":
        request["columns"] = ["_id"]
    elif operation == "rows":
        request["columns"] = list(resource.fields)
    return ("query" if operation in ("rows", "pairs", "ids") else operation), caller, request


def _unknown(name: str) -> Failure:
    return Failure(ErrorCode.NOT_FOUND, f"there is no resource {name[:64]!r}")


def _text(value: Scalar) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
