"""Files shared in groups, for commands, through an open network."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from goop2.control_socket import Answer, ControlError, Operation, Request
from goop2.folder.regular_files import open_regular
from goop2.folder.shared_files import SharedFileError
from goop2.folder.threads import FolderHangsError
from goop2.net.faults import NetworkError
from goop2.services.groups.records import GroupInfo
from goop2.services.shared_files.service import SharedFiles
from goop2.services.shared_files.transfer import FILES, Transfer

Find = Callable[[str], Awaitable[str]]
"""The id of the peer that is meant. Raises `ControlError`."""
LET_IN_SECONDS: Final = 6.0
"""How long a command that has just come waits for the host of a group to let this peer in again."""
LOOK_SECONDS: Final = 0.1
WAIT_MAX_SECONDS: Final = 60.0
"""Of one answer about a transfer: shorter than a command waits for an answer."""


class FileRemote:
    """The owner's operations on shared files."""

    def __init__(self, files: SharedFiles, find: Find, label: Callable[[str], str]) -> None:
        self._files = files
        self._find = find
        self._label = label
        """What a peer calls itself; "" when it is not here."""
        self.operations: Mapping[str, Operation] = {
            "files-groups": _told(self.groups),
            "files-list": _told(self.list),
            "files-share": _told(self.share),
            "files-fetch": _told(self.fetch),
            "files-remove": _told(self.remove),
        }

    async def groups(self, _request: Request) -> Answer:
        """Return the `groups` in which files are shared, each `{id, name, host, joined, files, used_bytes}`, and `quota_bytes` of each."""
        return {"groups": [await self._shown(group) for group in self._files.groups()], "quota_bytes": self._files.quota_bytes}

    async def _shown(self, group: GroupInfo) -> Answer:
        own = await self._files.own(group)
        about = {"id": group.id, "name": group.name, "host": group.host, "joined": group.joined}
        return {**about, "files": len(own), "used_bytes": sum(file.size for file in own)}

    async def list(self, request: Request) -> Answer:
        """Return what is shared in `group`: `members`, each `{id, label, this, problem, files: [{name, size, mod_time, hash}]}`."""
        group = await self._group(request)
        members = [
            {
                "id": one.peer,
                "label": self._label(one.peer),
                "this": index == 0,
                "problem": one.problem,
                "files": msgspec.to_builtins(one.files),
            }
            for index, one in enumerate(await self._files.everything(group))
        ]
        return {"group": group.id, "name": group.name, "members": members}

    async def share(self, request: Request) -> Answer:
        """Share the file at `path` in `group`, under `name` or its own; return the file."""
        path = Path(str(request.get("path")))
        group = await self._group(request, joined=False)
        try:
            # A regular file alone: a named pipe would hold the peer until somebody writes to it.
            with await FILES.run(open_regular, path, None) as source:
                file = await self._files.share(group, str(request.get("name") or path.name), source)
        except OSError as error:
            raise ControlError("bad_request", f"{path} cannot be shared: {error.strerror or error}") from None
        return dict(msgspec.to_builtins(file))

    async def fetch(self, request: Request) -> Answer:
        """Fetch the file `name` of `group`, from `peer` or whoever has it, or go on with that; return the transfer after `wait` seconds."""
        group = await self._group(request)
        peer = str(request.get("peer") or "")
        transfer = await self._files.fetch(group, str(request.get("name")), await self._find(peer) if peer else "")
        wait = request.get("wait")
        await self._files.wait(transfer, float(wait) if isinstance(wait, int | float) else WAIT_MAX_SECONDS)
        return shown_transfer(transfer)

    async def remove(self, request: Request) -> Answer:
        """Share the file `name` in `group` no more, and delete it."""
        await self._files.remove(await self._group(request, joined=False), str(request.get("name")))
        return {}

    async def _group(self, request: Request, *, joined: bool = True) -> GroupInfo:
        """Return the group that is meant; with `joined` once its host has let this peer in again, where that takes a moment."""
        name, host = str(request.get("group")), str(request.get("host") or "")
        until = asyncio.get_running_loop().time() + LET_IN_SECONDS
        while True:
            group = self._files.group(name, host)
            if group.joined or not joined or asyncio.get_running_loop().time() > until:
                return group
            await asyncio.sleep(LOOK_SECONDS)


def shown_transfer(transfer: Transfer) -> Answer:
    """Return a transfer as commands and the console show it."""
    return {
        "group": transfer.group,
        "peer": transfer.peer,
        "name": transfer.file.name,
        "size": transfer.file.size,
        "received": transfer.received,
        "state": transfer.state,
        "problem": transfer.problem,
        "path": str(transfer.path),
    }


def _told(work: Operation) -> Operation:
    async def operation(request: Request) -> Answer:
        try:
            return await work(request)
        except (NetworkError, SharedFileError, FolderHangsError) as fault:
            raise ControlError(str(fault.code), str(fault)) from None
        except OSError as error:
            raise ControlError("unavailable", f"the folder of shared files cannot be used: {error.strerror or error}") from None

    return operation
