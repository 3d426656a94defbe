"""The composition root: open the parts of one peer in order, and close them in reverse.

No other module connects rooms (tests/test_composition.py). Host calls that need a room above `scripting`, such as the site's files, the web
or a listening session, are given to the pool here, so that `scripting` imports none of them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from goop2.config import Settings, load, payload_keys
from goop2.folder import file_modes
from goop2.folder.identity import Identity, load_or_create
from goop2.folder.regular_files import shown
from goop2.folder.site_files import SiteFiles
from goop2.sandbox.answers import Answer, several
from goop2.sandbox.messages import Setup
from goop2.scripting.api import FUNCTIONS, PRIVATE
from goop2.scripting.api.rules import rules
from goop2.scripting.api.stubs import stubs
from goop2.scripting.catalog import Catalog
from goop2.scripting.engine import Engine
from goop2.scripting.invocation import Caller, Invocation, PeerOperation
from goop2.scripting.limits import MEGABYTE_BYTES, InvocationLimits
from goop2.scripting.pool import Pool
from goop2.scripting.runs import Runs
from goop2.services.chat.message_store import MessageStore
from goop2.services.chat.service import open_chat
from goop2.services.groups.closing import telling_scripts
from goop2.services.groups.script_operations import GroupOperations
from goop2.services.groups.service import open_groups
from goop2.services.http_client import disabled
from goop2.services.listen.operations import Elsewhere, beside
from goop2.services.listen.operations import operations as listen_operations
from goop2.services.listen.service import open_listening
from goop2.services.listen.tracks import Library
from goop2.services.peer import Peer
from goop2.services.rest_api import function as api
from goop2.services.schema_files import open_schemas
from goop2.services.site_operations import site_read
from goop2.services.storage_health import StorageHealth
from goop2.services.tables import open_tables
from goop2.services.watchers import watching
from goop2.storage.database import FILE
from goop2.storage.file_quota import Quota, quota_of
from goop2.storage.migrations import open_folder
from goop2.storage.run_history import open_run_history
from goop2.storage.run_limits import RunLimits

if TYPE_CHECKING:
    from goop2.peers.network import PeerNetwork
    from goop2.services.http_client.client import Dependencies
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
    this = load_or_create(folder, settings.identity.key_file)
    script_dir = settings.script_dir(folder)
    files = SiteFiles(folder, [script_dir, folder / settings.lua.script_dir], settings.paths.site_root)
    # More come as parts open; the pool looks at each call.
    operations: dict[str, PeerOperation] = {"site.read": site_read(files), **_http(settings, world)}
    quota = quota_of(folder / FILE, settings.storage.max_mb)
    health = StorageHealth(folder / FILE, quota)
    async with AsyncExitStack() as stack:
        database, data_warnings = await asyncio.to_thread(open_folder, folder, script_dir, private, health.for_peer)
        stack.callback(database.close_last)
        health.use()
        schemas = await stack.enter_async_context(open_schemas(folder, health.for_peer, watch=watch))
        kept = folder if history else None
        run_history = await stack.enter_async_context(open_run_history(kept, run_limits_of(settings), beside=elsewhere is not None))
        limits = limits_of(settings)
        pool = Pool(setup_for(folder, settings, this, limits, flavour, quota), limits, operations)
        stack.push_async_callback(pool.stop)
        catalog = Catalog(
            folder,
            Path(settings.lua.script_dir),
            pool.compile,
            builtins=[api.SCRIPT],
            homes=settings.homes(folder),
            compile_many=pool.compile_many,
        )
        confinement = await _begun(pool, catalog)
        if watch:
            await stack.enter_async_context(watching(catalog.watch))
        runs = Runs(history=run_history)
        engine = Engine(catalog=catalog, pool=pool, limits=limits, runs=runs, unusable=health.refusal, judge_file_fault=health.judge)
        store = MessageStore(folder / FILE, this.peer_id, health.for_peer)
        chat = await stack.enter_async_context(open_chat(this.peer_id, engine, store))
        grouping = await stack.enter_async_context(open_groups(this.peer_id, folder / FILE, health.for_peer))
        owner = Caller(this.peer_id, settings.profile.label, owner=True, email=settings.profile.email)
        await stack.enter_async_context(telling_scripts(grouping.groups, engine, owner))
        tables = await stack.enter_async_context(open_tables(folder / FILE, grouping.groups.template_roles, health.for_callers))
        if watch:
            await stack.enter_async_context(watching(partial(health.watch, database)))
        rest = api.Api(files, tables)
        library = Library(folder, script_dir, settings.listen.media_dirs)
        listening = await stack.enter_async_context(open_listening(folder, library))
        sessions = listen_operations(listening)
        operations |= {
            "commands": _commands(catalog),
            **GroupOperations(grouping).by_name,
            api.OPERATION: rest.perform,
            **(sessions if elsewhere is None else beside(sessions, elsewhere)),
        }
        pool.check_operations()
        found = (
            payload_keys.others_may_read(folder, private) if keys else "",
            await asyncio.to_thread(rest.problem),
            *_not_kept(chat.problem, grouping.problem),
            health.size(),
            loaded.notice,
        )
        yield Peer(
            folder=folder,
            settings=settings,
            warnings=tuple(map(shown, (*loaded.warnings, *mode_warnings, *data_warnings, *library.warnings, *filter(None, found)))),
            schemas=schemas,
            health=health,
            identity=this,
            catalog=catalog,
            pool=pool,
            engine=engine,
            runs=runs,
            history=run_history,
            database=database,
            files=files,
            chat=chat,
            tables=tables,
            grouping=grouping,
            listening=listening,
            confinement=confinement,
            payload_keys=keys,
        )


def _not_kept(chat_problem: str, groups_problem: str) -> Iterator[str]:
    """Yield a warning for each service that cannot save what it holds."""
    if chat_problem:
        yield f"messages are not kept, and refused: {chat_problem}"
    if groups_problem:
        yield f"groups are not kept: {groups_problem}"


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
async def serve_peer(peer: Peer, *, live: bool = False) -> AsyncIterator[OpenWeb]:
    """Serve `peer` to browsers; with `live`, pages the owner has open follow what is saved. Raises `ListenerError`."""
    # Here, because a command that serves nothing should not wait for it.
    from goop2.web.app import Web
    from goop2.web.console.app import console_app
    from goop2.web.http.console_token import Token
    from goop2.web.http.listeners import bound_to
    from goop2.web.remote.network import RemoteNetwork
    from goop2.web.server import addresses_of, open_web

    address = peer.settings.viewer.http_addr
    with bound_to(address, peer.identity.peer_id) as listeners:
        web = Web(peer, RemoteNetwork(), live=live)
        opened = addresses_of(web, listeners, address.host, Token())
        console = console_app(web, listeners[0].listener, opened.opened, opened.token)
        async with open_web(web, console, listeners):
            yield opened


@asynccontextmanager
async def join(peer: Peer, port: int | None = None, *, listen_on: str = "", near_by: bool = True) -> AsyncIterator[PeerNetwork]:
    """Put `peer` on the network until the block is left, with the rendezvous servers its settings name.

    Parameters and errors: `goop2.peers.network.open_network`.
    """
    # Here, because a command that needs no network should not wait for libp2p.
    from goop2.peers.network import open_network
    from goop2.rendezvous.embedded import open_servers

    # Outside the network, so that its goodbye still finds the own rendezvous server open.
    async with (
        open_servers(peer.settings.presence) as servers,
        open_network(peer, servers, port, listen_on=listen_on, near_by=near_by) as network,
    ):
        yield network


def limits_of(settings: Settings) -> InvocationLimits:
    """Return the limits of invocations that the owner has set."""
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


def run_limits_of(settings: Settings) -> RunLimits:
    """Return how many runs the owner keeps, and how much of each."""
    kept = settings.runs
    return RunLimits(kept.keep_days, kept.keep_count, kept.max_mb * MEGABYTE_BYTES, kept.keep_arguments)


def setup_for(folder: Path, settings: Settings, this: Identity, limits: InvocationLimits, flavour: str, quota: Quota) -> Setup:
    """Return what every worker of this peer is told."""
    return Setup(
        flavour=flavour,
        declarations=stubs(FUNCTIONS),
        self_id=this.peer_id,
        self_label=settings.profile.label or this.peer_id,
        memory_bytes=limits.memory_bytes,
        operations=rules((*FUNCTIONS, *PRIVATE)),
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
    async def commands(_invocation: Invocation) -> Answer:
        listed = catalog.commands()
        return several(b"jj", msgspec.json.encode([name for name, _ in listed]), msgspec.json.encode(dict(listed)))

    return commands
