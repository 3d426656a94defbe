"""The first steps with a new peer, and which are done: what an empty Home shows. It must not know how the page draws them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

import msgspec

from goop2.folder.identity import FILE as IDENTITY_FILE
from goop2.scripting.invocation import VISITOR_PREFIX
from goop2.services.peer import Peer
from goop2.storage.errors import StorageError
from goop2.storage.run_record import OK, RunFilter

LOOKED_AT_MAX: Final = 1000
"""Scripts that are looked at."""


class FirstStep(msgspec.Struct, frozen=True):
    """One of the steps that Home shows to an owner who has just begun."""

    name: str
    """`command`, `change`, `table` or `visitor`."""
    done: bool


class FirstSteps:
    """The steps of one peer. What is done stays so, and is not looked for again."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._done: set[str] = set()

    async def steps(self) -> list[FirstStep]:
        """Return the four steps in their order; [] once all are done."""
        looked_for = {"command": self._has_run, "change": self._has_changed, "table": self._has_rows, "visitor": self._had_visitor}
        for name, is_done in looked_for.items():
            if name not in self._done and await is_done():
                self._done.add(name)
        return [] if len(self._done) == len(looked_for) else [FirstStep(name, name in self._done) for name in looked_for]

    async def _has_run(self) -> bool:
        return bool(await self._peer.history.find(RunFilter(kind="command", status=OK), 1))

    async def _has_changed(self) -> bool:
        return await asyncio.to_thread(_was_saved, self._peer)

    async def _has_rows(self) -> bool:
        try:
            return any(table.rows for table in await self._peer.desk.tables())
        except StorageError:
            return False

    async def _had_visitor(self) -> bool:
        return bool(await self._peer.history.find(RunFilter(caller=f"{VISITOR_PREFIX}…", status=OK), 1))


def _was_saved(peer: Peer) -> bool:
    """Return whether a script was saved after the peer first started."""
    try:
        began = (peer.folder / (peer.settings.identity.key_file or IDENTITY_FILE)).stat().st_mtime
    except OSError:
        return False
    return any(_saved_at(peer.folder / each.path) > began for each in peer.catalog.listing()[:LOOKED_AT_MAX])


def _saved_at(file: Path) -> float:
    try:
        return os.stat(file).st_mtime  # noqa: PTH116 - a thousand files
    except OSError:
        return 0.0
