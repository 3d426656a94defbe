"""The composition root: open the parts of one peer in order, and close them in reverse.

No other module connects rooms (tests/test_composition.py). Host calls that need a room above `scripting`, such as the site's files, the web
or a listening session, are given to the pool here, so that `scripting` imports none of them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from goop2.config import Settings, load, payload_keys
from goop2.config.payload_keys import PayloadKeys
from goop2.folder import file_modes
from goop2.folder.identity import Identity, load_or_create
from goop2.folder.regular_files import shown
from goop2.folder.site_files import SiteFiles
from goop2.sandbox.answers import Answer, several
from goop2.scripting import shared_code
from goop2.scripting.api import FUNCTIONS, PRIVATE
from goop2.scripting.api.rules import rules
from goop2.scripting.api.testing import TESTING
from goop2.scripting.catalog import Catalog
from goop2.scripting.engine import Engine
from goop2.scripting.invocation import Invocation, PeerOperation
from goop2.scripting.pool import Pool
from goop2.scripting.runs import Runs
from goop2.services.backup.service import open_backup
from goop2.services.groups.script_operations import GroupOperations
from goop2.services.http_client import disabled
from goop2.services.listen.operations import Elsewhere, beside
from goop2.services.listen.operations import operations as listen_operations
from goop2.services.live_settings import LiveSettings
from goop2.services.missed_calls import MissedCalls
from goop2.services.owner import owner_of
from goop2.services.peer import Peer
from goop2.services.rest_api import function as api
from goop2.services.rooms.script_operations import RoomOperations
from goop2.services.schedules.service import open_schedules
from goop2.services.schema_files import SchemaFiles, open_schemas
from goop2.services.script_settings import limits_of, run_limits_of, setup_for
from goop2.services.script_tests.limits import WORKERS
from goop2.services.script_tests.runner import Bench, TestDesk, open_bench
from goop2.services.services import Services, open_services
from goop2.services.site_operations import site_read
from goop2.services.storage_health import StorageHealth
from goop2.services.templates.service import TemplateParts, TemplateService
from goop2.services.transformations import Transformations
from goop2.services.watchers import watching
from goop2.storage.database import FILE, Database
from goop2.storage.file_quota import Quota, quota_of
from goop2.storage.migrations import open_folder
from goop2.storage.run_history import RunHistory, open_run_history
from goop2.storage.told import not_told

if TYPE_CHECKING:
    from goop2.cluster.lease_client import OwnerLease
    from goop2.cluster.owner import Cluster
    from goop2.peers.network import PeerNetwork
    from goop2.services.http_client.client import Dependencies
    from goop2.services.script_tests.operations import TestOperations
    from goop2.web.server import OpenWeb


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
    tests: TestOperations | None = None,
    identity: Identity | None = None,
    lease: OwnerLease | None = None,
) -> AsyncIterator[Peer]:
    """Open the scripting side of the peer in `folder`; with `watch`, saved scripts go live by themselves.

    `world` is what scripts reach by goop.http; by default the real one. `elsewhere` asks the peer that runs in the folder already, whose
    listening session it is. `history`: whether runs are kept on disk; without it the last ones are kept in memory. `tests`: the peer is
    opened to run tests, whose operations these are, as the peer of `identity`. `lease`: is held, and without it nothing is answered.

    Raises `SettingsError`, `IdentityError`, and `DatabaseError`, each with a sentence for the owner.
    """
    async with AsyncExitStack() as stack:
        # Before the folder, and so ended after the database is closed: what is written last is copied too.
        backup = await stack.enter_async_context(open_backup(folder, environment))
        fenced = _fence_of(lease)
        opened = await _open_folder(stack, folder, environment, identity, fenced)
        settings, health = opened.settings, opened.health
        schemas = await stack.enter_async_context(open_schemas(folder, health.for_peer, watch=watch))
        # More come as parts open; the pool looks at each call.
        operations: dict[str, PeerOperation] = {"site.read": site_read(opened.files), **_http(settings, world)}
        kept = folder if history else None
        run_history = await stack.enter_async_context(open_run_history(kept, run_limits_of(settings), beside=elsewhere is not None))
        if tests is not None:
            operations.update(tests.by_name(http=settings.lua.http_enabled))
        scripting = await _open_scripting(
            stack, folder, opened, operations, run_history, flavour=flavour, watch=watch, tests=tests is not None
        )

        clusters: list[Cluster] = []

        apply = _apply_settings(folder, opened, scripting, run_history, operations, clusters, world=world, flavour=flavour)
        live_settings = LiveSettings(settings, apply)
        starting = open_services(
            folder,
            opened.identity,
            live_settings,
            scripting.engine,
            files=opened.files,
            script_dir=opened.script_dir,
            health=opened.health,
        )
        services = await stack.enter_async_context(starting)
        if watch:  # only what runs as the peer of the folder may remove what an earlier one has left
            services.imports.sweep()
        # Opened last and so ended first: it uses the connection that is closed at the very end.
        if watch:
            await stack.enter_async_context(watching(partial(health.watch, opened.database)))
        operations |= _later_operations(folder, scripting, services, elsewhere)
        scripting.pool.check_operations()
        # Beside a running peer, schedules run there. They use all of the above, so they end first.
        beside_none = watch and elsewhere is None
        opening = open_schedules(
            scripting.catalog, scripting.engine, lambda: owner_of(opened.identity, live_settings.current), folder, running=beside_none
        )
        schedules = await stack.enter_async_context(opening)
        templates = _templates(folder, environment, opened, scripting, services, schemas, live_settings)
        left = await templates.finish() if watch else ()
        found = await _found_now(folder, opened, services, watch=watch)
        if watch and settings.cluster.nats:  # a command beside the peer runs its scripts here
            clusters.append(await stack.enter_async_context(_open_cluster(folder, opened, scripting, flavour)))
        if history:  # only what runs as the peer of the folder
            backup.begin(settings, opened.identity.peer_id, settings.profile.label)
        if lease is not None:
            from goop2.cluster.kept_by_lease import tell_lease

            tell_lease(lease, backup, settings.backup.to)
            for cluster in clusters:
                cluster.lease = lease
        yield Peer(
            folder=folder,
            live_settings=live_settings,
            warnings=tuple(map(shown, (*opened.warnings, *services.warnings, *found, *left))),
            templates=templates,
            schemas=schemas,
            health=health,
            backup=backup,
            identity=opened.identity,
            catalog=scripting.catalog,
            pool=scripting.pool,
            engine=scripting.engine,
            runs=scripting.runs,
            history=run_history,
            database=opened.database,
            files=opened.files,
            avatars=services.avatars,
            chat=services.chat,
            tables=services.tables,
            desk=services.desk,
            imports=services.imports,
            script_keys=services.script_keys,
            schedules=schedules,
            tests=TestDesk(folder, partial(open_test_peer, folder, environment)),
            missed_calls=MissedCalls(),
            grouping=services.grouping,
            rooms=services.rooms,
            shared_files=services.shared_files,
            listening=services.listening,
            confinement=scripting.confinement,
            payload_keys=opened.payload_keys,
            fenced=fenced,
            cluster=clusters[0] if clusters else None,
        )


def _fence_of(lease: OwnerLease | None) -> Callable[[], str] | None:
    """Return what says why a peer that is kept by a lease may serve nothing now, None for a peer without one."""
    if lease is None:
        return None
    from goop2.cluster.kept_by_lease import fence_of

    return fence_of(lease)


@asynccontextmanager
async def open_test_peer(folder: Path, environment: Mapping[str, str], copy: Path, tests: TestOperations) -> AsyncIterator[Peer]:
    """Open a peer in `copy`, a copy of `folder`, for its tests: with the same id, so that rows have the same owners."""
    identity = load_or_create(folder, load(folder, environment).settings.identity.key_file)
    async with open_peer(copy, environment, tests=tests, identity=identity) as peer:
        yield peer


@asynccontextmanager
async def open_script_tests(folder: Path, environment: Mapping[str, str] = os.environ) -> AsyncIterator[Bench]:
    """Give what runs the tests of `folder`, in a copy of it, until the block is left. Raises `TestFolderError`."""
    async with open_bench(folder, partial(open_test_peer, folder, environment)) as bench:
        yield bench


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenFolder:
    """What the folder of a peer holds, with its database open."""

    settings: Settings
    notice: str
    private: bool
    payload_keys: PayloadKeys | None
    identity: Identity
    script_dir: Path
    files: SiteFiles
    quota: Quota
    health: StorageHealth
    database: Database
    warnings: tuple[str, ...]


async def _open_folder(
    stack: AsyncExitStack,
    folder: Path,
    environment: Mapping[str, str],
    identity: Identity | None = None,
    fenced: Callable[[], str] | None = None,
) -> _OpenFolder:
    """Read the settings, keys and files of the folder and open its database, which `stack` closes last."""
    loaded = load(folder, environment)
    settings = loaded.settings
    private = not settings.storage.group_readable
    # Before any file is read or made, so that no secret is readable to others for a moment.
    mode_warnings = await asyncio.to_thread(file_modes.tighten, folder) if private else []
    keys = payload_keys.load(folder)
    identity = identity or load_or_create(folder, settings.identity.key_file)
    script_dir = settings.script_dir(folder)
    files = SiteFiles(folder, [script_dir, folder / settings.lua.script_dir], settings.paths.site_root)
    quota = quota_of(folder / FILE, settings.storage.max_mb)
    health = StorageHealth(folder / FILE, quota, synced=settings.storage.synced, fenced=fenced)
    database, data_warnings = await asyncio.to_thread(open_folder, folder, script_dir, private, health.for_peer)
    stack.callback(database.close_last)
    health.use()
    return _OpenFolder(
        settings=settings,
        notice=loaded.notice,
        private=private,
        payload_keys=keys,
        identity=identity,
        script_dir=script_dir,
        files=files,
        quota=quota,
        health=health,
        database=database,
        warnings=(*loaded.warnings, *mode_warnings, *data_warnings),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenScripting:
    """The engine with its parts, and the layers of confinement that its workers reported."""

    pool: Pool
    catalog: Catalog
    runs: Runs
    engine: Engine
    confinement: Mapping[str, str]


async def _open_scripting(
    stack: AsyncExitStack,
    folder: Path,
    opened: _OpenFolder,
    operations: Mapping[str, PeerOperation],
    history: RunHistory,
    *,
    flavour: str,
    watch: bool,
    tests: bool,
) -> _OpenScripting:
    """Start the workers, compile the scripts, and watch them if asked to."""
    settings, health = opened.settings, opened.health
    limits = limits_of(settings)
    setup = setup_for(folder, settings, opened.identity, limits, flavour, opened.quota)
    if tests:
        limits = dataclasses.replace(limits, workers=WORKERS, process_per_call=False)
        setup = msgspec.structs.replace(setup, operations=rules((*FUNCTIONS, *PRIVATE, *TESTING)), stubs_clock=True)
    pool = Pool(setup, limits, operations)
    stack.push_async_callback(pool.stop)
    catalog = Catalog(
        folder,
        Path(settings.lua.script_dir),
        pool.compile,
        builtins=[api.SCRIPT],
        homes=settings.homes(folder),
        compile_many=pool.compile_many,
    )
    confinement = await _start(pool, catalog)
    if watch:
        await stack.enter_async_context(watching(catalog.watch))
    runs = Runs(history=history)
    engine = Engine(
        catalog=catalog, pool=pool, limits=limits, runs=runs, unusable=health.refusal, judge_file_fault=health.judge, fenced=health.fenced
    )
    return _OpenScripting(pool=pool, catalog=catalog, runs=runs, engine=engine, confinement=confinement)


def _open_cluster(folder: Path, opened: _OpenFolder, scripting: _OpenScripting, flavour: str) -> AbstractAsyncContextManager[Cluster]:
    """Let calls run on the owner's other machines too."""
    # Here, because a peer without a cluster should not load it.
    from goop2.cluster.owner import open_cluster
    from goop2.cluster.setup_files import NodeNames, owner_key

    settings = opened.settings
    limits = limits_of(settings)
    return open_cluster(
        url=settings.cluster.nats,
        key=partial(owner_key, folder, settings.cluster.key),
        spill=settings.cluster.spill,
        pool=scripting.pool,
        runs=scripting.runs,
        setup=setup_for(folder, settings, opened.identity, limits, flavour, opened.quota),
        limits=limits,
        name_of=NodeNames(folder),
    )


