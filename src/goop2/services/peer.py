"""The parts of an open peer: its settings, scripts, database and services. app.py opens it; the network and the web show it.

It opens nothing itself, and must not know HTTP or libp2p.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from goop2.config import Settings
from goop2.config.payload_keys import PayloadKeys
from goop2.folder.identity import Identity
from goop2.folder.site_files import SiteFiles
from goop2.scripting.catalog import Catalog
from goop2.scripting.engine import Engine
from goop2.scripting.invocation import Caller
from goop2.scripting.pool import Pool
from goop2.scripting.runs import Runs
from goop2.services.avatars import Avatars
from goop2.services.backup.service import Backup
from goop2.services.chat.service import ChatService
from goop2.services.cluster_view import ClusterShown
from goop2.services.groups.service import GroupService
from goop2.services.listen.service import ListenService
from goop2.services.live_settings import LiveSettings
from goop2.services.missed_calls import MissedCalls
from goop2.services.owner import owner_of
from goop2.services.rooms.service import RoomService
from goop2.services.schedules.service import Scheduler
from goop2.services.schema_files import SchemaFiles
from goop2.services.script_keys import ScriptKeys
from goop2.services.script_tests.runner import TestDesk
from goop2.services.shared_files.service import SharedFiles
from goop2.services.storage_health import StorageHealth
from goop2.services.table_desk import TableDesk
from goop2.services.table_imports import TableImports
from goop2.services.tables import Tables
from goop2.services.templates.service import TemplateService
from goop2.storage.database import Database
from goop2.storage.run_history import RunHistory


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A peer whose parts are open."""

    folder: Path
    live_settings: LiveSettings
    warnings: tuple[str, ...]
    identity: Identity
    catalog: Catalog
    pool: Pool
    engine: Engine
    runs: Runs
    history: RunHistory
    """What ran, over restarts."""
    database: Database
    """The peer's own connection, for its loop's thread or one at a time."""
    files: SiteFiles
    """What of the site anybody may see."""
    avatars: Avatars
    """The own picture, and those of other peers."""
    chat: ChatService
    tables: Tables
    desk: TableDesk
    """The tables as the owner works on them."""
    imports: TableImports
    templates: TemplateService
    script_keys: ScriptKeys
    """What scripts keep by goop.kv, for the owner."""
    schedules: Scheduler
    """What runs by itself."""
    tests: TestDesk
    """The tests of the scripts."""
    missed_calls: MissedCalls
    grouping: GroupService
    rooms: RoomService
    shared_files: SharedFiles
    """Files shared in groups of type `files`."""
    listening: ListenService
    schemas: SchemaFiles
    health: StorageHealth
    backup: Backup
    """The continuous backup, which runs where the settings name a place for it."""
    confinement: Mapping[str, str]
    """Layer of confinement → "" when in force, else why not."""
    fenced: Callable[[], str] | None = None
    """Says why nothing may be served now, or "": a peer that is kept by a lease. None for others."""
    cluster: ClusterShown | None = None
    """Other machines that run scripts for this peer; None when none are set up."""
    payload_keys: PayloadKeys | None
    """The key pair for payload encryption; None: payloads are not encrypted."""

    @property
    def settings(self) -> Settings:
        """Return the settings in force; they may be others after the next save in the console, so nobody keeps them."""
        return self.live_settings.current

    @property
    def owner(self) -> Caller:
        """Return the owner as a caller of the peer's own scripts."""
        return owner_of(self.identity, self.settings)
