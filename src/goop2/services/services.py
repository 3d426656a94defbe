"""The services of one peer, opened in order and closed in reverse.

It must not know what stands above them: app.py opens the folder and the engine first, and passes them in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from goop2.folder.identity import Identity
from goop2.folder.site_files import SiteFiles
from goop2.scripting.engine import Engine
from goop2.services.avatars import Avatars, open_avatars
from goop2.services.chat.message_store import MessageStore
from goop2.services.chat.service import ChatService, open_chat
from goop2.services.groups.closing import telling_scripts
from goop2.services.groups.service import GroupService, open_groups
from goop2.services.listen.service import ListenService, open_listening
from goop2.services.listen.tracks import Library
from goop2.services.live_settings import LiveSettings
from goop2.services.owner import owner_of
from goop2.services.rest_api.function import Api
from goop2.services.rooms.service import RoomService
from goop2.services.script_keys import ScriptKeys, open_script_keys
from goop2.services.shared_files.service import SharedFiles, open_shared_files
from goop2.services.storage_health import StorageHealth
from goop2.services.table_desk import TableDesk, open_desk
from goop2.services.table_imports import TableImports, open_imports
from goop2.services.tables import Tables, open_tables
from goop2.storage.database import FILE
from goop2.storage.typed_tables import Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services of one peer, open."""

    avatars: Avatars
    chat: ChatService
    grouping: GroupService
    rooms: RoomService
    shared_files: SharedFiles
    tables: Tables
    desk: TableDesk
    imports: TableImports
    script_keys: ScriptKeys
    rest: Api
    listening: ListenService
    warnings: tuple[str, ...]
    """What was odd when they opened, sentences for the owner."""

    def not_kept(self) -> Iterator[str]:
        """Yield a sentence for each service that cannot save what it holds."""
        if self.chat.problem:
            yield f"messages are not kept, and refused: {self.chat.problem}"
        if self.grouping.problem:
            yield f"groups are not kept: {self.grouping.problem}"


@asynccontextmanager
async def open_services(
    folder: Path,
    identity: Identity,
    live_settings: LiveSettings,
    engine: Engine,
    *,
    files: SiteFiles,
    script_dir: Path,
    health: StorageHealth,
) -> AsyncIterator[Services]:
    """Open chat, groups, rooms, tables, the REST API and the listening session until the block is left.

    `files`: what of the site anybody may see. `script_dir`: where no music is looked for. Raises `DatabaseError`.
    """
    settings, own_id = live_settings.current, identity.peer_id
    async with AsyncExitStack() as stack:
        chat = await stack.enter_async_context(open_chat(own_id, engine, MessageStore(folder / FILE, own_id, health.for_peer)))
        avatars = await stack.enter_async_context(open_avatars(folder))
        grouping = await stack.enter_async_context(open_groups(own_id, folder / FILE, health.for_peer))
        # Read at each use: the owner may set another limit while the peer runs.
        sharing = open_shared_files(folder, grouping, lambda: live_settings.current.storage.shared_mb)
        shared_files = await stack.enter_async_context(sharing)
        rooms = RoomService(grouping)
        stack.callback(rooms.close)
        await stack.enter_async_context(telling_scripts(grouping.groups, engine, owner_of(identity, settings)))
        tables = await stack.enter_async_context(open_tables(folder / FILE, grouping.groups.template_roles, health.for_callers))
        script_keys = await stack.enter_async_context(open_script_keys(folder, health.for_peer))
        desk = await stack.enter_async_context(open_desk(folder, health.for_callers))
        imports = await stack.enter_async_context(open_imports(folder, Owner(own_id, settings.profile.email), health.for_callers))
        library = Library(folder, script_dir, settings.listen.media_dirs)
        listening = await stack.enter_async_context(open_listening(folder, library))
        yield Services(
            avatars=avatars,
            chat=chat,
            grouping=grouping,
            rooms=rooms,
            shared_files=shared_files,
            tables=tables,
            desk=desk,
            imports=imports,
            script_keys=script_keys,
            rest=Api(files, tables),
            listening=listening,
            warnings=tuple(library.warnings),
        )