def _apply_settings(
    folder: Path,
    opened: _OpenFolder,
    scripting: _OpenScripting,
    history: RunHistory,
    operations: dict[str, PeerOperation],
    clusters: list[Cluster],
    *,
    world: Dependencies | None,
    flavour: str,
) -> Callable[[Settings], Awaitable[None]]:
    """Return what tells the parts that work with settings of new ones; `operations` and `clusters` may still grow."""

    async def apply(wanted: Settings) -> None:
        limits = limits_of(wanted)
        setup = setup_for(folder, wanted, opened.identity, limits, flavour, opened.quota)
        # First, since it may fail: then nothing else has changed, and the old settings stay in force.
        await scripting.pool.renew(setup, limits)
        for cluster in clusters:
            cluster.renew(setup, limits)
        operations.update(_http(wanted, world))
        scripting.engine.use(limits)
        await history.use(run_limits_of(wanted))

    return apply


def _later_operations(
    folder: Path, scripting: _OpenScripting, services: Services, elsewhere: Elsewhere | None
) -> Mapping[str, PeerOperation]:
    """Return the operations of the goop table that need what is opened after the pool."""
    sessions = listen_operations(services.listening)
    return {
        "commands": _commands(scripting.catalog),
        shared_code.OPERATION: shared_code.shared_code(scripting.catalog),
        **GroupOperations(services.grouping).by_name,
        **Transformations(folder).by_name,
        **RoomOperations(services.rooms).by_name,
        api.OPERATION: services.rest.perform,
        **(sessions if elsewhere is None else beside(sessions, elsewhere)),
    }


