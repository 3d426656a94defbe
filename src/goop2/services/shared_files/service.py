"""The files shared in groups of type `files`: those of this peer, and those of others as they come.

Each member has files of its own, in `shared/<group id>/` of its folder, and gives them to the members of that group, whom its host lists.
The folder belongs to one group: who else made a group with the same id, and had this peer join it, would get the files of another
(`data/shared.json` says whose a folder is). It must not know how a file travels.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from goop2.folder import threads
from goop2.folder.regular_files import read_regular
from goop2.folder.shared_files import RECEIVED, SHARED, GroupFolder, OpenedFile, SharedFileNotFoundError
from goop2.folder.whole_file import replace_whole
from goop2.net.faults import NetworkError, UnreachableError
from goop2.protocols.shared_files import APP_TYPE, SharedFile, is_safe_group
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.scripting.subscribers import Subscribers
from goop2.services.groups.records import GroupInfo
from goop2.services.groups.service import GroupService
from goop2.services.shared_files.errors import FolderTakenError, TooManyTransfersError, UnknownFilesGroupError
from goop2.services.shared_files.transfer import FILES, FileSource, Transfer

CLAIMS: Final = "data/shared.json"
CLAIMS_MAX_BYTES: Final = 256 * 1024
TRANSFERS_MAX: Final = 4
"""Files that come at a time: each holds a piece."""
ENDED_MAX: Final = 100
"""Ended transfers that are remembered, to be shown."""
MEMBERS_ASKED_AT_ONCE: Final = 8
MEGABYTE_BYTES: Final = 1024 * 1024
_SHOWN_CHARS: Final = 80

Place = tuple[str, str]
"""Host and id of a group."""


@dataclass(frozen=True, slots=True)
class PeerFiles:
    """What one member shares; `problem` says why that is not known, "" when it is."""

    peer: str
    files: tuple[SharedFile, ...] = ()
    problem: str = ""


class SharedFiles:
    """The shared files of one peer. Made by `open_shared_files`.

    :param quota_mb: megabytes that the files of a group may have here.
    """

    def __init__(self, folder: Path, grouping: GroupService, quota_mb: Callable[[], int]) -> None:
        self.shared = GroupFolder(folder, SHARED)
        self.received = GroupFolder(folder, RECEIVED)
        self._claims_file = folder / CLAIMS
        self._claims: dict[str, str] = {}
        """Id of a group with a folder → its host."""
        self._grouping = grouping
        self._quota_mb = quota_mb
        self._source: FileSource | None = None
        self._transfers: dict[tuple[str, str, str], Transfer] = {}
        """By group, peer and name."""
        self._running: dict[tuple[str, str, str], asyncio.Task[None]] = {}
        self._changing = asyncio.Lock()
        self._changed: Subscribers[None] = Subscribers()

    async def open(self) -> None:
        """Read whose the folders are; one without a word belongs to the group of its id that is here now, a hosted one first."""
        # Without the file each folder is claimed anew below, by the rule of those that have no word.
        with contextlib.suppress(OSError, InvalidJsonError, threads.FolderHangsError):
            self._claims = await FILES.run(_claims, self._claims_file)
        for group in (*self._grouping.groups.hosted(), *self._grouping.groups.joined()):
            if is_safe_group(group.id) and group.id not in self._claims and not await self._is_empty(group.id):
                await self._claim(group)

    async def close(self) -> None:
        """Stop the transfers under way; what has come of them is kept."""
        tasks = tuple(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def subscribe(self, callback: Callable[[None], None]) -> Callable[[], None]:
        """Call `callback` when a transfer goes on or files change; return the function that unsubscribes."""
        return self._changed.add(callback)

    def attach(self, source: FileSource) -> Callable[[], None]:
        """Ask other peers by `source` from now on; return the function that ends it, and stops what comes."""
        self._source = source

        def detach() -> None:
            self._source = None
            for task in self._running.values():
                task.cancel()

        return detach

    def groups(self) -> tuple[GroupInfo, ...]:
        """Return the groups in which files are shared."""
        groups = self._grouping.groups
        return tuple(group for group in (*groups.hosted(), *groups.joined()) if group.kind == APP_TYPE)

    def group(self, group: str, host: str = "") -> GroupInfo:
        """Return a group in which files are shared; `host` tells which where two have one id. Raises `UnknownFilesGroupError`."""
        found = [one for one in self.groups() if one.id == group and host in ("", one.host)]
        if len(found) > 1:
            raise UnknownFilesGroupError(f"{len(found)} peers host a group {group!r}: say which, {' or '.join(one.host for one in found)}")
        if not found:
            raise UnknownFilesGroupError(f"{group[:_SHOWN_CHARS]!r} is no group of type {APP_TYPE!r} that is hosted or joined here")
        return found[0]

    @property
    def quota_bytes(self) -> int:
        """Return what the files of one group may have here."""
        return self._quota_mb() * MEGABYTE_BYTES

    # For other peers.

    def group_of(self, peer: str, group: str) -> GroupInfo | None:
        """Return the group of this id that a peer is a member of, and whose files it therefore gets; None when there is none."""
        found = [one for one in self.groups() if one.id == group and peer in self._members(one)]
        # Of two with one id, the one that the folder belongs to.
        return next(iter(sorted(found, key=lambda one: self._claims.get(group) != one.host)), None)

    def _members(self, group: GroupInfo) -> frozenset[str]:
        groups = self._grouping.groups
        if group.host == groups.own_id:
            return frozenset(groups.members_since(group.id))
        return frozenset((group.host, *group.members)) if group.joined else frozenset()

    async def own(self, group: GroupInfo) -> list[SharedFile]:
        """Return what this peer shares with a group. Raises `SharedFileError`."""
        return await FILES.run(self.shared.listing, group.id) if await self._is_its_folder(group) else []

    async def opened(self, group: GroupInfo, name: str) -> OpenedFile:
        """Open a file that is shared here; whoever asks closes it. Raises `SharedFileError`."""
        if not await self._is_its_folder(group):
            raise SharedFileNotFoundError(f"there is no file {name[:_SHOWN_CHARS]!r}")
        return await FILES.run(self.shared.open, group.id, name)

    async def _is_its_folder(self, group: GroupInfo) -> bool:
        """Return whether the folder of a group's id belongs to this group. One that the owner has filled by hand belongs to the group
        that is hosted here: its id was made here.
        """
        if group.id not in self._claims and group.host == self._grouping.groups.own_id and not await self._is_empty(group.id):
            await self._claim(group)
        return self._claims.get(group.id) == group.host

    # The owner's.

    async def share(self, group: GroupInfo, name: str, source: BinaryIO) -> SharedFile:
        """Share the content of `source` with a group under a name, in the place of a file of that name.

        Raises `SharedFileError`, `FolderTakenError`, and OSError when it cannot be written.
        """
        async with self._changing:
            if not await self._is_its_folder(group):
                await self._take_folder(group)
            await FILES.run(self.shared.add, group.id, name, source, self.quota_bytes)
        self._changed.notify(None)
        return next(file for file in await self.own(group) if file.name == name)

    async def remove(self, group: GroupInfo, name: str) -> None:
        """Share a file of this peer no more, and delete it. Raises `SharedFileError` and OSError."""
        if not await self._is_its_folder(group):
            raise SharedFileNotFoundError(f"there is no file {name[:_SHOWN_CHARS]!r} of this peer in that group")
        await FILES.run(self.shared.remove, group.id, name)
        self._changed.notify(None)

    async def everything(self, group: GroupInfo) -> list[PeerFiles]:
        """Return what every member shares, this peer first. Raises `SharedFileError`; of others `problem` says why nothing is known."""
        places = asyncio.Semaphore(MEMBERS_ASKED_AT_ONCE)
        own_id = self._grouping.groups.own_id

        async def ask(peer: str) -> PeerFiles:
            async with places:
                try:
                    return PeerFiles(peer, tuple(await self._asked().files(peer, group.id)))
                except NetworkError as error:
                    return PeerFiles(peer, problem=str(error))

        here = dict.fromkeys((group.host, *group.members)) if group.joined else {group.host: None}
        others = await asyncio.gather(*(ask(peer) for peer in here if peer != own_id))
        return [PeerFiles(own_id, tuple(await self.own(group))), *others]

    async def fetch(self, group: GroupInfo, name: str, peer: str = "") -> Transfer:
        """Let a file of a member come here, or go on with it; return the transfer at once. `peer`: whose, "" for any that has it.

        Raises `NetworkError` and `SharedFileError`.
        """
        owner, file = await self._find(group, name, peer)
        key = (group.id, owner, name)
        known = self._transfers.get(key)
        if known is not None and known.state == "running":
            return known
        if len(self._running) >= TRANSFERS_MAX:
            raise TooManyTransfersError(f"{TRANSFERS_MAX} files are coming, the most at a time: fetch this one when one of them is here")
        # A new one each time: it looks itself at what has come before, and goes on there.
        transfer = Transfer(group.id, owner, file, await FILES.run(self.received.made, group.id), lambda: self._changed.notify(None))
        # Out and in again, so that the newest stands last: the first ones are forgotten first.
        self._transfers.pop(key, None)
        self._transfers[key] = transfer
        for ended in [one for one in self._transfers if one not in self._running and one != key][:-ENDED_MAX]:
            del self._transfers[ended]
        task = self._running[key] = asyncio.create_task(transfer.run(self._asked()))
        task.add_done_callback(lambda _task: self._running.pop(key, None))
        return transfer

    def stop(self, group: str, peer: str, name: str) -> None:
        """Stop a transfer; what has come of it is kept, and it goes on when it is fetched again."""
        task = self._running.get((group, peer, name))
        if task is not None:
            task.cancel()

    async def wait(self, transfer: Transfer, seconds: float) -> None:
        """Wait until a transfer has ended, at most so long."""
        task = self._running.get((transfer.group, transfer.peer, transfer.file.name))
        if task is not None:
            await asyncio.wait((task,), timeout=seconds)

    def transfers(self) -> tuple[Transfer, ...]:
        """Return the transfers since the start, the last ones only."""
        return tuple(self._transfers.values())

    async def _find(self, group: GroupInfo, name: str, peer: str) -> tuple[str, SharedFile]:
        own_id = self._grouping.groups.own_id
        if peer == own_id:
            raise SharedFileNotFoundError(f"{name[:_SHOWN_CHARS]!r} would be a file of this peer itself: it is in {SHARED}/{group.id}")
        asked = [PeerFiles(peer, tuple(await self._asked().files(peer, group.id)))] if peer else (await self.everything(group))[1:]
        for one in asked:
            for file in one.files:
                if file.name == name:
                    return one.peer, file
        problems = "; ".join(one.problem for one in asked if one.problem)
        raise SharedFileNotFoundError(
            f"nobody who is here shares a file {name[:_SHOWN_CHARS]!r} with that group{f' ({problems})' if problems else ''}"
        )

    def _asked(self) -> FileSource:
        if self._source is None:
            raise UnreachableError("this peer is not on the network yet; try again in a moment")
        return self._source

    async def _is_empty(self, group: str) -> bool:
        try:
            return await FILES.run(self.shared.is_empty, group)
        except (OSError, threads.FolderHangsError):
            # A folder that cannot be read gives nothing away, and claims nothing.
            return True

    async def _take_folder(self, group: GroupInfo) -> None:
        """Make the folder of a group's id this group's. Raises `FolderTakenError`."""
        self.shared.path(group.id)
        owner = self._claims.get(group.id)
        if not await self._is_empty(group.id):
            whose = f"belongs to a group of {owner}" if owner else "was there before this group"
            raise FolderTakenError(
                f"the folder {SHARED}/{group.id} {whose}, and its files would go to other people: move them away, then share again"
            )
        await self._claim(group)

    async def _claim(self, group: GroupInfo) -> None:
        self._claims[group.id] = group.host
        with contextlib.suppress(threads.FolderHangsError):
            await FILES.run(replace_whole, self._claims_file, msgspec.json.encode(self._claims))


@contextlib.asynccontextmanager
async def open_shared_files(folder: Path, grouping: GroupService, quota_mb: Callable[[], int]) -> AsyncIterator[SharedFiles]:
    """Open the shared files of the peer in `folder` until the block is left."""
    files = SharedFiles(folder, grouping, quota_mb)
    await files.open()
    try:
        yield files
    finally:
        await files.close()


def _claims(file: Path) -> dict[str, str]:
    return dict(decode(read_regular(file, file.parent.parent, CLAIMS_MAX_BYTES), dict[str, str]))
