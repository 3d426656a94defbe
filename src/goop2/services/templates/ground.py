"""What a template meets: the peer's folder, its settings, its database, and the groups hosted here."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from goop2.config import Settings
from goop2.folder.template_layout import SitePlaces
from goop2.services.templates.limits import COUNTED_MAX, LOCK_SECONDS
from goop2.storage import foreign_triggers
from goop2.storage.database import FILE, Database, open_database
from goop2.storage.file_quota import CARELESS, FileCare


@dataclass(frozen=True, slots=True)
class HostedGroup:
    """A group hosted here, as far as templates care."""

    id: str
    name: str
    kind: str
    context: str
    members: int


@dataclass(frozen=True, slots=True)
class TemplateGround:
    """The peer as it is when something is planned."""

    folder: Path
    settings: Settings
    environment: Mapping[str, str]
    hosted: tuple[HostedGroup, ...] = ()
    care: FileCare = CARELESS

    @property
    def places(self) -> SitePlaces:
        """Return where site and scripts are."""
        return SitePlaces(self.settings.paths.site_root, self.settings.lua.script_dir)

    @contextlib.contextmanager
    def database(self) -> Iterator[Database]:
        """Open the database for the time of a switch. Raises `DatabaseError`."""
        database = open_database(self.folder / FILE, guarded=False, care=self.care)
        try:
            foreign_triggers.refuse(database)
            database.bound(time.monotonic() + LOCK_SECONDS)
            yield database
        finally:
            database.close()

    def site_entries(self) -> tuple[int, list[str]]:
        """Return how many files of the site a template would replace, and the first of their names."""
        site = self.folder / self.places.site
        own = self.places.scripts_in_site
        kept = site.joinpath(*own) if own else None
        number, names = 0, []
        for where, folders, files in os.walk(site):
            here = Path(where)
            folders[:] = [each for each in sorted(folders) if here / each != kept and not (here == site and each.startswith("."))]
            for name in sorted(files):
                if here == site and name.startswith("."):
                    continue
                number += 1
                names.append((here / name).relative_to(site).as_posix())
                if number >= COUNTED_MAX:
                    return number, names
        return number, names

    def script_entries(self, wanted: Mapping[str, bytes]) -> tuple[dict[str, str], list[str]]:
        """Return file of a template → the file whose place it takes, whatever the capitals; and the other files that are there."""
        scripts = self.folder / self.places.scripts
        taken: dict[str, str] = {}
        kept: list[str] = []
        lower = {file.casefold(): file for file in wanted}
        for where, folders, files in os.walk(scripts):
            folders[:] = [each for each in sorted(folders) if not each.startswith(".")]
            for name in sorted(files):
                file = (Path(where) / name).relative_to(scripts).as_posix()
                if file.casefold() in lower:
                    taken[lower[file.casefold()]] = file
                elif not name.startswith(".") and len(kept) < COUNTED_MAX:
                    kept.append(file)
        return taken, kept