def _templates(
    folder: Path,
    environment: Mapping[str, str],
    opened: _OpenFolder,
    scripting: _OpenScripting,
    services: Services,
    schemas: SchemaFiles,
    live_settings: LiveSettings,
) -> TemplateService:
    """Return what applies templates to the folder."""
    parts = TemplateParts(
        folder=folder,
        environment=environment,
        live_settings=live_settings,
        engine=scripting.engine,
        catalog=scripting.catalog,
        schemas=schemas,
        grouping=services.grouping,
        owner=lambda: owner_of(opened.identity, live_settings.current),
        care=opened.health.for_peer,
    )
    return TemplateService(parts)


async def _found_now(folder: Path, opened: _OpenFolder, services: Services, *, watch: bool) -> Iterable[str]:
    """Return the warnings about what was found while the parts were opened."""
    found = (
        payload_keys.others_may_read(folder, opened.private) if opened.payload_keys else "",
        await asyncio.to_thread(services.rest.problem),
        *services.not_kept(),
        opened.health.size(),
        await asyncio.to_thread(not_told, opened.database, opened.notice, telling=watch),
    )
    return filter(None, found)


async def _start(pool: Pool, catalog: Catalog) -> Mapping[str, str]:
    """Start the workers and read the scripts beside that, then have them compiled; return the layers of confinement. Raises `PoolError`."""
    starting = asyncio.create_task(pool.start())
    try:
        await catalog.scan(starting)
        return await starting
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)


