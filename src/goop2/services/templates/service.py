"""The templates of a running peer: what is there, what one would do, applying it, and taking it back.

One change at a time, and one that began is done to its end, whoever goes away. The order: files and tables together (change.py), then
settings, scripts and schema files are read anew, groups end or are made, and `seed` runs once, as the owner, as every call runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import structlog

from goop2.config import Settings, load
from goop2.net.faults import NetworkError
from goop2.scripting.catalog import Catalog
from goop2.scripting.engine import Engine, Failure
from goop2.scripting.invocation import Caller
from goop2.services.groups.errors import UnknownGroupError
from goop2.services.groups.service import GroupService
from goop2.services.live_settings import LiveSettings
from goop2.services.schema_files import SchemaFiles
from goop2.services.templates import recovery
from goop2.services.templates.change import Change, do, plan_apply, plan_undo
from goop2.services.templates.errors import TemplateChangedError, TemplateError
from goop2.services.templates.ground import HostedGroup, TemplateGround
from goop2.services.templates.manifest import name_in
from goop2.services.templates.plan import TemplatePlan
from goop2.services.templates.sources import Source, builtin, open_source
from goop2.storage.errors import StorageError
from goop2.storage.file_quota import CARELESS, FileCare
from goop2.storage.template_group import TEMPLATE
from goop2.storage.template_tables import meta, set_meta

T = TypeVar("T")
SEED: Final = "seed"
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.templates")


class TemplateEntry(msgspec.Struct, frozen=True):
    """A template that can be applied by its name."""

    name: str
    description: str


class TemplatesListed(msgspec.Struct, frozen=True, kw_only=True):
    """The templates that came with this program, and the one the site has."""

    templates: list[TemplateEntry]
    current: str
    can_undo: bool


@dataclass(frozen=True, slots=True)
class Applied:
    """A template that was applied or taken back: the plan that was followed, and notes."""

    plan: TemplatePlan
    notes: tuple[str, ...]
    """What is odd, sentences for the owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateParts:
    """The parts of the peer that a template concerns."""

    folder: Path
    environment: Mapping[str, str]
    live_settings: LiveSettings
    engine: Engine
    catalog: Catalog
    schemas: SchemaFiles
    grouping: GroupService
    owner: Callable[[], Caller]
    care: FileCare = CARELESS


