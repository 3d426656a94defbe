"""Plan a change of the site's template and carry it out: apply one, or take the last one back. Blocking: call it from a thread.

Files and tables change together. The files move inside the transaction of the tables, which names the switch; what a kill leaves is put
right by recovery.py. It must not know groups, nor how scripts are run: what is to be done with these afterwards is left in the journal.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from goop2.config.editing import SettingsEdit, prepare, write
from goop2.folder.file_switch import RECORD, WORK, FileSwitch, ForeignFileError, Journal, carry_out, put_back, read_sealed, write_sealed
from goop2.folder.regular_files import shown
from goop2.folder.template_layout import SCHEMAS, Layout, check_real, lay_out
from goop2.folder.user_secret import UserSecretError
from goop2.protocols import untrusted_json
from goop2.services.templates import manifest as manifests
from goop2.services.templates import scripts
from goop2.services.templates.errors import NothingToUndoError, TemplateError
from goop2.services.templates.ground import TemplateGround
from goop2.services.templates.manifest import Manifest
from goop2.services.templates.plan import ClosedGroup, DroppedTable, TablePlan, TemplatePlan
from goop2.services.templates.recovery import put_right
from goop2.services.templates.sources import Source
from goop2.storage import schema_sql, template_tables
from goop2.storage.database import Database
from goop2.storage.errors import SchemaFileError, StorageError
from goop2.storage.policies import CLASSIC, LOCAL
from goop2.storage.policy_sentences import sentences
from goop2.storage.registry_schema import column_names
from goop2.storage.schema_declarations import Declared, declared_in, parse_document
from goop2.storage.schema_file_edit import find_schema_file
from goop2.storage.template_group import TEMPLATE
from goop2.storage.template_tables import COPY, SWITCH_KEY, TABLES_KEY, ClassicTables

_GROUP: Final = "group"
_CLOSED_KINDS: Final = (TEMPLATE, "chat")
"""Types of groups that end with the template they were made for."""
ACTIVE: Final = "viewer.active_template"
"""The key of goop.json by which other programs know the template."""
RECORD_MAX_BYTES: Final = 64 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Change:
    """A change that is worked out and not done."""

    plan: TemplatePlan
    drop: list[str]
    declared: list[Declared] = field(default_factory=list)
    sql: bytes | None = None
    policies: dict[str, str] = field(default_factory=dict)
    restore: Path | None = None
    """Copy of tables that come back."""
    meta: dict[str, str | None] = field(default_factory=dict)
    settings: SettingsEdit | None = None
    layout: Layout | None = None
    moves: list[tuple[str, str | None]] = field(default_factory=list)
    """Of taking back: place, and where what belongs there is."""
    new_names: list[str] = field(default_factory=list)
    """Tables there will be that are not there, or are dropped first."""
    later: dict[str, object] = field(default_factory=dict)


# ── applying ─────────────────────────────────────────────────────────────────────────────────


def plan_apply(ground: TemplateGround, source: Source, *, switches: bool = True) -> Change:
    """Work out what follows from applying a template. `switches`: whether goop.json is to switch on what its scripts need.

    Raises `BundleError`, `TemplateError`, `StorageError`, `SettingsError`.
    """
    layout = lay_out(source.bundle, ground.places)
    manifest = manifests.read(layout.manifest, layout.name, source.description)
    declared, warnings = _declared(layout)
    with ground.database() as database, _of_sql(layout) as (made, sql_names):
        policies = {name: manifest.policies.get(name, "owner") for name in sql_names}
        _check_twice([*(each.table.name for each in declared), *sql_names])
        before = template_tables.meta(database)
        old = template_tables.template_tables(database)
        new_names = [*(each.table.name for each in declared), *sql_names]
        way = template_tables.in_the_way(database, new_names)
        drop = sorted({*old, *way})
        dropped = tuple(DroppedTable(name=name, rows=template_tables.count(database, name), of_template=name in old) for name in drop)
        tables = (*map(_typed_plan, declared), *(_classic_plan(made, name, policies[name]) for name in sql_names if made is not None))
    taken, kept = ground.script_entries(layout.scripts)
    edit = _settings(ground, layout, switches=switches)
    group = _needs_group(declared, policies)
    same = manifests.name_in(before["template_manifest"]) == manifest.name
    keeps = same and group and any(each.id == before["template_group_id"] for each in ground.hosted)
    closed = _closed(ground, before, manifest, group=group)
    site_old, names = ground.site_entries()
    replaced = _schemas_replaced(ground, layout, drop)
    plan = TemplatePlan(
        name=manifest.name,
        description=manifest.description,
        ours=source.ours,
        content=source.bundle.digest,
        scripts=tuple(scripts.described(layout.scripts, frozenset(taken))),
        scripts_gone=tuple(sorted(taken.values())),
        scripts_kept=tuple(kept),
        tables=tables,
        dropped=dropped,
        site_old=site_old,
        site_old_names=tuple(names[:20]),
        site_new=len(layout.site),
        schemas_replaced=tuple(each.removeprefix(f"{SCHEMAS}/") for each in replaced),
        switches=tuple(sorted(_switched(ground, layout))) if switches else (),
        is_lua_on=(edit.settings if edit is not None else ground.settings).lua.enabled,
        # By the settings as they will be: `seed` runs after the switch, and could not where scripts stay off.
        seed=scripts.SEED in layout.scripts and (edit.settings if edit is not None else ground.settings).lua.enabled,
        group=manifest.name if group else "",
        keeps_group=keeps,
        default_role=manifest.default_role if group else "",
        closed=closed,
        require_email=manifest.require_email,
        skipped=layout.skipped,
        warnings=(*source.odd, *manifest.odd, *warnings),
    )
    return Change(
        plan=plan,
        drop=drop,
        declared=declared,
        sql=layout.schema_sql,
        policies=policies,
        meta={
            TABLES_KEY: ",".join(new_names),
            "template_manifest": manifest.text,
            "template_require_email": "1" if manifest.require_email else "",
            "template_group_id": before["template_group_id"] if keeps else "",
            "template_group_name": manifest.name,
        },
        settings=edit,
        layout=layout,
        new_names=new_names,
        later={
            "close": [each.id for each in closed],
            "group": manifest.name if group and not keeps else "",
            "seed": plan.seed,
            "name": manifest.name,
        },
    )


@contextlib.contextmanager
def _of_sql(layout: Layout) -> Iterator[tuple[Database | None, list[str]]]:
    if layout.schema_sql is None:
        yield None, []
        return
    try:
        with schema_sql.tables_of(layout.schema_sql) as (made, names):
            yield made, names
    except SchemaFileError as error:
        raise TemplateError(str(error)) from None


def _declared(layout: Layout) -> tuple[list[Declared], list[str]]:
    """Return the tables of the schema files, and a sentence for each file that has none: an unfinished one stops nothing."""
    found: list[Declared] = []
    odd: list[str] = []
    for name, content in sorted(layout.schemas.items()):
        try:
            found.append(declared_in(parse_document(content)))
        except SchemaFileError as error:
            odd.append(f"{SCHEMAS}/{name}: {error}. No table is made of it")
    return found, odd


def _check_twice(names: list[str]) -> None:
    # SQLite takes names that differ in capitals alone for one.
    seen: dict[str, str] = {}
    for name in names:
        if name.lower() in seen:
            raise TemplateError(f"the template makes the table {name} twice")
        seen[name.lower()] = name


def _typed_plan(declared: Declared) -> TablePlan:
    table = declared.table
    access = LOCAL if declared.closed else table.access
    rights = table.rights
    who = [
        _by_role(operation, rights) if rights is not None and policy == _GROUP else sentences({operation: policy})[0]
        for operation, policy in access.items()
    ]
    closed = ["for you alone until its file is mended: " + "; ".join(map(str, declared.odd))] if declared.closed else []
    return TablePlan(name=table.name, who=(*who, *closed))


_BY_ROLE: Final = {
    "read": "may read",
    "insert": "may add rows",
    "update": "may change the rows they added",
    "delete": "may delete the rows they added",
}


def _by_role(operation: str, rights: Mapping[str, Mapping[str, bool]]) -> str:
    roles = sorted(role for role, allowed in rights.items() if allowed.get(operation, False))
    if not roles:
        return f"no role of the site's group {_BY_ROLE[operation]}"
    return f"members of the site's group whose role is {' or '.join(roles)} {_BY_ROLE[operation]}"


def _classic_plan(made: Database, name: str, policy: str) -> TablePlan:
    if "_owner" not in column_names(made, name):
        return TablePlan(
            name=name, who=("you alone may use it: it has not the columns that say whose a row is",), rows=template_tables.count(made, name)
        )
    return TablePlan(name=name, who=tuple(sentences(CLASSIC.get(policy, LOCAL))), rows=template_tables.count(made, name))


def _needs_group(declared: list[Declared], policies: Mapping[str, str]) -> bool:
    typed = any(_GROUP in each.table.access.values() or bool(each.table.roles) for each in declared)
    return typed or _GROUP in policies.values()


def _closed(ground: TemplateGround, before: Mapping[str, str | None], manifest: Manifest, *, group: bool) -> tuple[ClosedGroup, ...]:
    old = manifests.name_in(before["template_manifest"]) or (before["template_group_name"] or "")
    # The same template again, such as a newer version of it: its group goes on, with its members.
    if old == manifest.name and group:
        return ()
    named = before["template_group_id"]
    return tuple(
        ClosedGroup(id=each.id, name=each.name, members=each.members)
        for each in ground.hosted
        if each.kind in _CLOSED_KINDS and ((old and old != manifest.name and each.context == old) or (named and each.id == named))
    )


def _switched(ground: TemplateGround, layout: Layout) -> dict[str, object]:
    """Return the switches of goop.json that the template wants on and that are off."""
    wanted: set[str] = set()
    if any(scripts.kind_of(file) in ("command", "function") for file in layout.scripts):
        wanted.add("enabled")
    if layout.settings is not None:
        try:
            document: Any = untrusted_json.decode(layout.settings)
        except untrusted_json.InvalidJsonError:
            # The template's goop.json only says what it would like: one that cannot be read asks for nothing, and stops nothing.
            document = {}
        lua = document.get("lua") if isinstance(document, dict) else None
        wanted |= {key for key in ("enabled", "kv_enabled", "http_enabled") if isinstance(lua, dict) and lua.get(key) is True}
    # Other programs of the network have both on where nothing is said, so their templates do not ask for them.
    wanted |= {f"{each}_enabled" for each in scripts.needed(layout.scripts)}
    return {f"lua.{key}": True for key in wanted if not getattr(ground.settings.lua, key)}


def _settings(ground: TemplateGround, layout: Layout, *, switches: bool) -> SettingsEdit | None:
    changes = _switched(ground, layout) if switches else {}
    return prepare(ground.folder, changes, ground.environment, {ACTIVE: layout.name})


def _schemas_replaced(ground: TemplateGround, layout: Layout, drop: list[str]) -> list[str]:
    """Return the files in schemas/ that go: those of dropped tables, which would make them anew, and those that a new file replaces."""
    found = {f"{SCHEMAS}/{name}" for name in layout.schemas if os.path.lexists(ground.folder / SCHEMAS / name)}
    for table in drop:
        file = find_schema_file(ground.folder, table)
        if file is not None:
            found.add(f"{SCHEMAS}/{file.path.name}")
    # And those the template before has brought of which no table was made.
    return sorted(found | {place for place in _brought(ground) if os.path.lexists(ground.folder / place)})


def _brought(ground: TemplateGround) -> list[str]:
    """Return the files in schemas/ that the last change has brought."""
    try:
        with ground.database() as database:
            record = _record(ground.folder, str(template_tables.meta(database, (SWITCH_KEY,))[SWITCH_KEY] or ""))
    except NothingToUndoError:
        return []
    return [each["place"] for each in record["moves"] if each["new"] and each["place"].startswith(f"{SCHEMAS}/")]


# ── taking back ──────────────────────────────────────────────────────────────────────────────


def plan_undo(ground: TemplateGround) -> Change:
    """Work out what taking back the last change of the template means. Raises `NothingToUndoError`, `StorageError`, `SettingsError`."""
    with ground.database() as database:
        last = str(template_tables.meta(database, (SWITCH_KEY,))[SWITCH_KEY] or "")
        record = _record(ground.folder, last)
        copy = ground.folder / WORK / last / COPY
        saved = template_tables.saved_tables(copy)
        made = {name.lower() for name in record["tables_made"]}
        there = [name for name in template_tables.plain_tables(database) if name.lower() in made]
        drop = sorted({*there, *template_tables.in_the_way(database, list(saved))})
        dropped = tuple(DroppedTable(name=each, rows=template_tables.count(database, each), of_template=each in there) for each in drop)
        before = template_tables.meta(database)
    settings = {path: value for path, value in record["settings"].items() if path != ACTIVE}
    foreign = {path: value for path, value in record["settings"].items() if path == ACTIVE}
    # Where the switch found nothing, nothing is to be there again.
    moves = [(each["place"], each["old"] if os.path.lexists(ground.folder / each["old"]) else None) for each in record["moves"]]
    group = str(record["group"] or "")
    closed = tuple(
        ClosedGroup(id=each.id, name=each.name, members=each.members)
        for each in ground.hosted
        if each.kind in _CLOSED_KINDS and each.id == before["template_group_id"] != record["meta"]["template_group_id"]
    )
    scripts_folder = f"{ground.places.scripts}/"
    site_old, names = ground.site_entries()
    # The group of before may have ended meanwhile: then one of its name is made anew, and its members are to be invited again.
    stays = any(each.id == record["meta"]["template_group_id"] for each in ground.hosted)
    plan = TemplatePlan(
        name=record["name"],
        undo=True,
        content=last,
        scripts_gone=tuple(place.removeprefix(scripts_folder) for place, _ in moves if place.startswith(scripts_folder)),
        tables=tuple(TablePlan(name=name, who=(), rows=rows) for name, rows in saved.items()),
        dropped=dropped,
        site_old=site_old,
        site_old_names=tuple(names[:20]),
        site_new=sum(_files_in(ground.folder / old) for place, old in moves if old and place.startswith(f"{ground.places.site}/")),
        switches=tuple(f"{path} = {json.dumps(value)}" if value is not None else f"{path} not set" for path, value in settings.items()),
        group=group if group and not stays else "",
        keeps_group=stays,
        closed=closed,
    )
    return Change(
        plan=plan,
        drop=drop,
        restore=copy if saved else None,
        meta=record["meta"],
        settings=prepare(ground.folder, settings, ground.environment, foreign),
        moves=moves,
        new_names=list(saved),
        later={"close": [each.id for each in closed], "group": plan.group, "seed": False, "name": record["name"]},
    )


def _record(folder: Path, switch: str) -> dict[str, Any]:
    try:
        # The name comes from the database, which a template or another program may have written: it must not lead out of the folder.
        if not switch.isalnum():
            raise FileNotFoundError
        return read_sealed(folder, folder / WORK / switch / RECORD, RECORD_MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise NothingToUndoError("there is nothing to take back: no template was applied here by this program") from None
    except (OSError, UserSecretError, ForeignFileError) as error:
        raise NothingToUndoError(f"what was kept of the last change cannot be used: {error}") from None


def _files_in(path: Path) -> int:
    if not path.is_dir() or path.is_symlink():
        return int(os.path.lexists(path))
    return sum(len(files) for _, _, files in os.walk(path))


# ── doing it ─────────────────────────────────────────────────────────────────────────────────


def do(ground: TemplateGround, change: Change) -> tuple[str, list[str]]:
    """Do what was planned: all of it, or nothing. Return the id of the switch, and what is odd, for the owner.

    Raises `SwitchError`, `BundleError`, `TemplateError`, `StorageError`, `SettingsError`.
    """
    put_right(ground.folder)
    switch = FileSwitch(ground.folder)
    try:
        _stage(ground, change, switch)
        for move in switch.moves:
            # No link on the way may lead the new files out of the peer folder.
            check_real(ground.folder, move.place, ground.settings.homes)
        edit = change.settings
        journal = switch.begin(None if edit is None else (edit.before.decode(), edit.after.decode()), change.later)
        with ground.database() as database, _made(change) as classic:
            notes = _in_transaction(ground, change, switch, journal, database, classic)
        return switch.id, notes
    except UserSecretError as error:
        raise TemplateError(f"nothing was changed: {error}") from None
    except OSError as error:
        put_right(ground.folder)
        raise TemplateError(
            f"{shown(error.filename or ground.folder)} cannot be changed ({error.strerror}), so everything is as it was"
        ) from None
    except BaseException:
        put_right(ground.folder)
        raise
    finally:
        # With a record the change was made, and what lies beside is needed to take it back.
        if not (ground.folder / WORK / switch.id / RECORD).exists():
            switch.discard()


@contextlib.contextmanager
def _made(change: Change) -> Iterator[ClassicTables | None]:
    if change.sql is None:
        yield None
        return
    with schema_sql.tables_of(change.sql) as (made, _):
        yield ClassicTables(made, change.policies)


def _stage(ground: TemplateGround, change: Change, switch: FileSwitch) -> None:
    if change.layout is None:
        for place, source in change.moves:
            switch.bring(place, source)
        return
    layout, places = change.layout, ground.places
    own = places.scripts_in_site
    for place, tree in _site_trees(ground.folder / places.site, layout.site, (), own):
        switch.replace(f"{places.site}/{place}", tree)
    taken, _ = ground.script_entries(layout.scripts)
    for file, content in layout.scripts.items():
        old = taken.get(file, file)
        if old != file:  # it differs in capitals alone
            switch.replace(f"{places.scripts}/{old}", None)
        switch.replace(f"{places.scripts}/{file}", content)
    replaced = _schemas_replaced(ground, layout, change.drop)
    for place in sorted({*replaced, *(f"{SCHEMAS}/{name}" for name in layout.schemas)}):
        switch.replace(place, layout.schemas.get(place.removeprefix(f"{SCHEMAS}/")))


def _site_trees(
    root: Path, site: Mapping[str, bytes], above: tuple[str, ...], own: tuple[str, ...] | None
) -> Iterator[tuple[str, bytes | dict[str, bytes] | None]]:
    """Yield each place of the site that changes, as high up as the folder of scripts allows, with what comes there."""
    prefix = "".join(f"{part}/" for part in above)
    below = {path.removeprefix(prefix): content for path, content in site.items() if path.startswith(prefix)}
    new: dict[str, bytes | dict[str, bytes]] = {}
    for path, content in below.items():
        name, _, rest = path.partition("/")
        if rest:
            tree = new.setdefault(name, {})
            assert isinstance(tree, dict)
            tree[rest] = content
        else:
            new[name] = content
    try:
        # Hidden files in the root of the site, such as .well-known, are the owner's and no template's.
        old = [each.name for each in root.joinpath(*above).iterdir() if above or not each.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        old = []
    for name in sorted({*old, *new}):
        here = (*above, name)
        if own is not None and here == own:
            continue
        if own is not None and own[: len(here)] == here:
            yield from _site_trees(root, site, here, own)
        else:
            yield f"{prefix}{name}", new.get(name)


def _in_transaction(
    ground: TemplateGround, change: Change, switch: FileSwitch, journal: Journal, database: Database, classic: ClassicTables | None
) -> list[str]:
    if change.restore is not None:
        template_tables.attach(database, change.restore)
    with database.atomic():
        # Again, under the lock: a page may have made a table since.
        drop = sorted({*change.drop, *template_tables.in_the_way(database, change.new_names)} & set(template_tables.plain_tables(database)))
        if set(drop) - set(change.drop):
            raise StorageError(f"a table {min(set(drop) - set(change.drop))} was made meanwhile; look at the plan again")
        # The order matters: first what undoing needs is on the disk, then tables, then files; the commit decides for all of it.
        template_tables.save(database, drop, switch.work / COPY)
        before = template_tables.meta(database)
        _write_record(ground.folder, change, switch, before)
        template_tables.drop(database, drop)
        notes = template_tables.make(database, change.declared, classic)
        if change.restore is not None:
            template_tables.restore(database)
        template_tables.set_meta(database, {**change.meta, SWITCH_KEY: switch.id})
        try:
            carry_out(ground.folder, journal)
            if change.settings is not None:
                write(ground.folder, change.settings.before, change.settings.after)
        except BaseException:
            put_back(ground.folder, journal)  # while nobody else can write: a watcher would make tables of the new files
            raise
    with contextlib.suppress(Exception):  # on the disk, before what undoes it is forgotten
        database.connection.wal_checkpoint()
    return notes


def _write_record(folder: Path, change: Change, switch: FileSwitch, before: Mapping[str, str | None]) -> None:
    record = {
        "name": change.plan.name,
        "at": int(time.time()),
        "moves": [{"place": move.place, "old": move.old, "new": move.new is not None} for move in switch.moves],
        "tables_made": change.new_names,
        "meta": dict(before),
        "settings": change.settings.values_before if change.settings is not None else {},
        "group": before["template_group_name"] if before["template_group_id"] else "",
    }
    write_sealed(folder, switch.work / RECORD, record)