@asynccontextmanager
async def serve_peer(peer: Peer, *, live: bool = False, restart: Callable[[], None] | None = None) -> AsyncIterator[OpenWeb]:
    """Serve `peer` to browsers; with `live`, pages the owner has open follow what is saved. Raises `ListenerError`.

    `restart` ends this process's peer and starts it again; None where nobody would start it.
    """
    # Here, because a command that serves nothing should not wait for it.
    from goop2.web.app import Web
    from goop2.web.console.app import console_app
    from goop2.web.http.console_token import Token
    from goop2.web.http.listeners import bound_to
    from goop2.web.http.saved_ports import SavedPorts
    from goop2.web.remote.network import RemoteNetwork
    from goop2.web.server import addresses_of, open_web

    address = peer.settings.viewer.http_addr
    saved = SavedPorts(peer.folder)
    with bound_to(address, peer.identity.peer_id, saved) as listeners:
        web = Web(peer, RemoteNetwork(), live=live, restart=restart)
        opened = addresses_of(web, listeners, address.host, Token())
        console = console_app(web, listeners[0].listener, opened.opened, opened.token)
        async with open_web(web, console, listeners, saved):
            yield opened


@asynccontextmanager
async def join(peer: Peer, port: int | None = None, *, listen_on: str = "", near_by: bool = True) -> AsyncIterator[PeerNetwork]:
    """Put `peer` on the network until the block is left, with the rendezvous servers its settings name.

    `port`: TCP, 0 for any; None: p2p.listen_port. `listen_on`: an IP address; "" for p2p.listen_on. `near_by`: look on the local network
    too. Raises `PortInUseError`.
    """
    # Here, because a command that needs no network should not wait for libp2p.
    from goop2.net.dial_back import open_dial_back
    from goop2.net.hole_punching import open_hole_punching
    from goop2.net.host import open_host
    from goop2.net.latencies import open_latencies
    from goop2.net.reachability import open_reachability
    from goop2.peers.discovery.mdns import machine_addresses
    from goop2.peers.network import open_network
    from goop2.rendezvous.embedded import open_servers

    p2p = peer.settings.p2p
    async with AsyncExitStack() as stack:
        # Before the network, so that its goodbye still finds the own rendezvous server open.
        servers = await stack.enter_async_context(open_servers(peer.settings.presence, peer.settings.viewer.proxies))
        listening = open_host(peer.identity, p2p.listen_port if port is None else port, None, listen_on or p2p.listen_on)
        host = await stack.enter_async_context(listening)
        await stack.enter_async_context(open_hole_punching(host))
        await open_dial_back(host)
        reachability = await stack.enter_async_context(open_reachability(host, machine_addresses))
        latencies = await stack.enter_async_context(open_latencies(host))
        yield await stack.enter_async_context(open_network(peer, host, reachability, latencies, servers=servers, near_by=near_by))


def _http(settings: Settings, world: Dependencies | None) -> Mapping[str, PeerOperation]:
    lua = settings.lua
    if not lua.http_enabled:
        return disabled.OPERATIONS
    from goop2.services.http_client.client import Client, Dependencies
    from goop2.services.http_client.operations import HttpOperations

    return HttpOperations(Client(world or Dependencies(), ((address.host, address.port) for address in lua.http_allow))).by_name


def _commands(catalog: Catalog) -> PeerOperation:
    async def commands(_invocation: Invocation) -> Answer:
        listed = catalog.commands()
        return several(b"jj", msgspec.json.encode([name for name, _ in listed]), msgspec.json.encode(dict(listed)))

    return commands