class TemplateService:
    """The templates of one peer: planned, applied and taken back, one change at a time."""

    def __init__(self, parts: TemplateParts) -> None:
        self._parts = parts
        self._changing = asyncio.Lock()

    async def listed(self) -> TemplatesListed:
        """Return the templates of ours, and the name of the one the site has. Raises `StorageError`."""
        entries = [TemplateEntry(name, shows) for name, shows in builtin().items()]
        said = await self._thread(_current, self._ground())
        return TemplatesListed(templates=entries, current=said[0], can_undo=said[1])

    async def plan(self, name: str, *, switches: bool = True) -> TemplatePlan:
        """Return what applying a template would do: one of ours by name, or the path of a folder or of a .tar.gz.

        Raises `TemplateError`, `BundleError`, `StorageError`, `SettingsError`.
        """
        source = await self._thread(open_source, name)
        return await self.plan_of(source, switches=switches)

    async def plan_of(self, source: Source, *, switches: bool = True) -> TemplatePlan:
        """Return what applying a template that is read already would do."""
        return (await self._thread(partial(plan_apply, switches=switches), self._ground(), source)).plan

    async def plan_undo(self) -> TemplatePlan:
        """Return what taking back the last change would do."""
        return (await self._thread(plan_undo, self._ground())).plan

    async def apply(self, name: str, digest: str, *, switches: bool = True) -> Applied:
        """Apply a template. `digest`: of the plan that the owner agreed to. Raises `TemplateChangedError` if it would be another now."""
        source = await self._thread(open_source, name)
        return await self.apply_source(source, digest, switches=switches)

    async def apply_source(self, source: Source, digest: str, *, switches: bool = True) -> Applied:
        """Apply a template that is read already."""
        # Shielded: whoever closes the page must not stop a change in its middle.
        return await asyncio.shield(self._change(lambda ground: plan_apply(ground, source, switches=switches), digest))

    async def undo(self, digest: str | None = None) -> Applied:
        """Take back the last change; done again, it takes back that. `digest`: None for whatever the plan is."""
        return await asyncio.shield(self._change(plan_undo, digest))

    async def _change(self, planned: Callable[[TemplateGround], Change], digest: str | None) -> Applied:
        async with self._changing:
            ground = self._ground()
            change = await self._thread(planned, ground)
            # The owner agreed to a plan. Rows, files and groups may have changed since, so it is worked out anew and compared.
            if digest is not None and change.plan.digest != digest:
                raise TemplateChangedError("what would be done is no longer what was shown: look at it again")
            _, notes = await self._thread(self._do, ground, change)
            return Applied(change.plan, (*notes, *await self._follow()))

    def _do(self, ground: TemplateGround, change: Change) -> tuple[str, list[str]]:
        with self._parts.schemas.held():  # else new files would be compared with the old tables
            return do(ground, change)

    async def finish(self) -> tuple[str, ...]:
        """Put right what a kill has left of a change, or do what is left of it. Return what is odd. The folder's lock is held."""
        if not recovery.is_interrupted(self._parts.folder):
            return ()
        async with self._changing:
            try:
                done = await self._thread(self._put_right)
            except TemplateError as error:
                return (str(error),)
            left = await self._follow() if recovery.is_interrupted(self._parts.folder) else []
            return (*((done,) if done else ()), *left)

    def _put_right(self) -> str:
        with self._parts.schemas.held():
            return recovery.put_right(self._parts.folder)

    async def _follow(self) -> list[str]:
        """Do what follows from a change that counts; what fails is told, and stops nothing."""
        parts, notes = self._parts, list[str]()
        later = await self._thread(recovery.pending, parts.folder)
        try:
            await parts.live_settings.take((await self._thread(load, parts.folder, parts.environment)).settings)
        except Exception as error:  # the new settings are in the file all the same
            _log.exception("settings of a template")
            notes.append(f"the new settings are in force after a restart: {error}")
        # After the settings, which say whether scripts run at all.
        await parts.schemas.apply()
        await parts.catalog.scan()
        notes += await self._close_groups(later.get("close"))
        await self._thread(recovery.done, parts.folder, "close")
        notes += await self._open_group(str(later.get("group") or ""), str(later.get("name") or ""))
        # Before it runs: a seed that ends this process must not run again at each start.
        await self._thread(recovery.done, parts.folder, "group", SEED)
        if later.get(SEED):
            notes += await self._seed()
        notes += [f"{entry.path}: {entry.fault.message}" for entry in parts.catalog.listing() if entry.fault is not None]
        return notes

    async def _close_groups(self, ids: Any) -> list[str]:
        notes = []
        for group in ids if isinstance(ids, list) else ():
            try:
                await self._parts.grouping.end(str(group))
            # Closed already: by its owner meanwhile, or before the kill after which this is done again.
            except UnknownGroupError:
                continue
            except (NetworkError, StorageError) as error:
                notes.append(f"the group {group} was not closed: {error}")
        return notes

    async def _open_group(self, name: str, context: str) -> list[str]:
        if not name:
            return []
        try:
            known = await self._parts.grouping.create(name, TEMPLATE, take_part=True, context=context)
            await self._thread(_name_group, self._ground(), known.id)
        except (NetworkError, StorageError) as error:
            return [f"the template's group was not made: {error}; what its tables give to a group is closed"]
        return []

    async def _seed(self) -> list[str]:
        outcome = await self._parts.engine.call(self._parts.owner(), SEED)
        if isinstance(outcome, Failure):
            return [f"seed failed, so the site may begin without its content: {outcome.message}"]
        return []

    def _ground(self) -> TemplateGround:
        groups = self._parts.grouping.groups
        hosted = tuple(
            HostedGroup(each.id, each.name, each.kind, each.context, len(set(groups.roles(each.id)) - {groups.own_id}))
            for each in groups.hosted()
        )
        return TemplateGround(self._parts.folder, self._settings, self._parts.environment, hosted, self._parts.care)

    @property
    def _settings(self) -> Settings:
        return self._parts.live_settings.current

    async def _thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.to_thread(work, *arguments)


def _current(ground: TemplateGround) -> tuple[str, bool]:
    with ground.database() as database:
        name = name_in(meta(database)["template_manifest"])
    try:
        plan_undo(ground)
    except (TemplateError, StorageError):
        return name, False
    return name, True


def _name_group(ground: TemplateGround, group: str) -> None:
    with ground.database() as database, database.atomic():
        set_meta(database, {"template_group_id": group})
