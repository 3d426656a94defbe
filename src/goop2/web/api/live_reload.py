"""Reload the pages the owner has open when a file of the site is saved; the owner asks for that with `--live`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from goop2.folder import threads
from goop2.folder.site_files import SiteFileEntry, SiteFiles
from goop2.scripting.watch import watch_folders

FOLDERS_MAX: Final = 500
"""Folders of a site that are watched: each costs a kernel watch. A page in a further one is reloaded a few seconds late."""


async def follow(files: SiteFiles, changed: Callable[[], None], stop: asyncio.Event) -> None:
    """Call `changed` whenever a file anybody may see has changed, until `stop` is set."""
    listing: list[SiteFileEntry] | None = None

    async def look() -> None:
        nonlocal listing
        before, listing = listing, await threads.WATCH.run(files.listing)
        # The first look only learns what there is.
        if before is not None and before != listing:
            changed()

    await watch_folders(lambda: _folders(files.root), look, stop)


def _folders(root: Path) -> list[Path]:
    folders: list[Path] = []
    for folder in _walk(root):
        folders.append(folder)
        if len(folders) >= FOLDERS_MAX:
            break
    return folders


def _walk(root: Path) -> Iterator[Path]:
    yield root
    for folder, names, _ in os.walk(root):
        names[:] = [name for name in sorted(names) if not name.startswith(".")]
        yield from (Path(folder, name) for name in names)
