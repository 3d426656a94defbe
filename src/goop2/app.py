"""The composition root: opens the parts of one peer in order, closes them in reverse.

The only place that knows all of them. What scripts ask of the world (the site's files, the web, a
listening session) is lent to them here, so that `scripting` knows nobody above it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from goop2.config import Settings, load, payload_keys
from goop2.folder import file_modes, threads
from goop2.folder.identity import Identity, load_or_create
from goop2.folder.regular_files import shown
from goop2.folder.site_files import FileNotServedError, SiteFiles, SiteFileTooLargeError, UnreadableError
from goop2.sandbox.messages import Scalar, Setup
from goop2.scripting.api import FUNCTIONS, ExecutionSite
from goop2.scripting.api.stubs import stubs
from goop2.scripting.catalog import Catalog
from goop2.scripting.engine import NAME_SHOWN_CHARS, Engine
from goop2.scripting.invocation import HostAnswer, Invocation, PeerOperation
from goop2.scripting.limits import MEGABYTE_BYTES, SITE_READ_MAX_BYTES, InvocationLimits
from goop2.scripting.pool import Pool
from goop2.scripting.printable import printable
from goop2.scripting.runs import Runs
from goop2.services.chat.message_store import MessageStore
from goop2.services.chat.service import ChatService
from goop2.services.groups.service import GroupService
from goop2.services.http_client import disabled
from goop2.services.listen.operations import Elsewhere, beside
from goop2.services.listen.operations import operations as listen_operations
from goop2.services.listen.service import Listening
from goop2.services.listen.tracks import Library
from goop2.services.peer import Peer
from goop2.services.rest_api import function as api
from goop2.services.schema_files import SchemaFiles
from goop2.services.storage_health import StorageHealth
from goop2.services.tables import Tables
from goop2.storage.database import FILE
from goop2.storage.file_quota import Quota, quota_of
from goop2.storage.migrations import open_folder
from goop2.storage.run_history import RunHistory
from goop2.storage.run_limits import RunLimits

if TYPE_CHECKING:
    from goop2.net.guest import Guest
    from goop2.peers.network import PeerNetwork
    from goop2.services.http_client.client import Dependencies
    from goop2.web.server import OpenWeb

COMMAND_OPERATIONS = tuple(
    function.name for function in FUNCTIONS if function.place is ExecutionSite.WORKER and not function.functions_only
)
PEER_OPERATIONS = (api.OPERATION, *(function.name for function in FUNCTIONS if function.place is ExecutionSite.PEER))
"""What the peer does for scripts."""


@asynccontextmanager
async def open_peer(
    folder: Path,
    environment: Mapping[str, str] = os.environ,
    *,
    watch: bool = False,
    flavour: str = "",
    world: Dependencies | None = None,
    elsewhere: Elsewhere | None = None,
    history: bool = False,
) -> AsyncIterator[Peer]:
    """Open the scripting side of the peer in `folder`; with `watch`, saved scripts go live by themselves.

    `world` is what scripts reach by goop.http; by default the real one. `elsewhere` asks the peer that runs in the folder already, whose
    listening session it is. `history`: whether runs are kept on disk; without it the last ones are kept in memory.

    Raises `SettingsError`, `IdentityError`, and `DatabaseError`, each with a sentence for the owner.
    """
    loaded = load(folder, environment)
    settings = loaded.settings
    private = not settings.storage.group_readable
    mode_warnings = await asyncio.to_thread(file_modes.tighten, folder) if private else []
    keys = payload_keys.load(folder)
    this = load_or_create(folder)
    script_dir = settings.script_dir(folder)
    limits = limits_of(settings)
    files = SiteFiles(folder, [script_dir, folder / settings.lua.script_dir])
    # More come as parts open; the pool looks at each call.
    operations: dict[str, PeerOperation] = {"site.read": _site_read(files), **_http(settings, world)}
    quota = quota_of(folder / FILE, settings.storage.max_mb)
    health = StorageHealth(folder / FILE, quota)
    async with AsyncExitStack() as opened:
        database, data_warnings = await asyncio.to_thread(open_folder, folder, script_dir, private, health.for_peer)
        opened.callback(database.close_last)
        health.use()
        schemas = await opened.enter_async_context(_schemas(folder, health, watch))
        run_history = await opened.enter_async_context(_history(folder if history else None, settings, is_shared=elsewhere is not None))
        pool = Pool(setup_for(folder, settings, this, limits, flavour, quota), limits, operations)
        opened.push_async_callback(pool.stop)
        catalog = Catalog(folder, Path(settings.lua.script_dir), pool.compile, [api.SCRIPT], settings.homes(folder), pool.compile_many)
        confinement = await _begun(pool, catalog)
        if watch:
            await opened.enter_async_context(_watched(catalog.watch))
        operations["commands"] = _commands(catalog)
        runs = Runs(history=run_history)
        engine = Engine(catalog, pool, limits, runs, unusable=health.refusal, judge_file_fault=health.judge)
        chat = await opened.enter_async_context(_chat(folder, this, engine, health))
        grouping = await opened.enter_async_context(_grouping(folder, this, health))
        tables = await opened.enter_async_context(_tables(folder, grouping, health))
        if watch:
            await opened.enter_async_context(_watched(partial(health.watch, database)))
        rest = api.Api(files, tables)
        operations[api.OPERATION] = rest.perform
        library = Library(folder, script_dir, settings.listen.media_dirs)
        listening = Listening(folder, library)
        await asyncio.to_thread(listening.restore)
        opened.push_async_callback(listening.stop)
        sessions = listen_operations(listening)
        operations.update(sessions if elsewhere is None else beside(sessions, elsewhere))
        pool.check_operations()
        odd = [
            payload_keys.others_may_read(folder, private) if keys else "",
            await asyncio.to_thread(rest.problem),
            f"messages are not kept, and refused: {chat.problem}" if chat.problem else "",
            f"groups are not kept: {grouping.problem}" if grouping.problem else "",
            health.size(),
        ]
        yield Peer(
            folder=folder,
            settings=settings,
            warnings=tuple(map(shown, (*loaded.warnings, *mode_warnings, *data_warnings, *library.warnings, *filter(None, odd)))),
            schemas=schemas,
            health=health,
            identity=this,
            catalog=catalog,
            pool=pool,
            engine=engine,
            runs=runs,
            database=database,
            files=files,
            chat=chat,
            tables=tables,
            grouping=grouping,
            listening=listening,
            confinement=confinement,
            payload_keys=keys,
        )


async def _begun(pool: Pool, catalog: Catalog) -> Mapping[str, str]:
    """Start the workers and read the scripts beside that, then have them compiled; return the layers of confinement. Raises `PoolError`."""
    starting = asyncio.create_task(pool.start())
    try:
        await catalog.scan(starting)
        return await starting
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)


@asynccontextmanager
async def _history(folder: Path | None, settings: Settings, *, is_shared: bool) -> AsyncIterator[RunHistory]:
    kept = settings.runs
    limits = RunLimits(kept.keep_days, kept.keep_count, kept.max_mb * MEGABYTE_BYTES, kept.keep_arguments)
    history = RunHistory(folder, limits, beside=is_shared)
    try:
        await history.open()
        yield history
    finally:
        await history.close()


@asynccontextmanager
async def _watched(watch: Callable[[asyncio.Event], Coroutine[object, object, None]]) -> AsyncIterator[None]:
    """Run `watch` while the block runs, and end it afterwards."""
    stop = asyncio.Event()
    watching = asyncio.create_task(watch(stop))
    try:
        yield
    finally:
        stop.set()
        await watching


@asynccontextmanager
async def _schemas(folder: Path, health: StorageHealth, watch: bool) -> AsyncIterator[SchemaFiles]:
    schemas = SchemaFiles(folder, health.for_peer)
    await schemas.apply()
    async with _watched(schemas.watch) if watch else contextlib.nullcontext():
        yield schemas


@asynccontextmanager
async def _chat(folder: Path, this: Identity, engine: Engine, health: StorageHealth) -> AsyncIterator[ChatService]:
    keeper = MessageStore(folder / FILE, this.peer_id, health.for_peer)
    chat = ChatService(this.peer_id, engine, keeper)
    try:
        chat.problem = await keeper.open()
        yield chat
    finally:
        await chat.close()


@asynccontextmanager
async def _grouping(folder: Path, this: Identity, health: StorageHealth) -> AsyncIterator[GroupService]:
    grouping = GroupService(this.peer_id, folder / FILE, health.for_peer)
    try:
        await grouping.open()
        yield grouping
    finally:
        await grouping.close()


@asynccontextmanager
async def _tables(folder: Path, grouping: GroupService, health: StorageHealth) -> AsyncIterator[Tables]:
    tables = Tables(folder / FILE, grouping.groups.is_member, health.for_callers)
    try:
        await tables.open()
        yield tables
    finally:
        await tables.close()


@asynccontextmanager
async def serve_peer(peer: Peer, *, live: bool = False) -> AsyncIterator[OpenWeb]:
    """Serve `peer` to browsers; with `live`, pages the owner has open follow what is saved. Raises `ListenerError`."""
    # Here, because a command that serves nothing should not wait for it.
    from goop2.web.app import Parts
    from goop2.web.server import open_web

    parts = Parts(
        peer_id=peer.identity.peer_id,
        owner=peer.owner,
        email=peer.settings.profile.email,
        engine=peer.engine,
        chat=peer.chat,
        tables=peer.tables,
        grouping=peer.grouping,
        listening=peer.listening,
        catalog=peer.catalog,
        runs=peer.runs,
        files=peer.files,
        folder=peer.folder,
        settings=peer.settings,
        warnings=peer.warnings,
        schemas=peer.schemas,
        health=peer.health,
        pool=peer.pool,
        confinement=peer.confinement,
        live=live,
    )
    async with open_web(parts, peer.settings.viewer.http_addr) as web:
        yield web


@asynccontextmanager
async def join(
    peer: Peer, port: int | None = None, *, listen_on: str = "", near_by: bool = True, guest: Guest | None = None
) -> AsyncIterator[PeerNetwork]:
    """Put `peer` on the network until the block is left, with the rendezvous servers its settings name.

    Parameters and errors: `goop2.peers.network.open_network`.
    """
    # Here, because a command that needs no network should not wait for libp2p.
    from goop2.peers.network import open_network
    from goop2.rendezvous.embedded import servers_of

    servers = servers_of(peer.settings.presence)
    async with open_network(peer, servers, port, listen_on=listen_on, near_by=near_by, guest=guest) as network:
        yield network


def limits_of(settings: Settings) -> InvocationLimits:
    """The limits the owner has set."""
    lua = settings.lua
    return InvocationLimits(
        enabled=lua.enabled,
        timeout_seconds=lua.timeout_seconds,
        memory_bytes=lua.max_memory_mb * MEGABYTE_BYTES,
        rate_per_caller=lua.rate_limit_per_peer,
        rate_global=lua.rate_limit_global,
        workers=lua.max_workers,
        http_enabled=lua.http_enabled,
        kv_enabled=lua.kv_enabled,
        process_per_call=lua.isolation == "call",
    )


def setup_for(folder: Path, settings: Settings, this: Identity, limits: InvocationLimits, flavour: str, quota: Quota) -> Setup:
    """Return what every worker of this peer is told."""
    return Setup(
        flavour=flavour,
        declarations=stubs(FUNCTIONS),
        self_id=this.peer_id,
        self_label=settings.profile.label or this.peer_id,
        memory_bytes=limits.memory_bytes,
        peer_operations=PEER_OPERATIONS,
        command_operations=COMMAND_OPERATIONS,
        database=os.fsencode(Path(os.path.realpath(folder)) / FILE),
        kv_enabled=limits.kv_enabled,
        time_zone=shown(os.environ.get("TZ", "")),
        storage_max_bytes=quota.callers,
    )


def _http(settings: Settings, world: Dependencies | None) -> Mapping[str, PeerOperation]:
    lua = settings.lua
    if not lua.http_enabled:
        return disabled.OPERATIONS
    from goop2.services.http_client.client import Client, Dependencies
    from goop2.services.http_client.operations import HttpOperations

    return HttpOperations(Client(world or Dependencies(), ((address.host, address.port) for address in lua.http_allow))).by_name


def _commands(catalog: Catalog) -> PeerOperation:
    async def commands(_invocation: Invocation) -> HostAnswer:
        listed = catalog.commands()
        return HostAnswer(b"jj", (msgspec.json.encode([name for name, _ in listed]), msgspec.json.encode(dict(listed))))

    return commands


def _site_read(files: SiteFiles) -> PeerOperation:
    async def site_read(_invocation: Invocation, path: Scalar) -> HostAnswer:
        name = path.decode("utf-8", "replace") if isinstance(path, bytes) else str(path)
        try:
            if not name:  # a browser's "/" is the front page; a script names its file
                raise FileNotServedError(name)
            return HostAnswer(b"v", (await threads.SITE.run(files.read, name, SITE_READ_MAX_BYTES),))
        except FileNotServedError:
            return HostAnswer(b"vv", (None, f"{printable(name, NAME_SHOWN_CHARS)} is no file of the site".encode()))
        except UnreadableError as error:
            return HostAnswer(b"vv", (None, f"{printable(name, NAME_SHOWN_CHARS)}: {error.strerror}".encode()))
        except (SiteFileTooLargeError, threads.FolderHangsError) as error:
            return HostAnswer(b"vv", (None, str(error).encode()))

    return site_read
