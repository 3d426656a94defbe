"""Where each file of a template goes in a peer folder.

Two layouts are known. A template of Goop2 has `manifest.json` at its top, its pages beside it, and `lua/` and `schemas/`. A template of
ours is laid out as the peer folder it becomes, with its pages in `site/`; of such a folder only `site/`, `schemas/`, `goop.json` and a
`manifest.json` are looked at, since it may be a whole peer. It must not know what a manifest or a schema means.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from goop2.folder.bundles import FRONT_PAGE, MANIFEST, Bundle, BundleError

SCHEMAS: Final = "schemas"
SITE: Final = "site"
SETTINGS: Final = "goop.json"
OF_PEER_FOLDER: Final = (SITE, SCHEMAS, SETTINGS, MANIFEST)
"""What of a peer folder belongs to its template."""
_SCHEMA_SQL: Final = "schema.sql"
_LUA: Final = "lua"


@dataclass(frozen=True, slots=True)
class SitePlaces:
    """Where a peer keeps its site and its scripts, relative to its folder."""

    site: str
    scripts: str

    @property
    def scripts_in_site(self) -> tuple[str, ...] | None:
        """Return the names on the way from the site to the scripts, None where they are not in it."""
        site, scripts = PurePosixPath(os.path.normpath(self.site)), PurePosixPath(os.path.normpath(self.scripts))
        return scripts.relative_to(site).parts if scripts.is_relative_to(site) else None


@dataclass(slots=True, kw_only=True)
class Layout:
    """The files of a template by where they go."""

    name: str
    site: dict[str, bytes] = field(default_factory=dict)
    """Path below the site → content."""
    scripts: dict[str, bytes] = field(default_factory=dict)
    """Path below the folder of scripts → content."""
    schemas: dict[str, bytes] = field(default_factory=dict)
    """Name in schemas/ → content."""
    manifest: bytes | None = None
    schema_sql: bytes | None = None
    settings: bytes | None = None
    skipped: tuple[str, ...] = ()


def lay_out(bundle: Bundle, places: SitePlaces) -> Layout:
    """Sort the files of a template. Raises `BundleError` for what is no template."""
    layout = Layout(name=bundle.name, skipped=bundle.skipped)
    is_peer_folder = f"{SITE}/{FRONT_PAGE}" in bundle.files and FRONT_PAGE not in bundle.files
    if MANIFEST in bundle.files and not is_peer_folder:
        _of_goop2(bundle.files, layout, places)
    elif any(path.startswith(f"{SITE}/") for path in bundle.files):
        _of_peer_folder(bundle.files, layout, places)
    else:
        raise BundleError(f"{bundle.name} is no template: it has neither a {MANIFEST} at its top nor a folder {SITE}/")
    return layout


def _of_goop2(files: Mapping[str, bytes], layout: Layout, places: SitePlaces) -> None:
    for path, content in files.items():
        folder, _, below = path.partition("/")
        if path == MANIFEST:
            layout.manifest = content
        elif path == _SCHEMA_SQL:
            layout.schema_sql = content
        elif path == SETTINGS:
            layout.settings = content
        elif folder == SCHEMAS and below.endswith(".json") and "/" not in below:
            layout.schemas[below] = content
        else:
            _add_to_site(path, content, layout, places)


def _of_peer_folder(files: Mapping[str, bytes], layout: Layout, places: SitePlaces) -> None:
    layout.settings, layout.manifest = files.get(SETTINGS), files.get(MANIFEST)
    for path, content in files.items():
        folder, _, below = path.partition("/")
        if folder == SCHEMAS and below.endswith(".json") and "/" not in below:
            layout.schemas[below] = content
        elif folder == SITE:
            _add_to_site(below, content, layout, places)


def _add_to_site(path: str, content: bytes, layout: Layout, places: SitePlaces) -> None:
    """Add a file of the site, or of the scripts where it lies in a folder that is, or becomes, one of scripts."""
    parts = PurePosixPath(path).parts
    homes = [(_LUA,)] + ([own] if (own := places.scripts_in_site) else [])
    for home in homes:
        # Whatever the capitals: some file systems take both for one folder.
        if len(parts) > len(home) and [part.casefold() for part in parts[: len(home)]] == [part.casefold() for part in home]:
            below = "/".join(parts[len(home) :])
            if below in layout.scripts:
                raise BundleError(f"the template has two scripts {below}")
            layout.scripts[below] = content
            return
    if own and [part.casefold() for part in own] == [part.casefold() for part in parts]:
        raise BundleError(f"the template has a file {path} where this peer has its folder of scripts")
    layout.site[path] = content


def check_real(folder: Path, target: str, homes: Callable[[Path], tuple[Path, ...]]) -> None:
    """Raise `BundleError` where a place of the peer folder leads out of it, by a link."""
    place = (folder / target).parent
    while not os.path.lexists(place) and place != folder:
        place = place.parent
    real = Path(os.path.realpath(place))
    if not any(real.is_relative_to(home) for home in (Path(os.path.realpath(folder)), *homes(folder))):
        raise BundleError(f"{target} is really in {real}, outside of the peer folder: nothing is written there")
