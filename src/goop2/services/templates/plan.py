"""The plan of applying a template, or of taking one back: what would follow, as facts and as sentences for the owner.

It is worked out without writing anything. `digest` tells one plan from another, so that only what was shown is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from goop2.services.templates.limits import LISTED_MAX, NAMED_MAX
from goop2.services.templates.scripts import ScriptPlan


class TablePlan(msgspec.Struct, frozen=True, kw_only=True):
    """A table that the template makes, with who may do what in it."""

    name: str
    who: tuple[str, ...]
    """Who may do what, sentences."""
    rows: int = 0
    """Rows it comes with."""


class DroppedTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table that goes, and comes back with `goop2 template undo`."""

    name: str
    rows: int
    of_template: bool
    """Whether it belongs to the template before; else it is the owner's and has the name of a new one."""


class ClosedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group hosted here that ends."""

    id: str
    name: str
    members: int


class PlanSection(msgspec.Struct, frozen=True):
    """Sentences under a heading. `warns`: of what the owner should look at twice."""

    title: str
    lines: tuple[str, ...]
    warns: bool = False


class TemplatePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What applying a template, or taking it back, would do: shown to the owner, who agrees to its digest."""

    name: str
    description: str = ""
    undo: bool = False
    ours: bool = False
    """Whether it came with this program."""
    content: str = ""
    """Digest of the template's files."""
    scripts: tuple[ScriptPlan, ...] = ()
    scripts_gone: tuple[str, ...] = ()
    """Files below the folder of scripts that go, or are put back as they were."""
    scripts_kept: tuple[str, ...] = ()
    tables: tuple[TablePlan, ...] = ()
    dropped: tuple[DroppedTable, ...] = ()
    site_old: int = 0
    """Files of the site that go."""
    site_old_names: tuple[str, ...] = ()
    site_new: int = 0
    schemas_replaced: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    """Settings that are switched on (or put back), such as lua.enabled."""
    is_lua_on: bool = False
    """Whether scripts answer afterwards."""
    seed: bool = False
    group: str = ""
    """Name of the template group that is made, "" for none."""
    keeps_group: bool = False
    default_role: str = ""
    """What new members of the group get."""
    closed: tuple[ClosedGroup, ...] = ()
    require_email: bool = False
    skipped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Return what tells this plan from others; rows may be added meanwhile, and do not count."""
        dropped = tuple(msgspec.structs.replace(each, rows=0) for each in self.dropped)
        closed = tuple(msgspec.structs.replace(each, members=0) for each in self.closed)
        plan = msgspec.structs.replace(self, dropped=dropped, closed=closed, site_old=0, site_old_names=())
        return hashlib.blake2b(msgspec.json.encode(plan), digest_size=16).hexdigest()

    def sections(self) -> list[PlanSection]:
        """Return the plan in words: the sections that have anything to say, in the order in which they are shown."""
        found = [*_undo_sections(self)] if self.undo else [*_apply_sections(self)]
        return [section for section in found if section.lines]

    def shown(self) -> dict[str, object]:
        """Return the plan for a page or a command."""
        return {"plan": msgspec.to_builtins(self), "sections": msgspec.to_builtins(self.sections()), "digest": self.digest}


SCRIPTS_ON: Final = "lua.enabled"
_SWITCHES: Final = {
    SCRIPTS_ON: "scripts answer from then on: anyone may call those above (lua.enabled)",
    "lua.kv_enabled": "scripts may keep values, goop.kv (lua.kv_enabled)",
    "lua.http_enabled": "scripts may ask the web from your machine, goop.http (lua.http_enabled)",
}


def _apply_sections(plan: TemplatePlan) -> Iterable[PlanSection]:
    whose = "It came with this program." if plan.ours else "Apply only what you trust: somebody else wrote it."
    yield PlanSection("Its rights", (f"Pages and scripts of {plan.name} run with your rights on this peer. {whose}",), warns=not plan.ours)
    yield PlanSection("Scripts that strangers can have run", tuple(_script_lines(plan.scripts)), warns=True)
    yield PlanSection("Scripts that stay as they are", tuple(_kept_lines(plan)), warns=SCRIPTS_ON in plan.switches)
    yield PlanSection("Tables, and who may read and write them", tuple(_table_lines(plan.tables)))
    yield PlanSection("Switched on in goop.json", tuple(_SWITCHES[each] for each in plan.switches if each in _SWITCHES), warns=True)
    if plan.scripts and not plan.is_lua_on:
        yield PlanSection("Not switched on", ("scripts stay switched off (lua.enabled), so none of them answers",))
    yield PlanSection(
        "Run once",
        ("the script seed runs as you, the owner, when the files are there; it has the limits of every call",) if plan.seed else (),
    )
    yield PlanSection("Dropped", tuple(_dropped_lines(plan.dropped)), warns=True)
    yield PlanSection("Replaced", tuple(_replaced_lines(plan)), warns=plan.site_old > 0)
    yield PlanSection("Group", tuple(_group_lines(plan)), warns=bool(plan.closed))
    if plan.require_email:
        yield PlanSection("E-mail", ("visitors are asked for their e-mail address; nobody checks it",))
    yield PlanSection("To know", tuple(_odd_lines(plan)))


def _kept_lines(plan: TemplatePlan) -> Iterable[str]:
    if plan.scripts_kept:
        # They were off until now, and nobody may have looked at them for long.
        on = ": strangers can have them run from then on too, since scripts are switched on" if SCRIPTS_ON in plan.switches else ""
        yield _named(plan.scripts_kept) + on


def _undo_sections(plan: TemplatePlan) -> Iterable[PlanSection]:
    yield PlanSection("Taken back", (f"{plan.name}: what stood here before it comes back, and what is here now is kept for another undo",))
    yield PlanSection("Site", (f"{plan.site_new} files come back, {plan.site_old} go",))
    yield PlanSection("Scripts put back or removed", (_named(plan.scripts_gone),) if plan.scripts_gone else ())
    yield PlanSection("Tables that come back", tuple(_table_lines(plan.tables)))
    yield PlanSection("Dropped", tuple(_dropped_lines(plan.dropped)), warns=True)
    yield PlanSection("Settings put back", (_named(plan.switches),) if plan.switches else ())
    yield PlanSection("Group", tuple(_group_lines(plan)), warns=bool(plan.closed))
    yield PlanSection("To know", tuple(_odd_lines(plan)))


def _script_lines(scripts: Sequence[ScriptPlan]) -> Iterable[str]:
    for each in scripts[:LISTED_MAX]:
        uses = f"; uses goop.{', goop.'.join(each.uses)}" if each.uses else ""
        there = "; replaces the script of that name" if each.replaces else ""
        yield f"{each.file}: {each.who}{uses}{there}"
    if len(scripts) > LISTED_MAX:
        yield f"and {len(scripts) - LISTED_MAX} more"


def _table_lines(tables: Sequence[TablePlan]) -> Iterable[str]:
    for each in tables[:LISTED_MAX]:
        rows = f" ({_rows(each.rows)})" if each.rows else ""
        yield f"{each.name}{rows}: {', '.join(each.who)}" if each.who else f"{each.name}{rows}"
    if len(tables) > LISTED_MAX:
        yield f"and {len(tables) - LISTED_MAX} more"


def _dropped_lines(tables: Sequence[DroppedTable]) -> Iterable[str]:
    for each in tables:
        why = "of the template before" if each.of_template else "YOURS: a new one has its name"
        yield f"the table {each.name} with {_rows(each.rows)}, {why}; undo brings it back"


def _replaced_lines(plan: TemplatePlan) -> Iterable[str]:
    if plan.site_old:
        old = _named(plan.site_old_names, plan.site_old)
        yield f"the site: {plan.site_old} files go ({old}), {plan.site_new} come; undo brings them back"
    else:
        yield f"the site: {plan.site_new} files come"
    if plan.scripts_gone:
        yield f"scripts: {_named(plan.scripts_gone)}"
    if plan.schemas_replaced:
        yield f"files in schemas/: {_named(plan.schemas_replaced)}"


def _group_lines(plan: TemplatePlan) -> Iterable[str]:
    for each in plan.closed:
        members = "1 member" if each.members == 1 else f"{each.members} members"
        yield f"the group {each.name} with {members} is closed, and undo does not bring its members back"
    if plan.keeps_group:
        yield "the template's group stays, with its members and their roles"
    elif plan.group:
        yield f"a group {plan.group} is made; its members have what the policy group gives" + (
            f", and new ones the role {plan.default_role}" if plan.default_role else ""
        )


def _odd_lines(plan: TemplatePlan) -> Iterable[str]:
    yield from plan.warnings
    if plan.skipped:
        yield f"passed over, since names that begin with a dot are never served: {_named(plan.skipped)}"


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"


def _named(names: Sequence[str], number: int | None = None) -> str:
    more = (len(names) if number is None else number) - len(names[:NAMED_MAX])
    return ", ".join(names[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
