"""Files: what is shared in groups of type `files`, by this peer and by others, and what comes from them.

    GET  /files           {up, id, file_max_bytes, quota_bytes, groups: [{id, host, label, name, joined, members, used_bytes}], transfers}
                          transfers: [{group, peer, name, size, received, state, problem, path}]
    POST /files/list      {group, host} → [{id, label, problem, files: [{name, size, mod_time, hash, here}]}], this peer first;
                          here: the same file was fetched
    POST /files/share?group=&host=&name=   the file as the body → its {name, size, mod_time, hash}
    POST /files/do        {action, group, host?, peer?, name} → as GET /files; action is one of `_ACTIONS`
    GET  /files/content?group=&name=       a file that was fetched, to be saved

Names are other people's text. What changes is also published as the event `files`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.folder.shared_files import SharedFileError
from goop2.protocols.shared_files import FILE_MAX_BYTES
from goop2.services.groups.records import GroupInfo
from goop2.services.peer import Peer
from goop2.services.shared_files.service import PeerFiles, SharedFiles
from goop2.services.shared_files.transfer import FILES, Transfer
from goop2.web.console.controls.replies import action_of, refusal, reply, route, sent
from goop2.web.http.bodies import read_body
from goop2.web.remote.network import RemoteNetwork

_DOWNLOAD: Final = {
    "content-disposition": "attachment",
    "content-type": "application/octet-stream",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}
"""Whatever a file of another peer is: it is saved, and shown by nothing here."""


class FilesAction(msgspec.Struct, kw_only=True):
    """What to do with a file of a group."""

    action: str
    group: str
    host: str = ""
    peer: str = ""
    name: str = ""


class FilesRequest(msgspec.Struct):
    """The request for the files of a group."""

    group: str
    host: str


@dataclass(frozen=True, slots=True)
class _Files:
    """What the actions and the overview work with."""

    own_id: str
    service: SharedFiles
    remote: RemoteNetwork


def routes(peer: Peer, remote: RemoteNetwork) -> list[BaseRoute]:
    """Return the routes of the files page's controls."""
    files = _Files(peer.identity.peer_id, peer.shared_files, remote)

    async def overview(_request: Request) -> Response:
        return reply(await _overview(files))

    async def listing(request: Request) -> Response:
        wanted = await sent(request, FilesRequest)
        group = files.service.group(wanted.group, wanted.host)
        received = {file.hash for file in await FILES.run(files.service.received.listing, group.id)}
        found = await files.service.everything(group)
        return reply([{"id": one.peer, "label": remote.label(one.peer), **_shared_by(one, received)} for one in found])

    async def share(request: Request) -> Response:
        asked = request.query_params
        group = files.service.group(asked.get("group", ""), asked.get("host", ""))
        content = await read_body(request.scope, request.receive, FILE_MAX_BYTES)
        try:
            return reply(await files.service.share(group, asked.get("name", ""), BytesIO(content)))
        except OSError as error:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", f"the file cannot be saved: {error.strerror or error}")

    async def act(request: Request) -> Response:
        wanted = await sent(request, FilesAction)
        group = files.service.group(wanted.group, wanted.host)
        await action_of(_ACTIONS, wanted.action, "shared files")(files, group, wanted)
        return reply(await _overview(files))

    async def content(request: Request) -> Response:
        asked = request.query_params
        return Response(await FILES.run(_read, files.service, asked.get("group", ""), asked.get("name", "")), HTTPStatus.OK, _DOWNLOAD)

    return [
        route("/files", overview),
        route("/files/list", listing, methods=["POST"]),
        route("/files/share", share, methods=["POST"]),
        route("/files/do", act, methods=["POST"]),
        route("/files/content", content),
    ]


async def _fetch(files: _Files, group: GroupInfo, wanted: FilesAction) -> None:
    await files.service.fetch(group, wanted.name, wanted.peer)


async def _stop(files: _Files, group: GroupInfo, wanted: FilesAction) -> None:
    files.service.stop(group.id, wanted.peer, wanted.name)


async def _remove(files: _Files, group: GroupInfo, wanted: FilesAction) -> None:
    try:
        await files.service.remove(group, wanted.name)
    except OSError as error:
        raise SharedFileError(f"{wanted.name!r} cannot be removed: {error.strerror or error}") from None


_ACTIONS: Final[dict[str, Callable[[_Files, GroupInfo, FilesAction], Awaitable[None]]]] = {
    "fetch": _fetch,
    "stop": _stop,
    "remove": _remove,
}


async def _overview(files: _Files) -> dict[str, object]:
    return {
        "up": files.remote.network is not None,
        "id": files.own_id,
        "file_max_bytes": FILE_MAX_BYTES,
        "quota_bytes": files.service.quota_bytes,
        "groups": [await _group(files, group) for group in files.service.groups()],
        "transfers": [_transfer(one) for one in files.service.transfers()],
    }


async def _group(files: _Files, group: GroupInfo) -> dict[str, object]:
    about = {"id": group.id, "host": group.host, "label": files.remote.label(group.host), "name": group.name, "joined": group.joined}
    return {**about, "members": len(group.members), "used_bytes": sum(file.size for file in await files.service.own(group))}


def _shared_by(one: PeerFiles, received: set[str]) -> dict[str, object]:
    return {"problem": one.problem, "files": [{**msgspec.structs.asdict(file), "here": file.hash in received} for file in one.files]}


def _transfer(one: Transfer) -> dict[str, object]:
    about = {"group": one.group, "peer": one.peer, "name": one.file.name, "size": one.file.size}
    return {**about, "received": one.received, "state": one.state, "problem": one.problem, "path": str(one.path)}


def _read(service: SharedFiles, group: str, name: str) -> bytes:
    with service.received.opened(group, name) as file:
        return file.content.read(file.size)
