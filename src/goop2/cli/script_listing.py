"""Print the scripts of a peer for `goop2 lua list` and `goop2 lua check`: as a table, as lines, as JSON."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from goop2.cli import output
from goop2.cli.table import BETWEEN, Cell, broken_lines, line_of, natural_widths, terminal_width

if TYPE_CHECKING:
    from goop2.scripting.catalog import ScriptEntry
    from goop2.services.peer import Peer

COLUMNS = ("script", "state", "calls a minute", "what it is for")
DESCRIPTION_NARROWEST: Final = 16
"""Characters of the last column on a narrow terminal."""


@dataclass(frozen=True, kw_only=True)
class ScriptListing:
    """The scripts and warnings to show, taken from a peer before it closed."""

    scripts: tuple[ScriptEntry, ...]
    warnings: tuple[str, ...]
    """About the folder; a script's own stand with it."""
    script_dir: str
    enabled: bool
    rate_per_caller: int
    findings: tuple[str, ...] = ()
    """What the checks found, each with file and line; only `goop2 lua check` looks for it."""

    @property
    def broken(self) -> list[ScriptEntry]:
        """Return the scripts whose newest file does not run."""
        return [script for script in self.scripts if script.state == "broken"]

    @property
    def all_warnings(self) -> list[str]:
        """Return the warnings of the folder and of every script, and what the checks found."""
        return [*self.warnings, *(warning for script in self.scripts for warning in script.warnings), *self.findings]

    def calls_a_minute(self, script: ScriptEntry) -> int | None:
        """Return how often a caller other than the owner may call in a minute; None when unlimited."""
        limit = self.rate_per_caller if script.rate_limit is None else script.rate_limit
        return limit or None

    def as_json(self) -> dict[str, object]:
        """Return what `lua list --json` prints."""
        return {
            "enabled": self.enabled,
            "commands": [self._script_as_json(script) for script in self.scripts if script.kind == "command"],
            "shared": [self._script_as_json(script) for script in self.scripts if script.kind == "library"],
            "functions": [self._script_as_json(script) for script in self.scripts if script.kind == "function"],
            "warnings": list(self.warnings),
        }

    def findings_as_json(self) -> dict[str, object]:
        """Return what `lua check --json` prints."""
        broken = [{"file": script.path, **_fault(script)} for script in self.broken]
        return {"ok": not broken, "files": len(self.scripts), "broken": broken, "warnings": self.all_warnings}

    def _script_as_json(self, script: ScriptEntry) -> dict[str, object]:
        return {
            "name": script.name,
            "description": script.description,
            "file": script.path,
            "state": script.state,
            "rate_limit_per_minute": self.calls_a_minute(script),
            "error": _fault(script) if script.fault else None,
            "warnings": list(script.warnings),
        }


def listing(peer: Peer) -> ScriptListing:
    """Return what there is to show of `peer`."""
    lua = peer.settings.lua
    scripts = tuple(peer.catalog.listing())
    return ScriptListing(
        scripts=scripts,
        warnings=peer.catalog.warnings,
        script_dir=lua.script_dir,
        enabled=lua.enabled,
        rate_per_caller=lua.rate_limit_per_peer,
    )


def checked(peer: Peer) -> ScriptListing:
    """Return the same with what the checks find in every script that compiles."""
    from goop2.scripting.catalog import Script
    from goop2.scripting.checks.script_checks import check

    found: list[str] = []
    for script in peer.catalog.listing():
        find = {"command": peer.catalog.command, "library": peer.catalog.library}.get(script.kind, peer.catalog.function)
        running = find(script.name)
        if script.state == "ok" and isinstance(running, Script):
            source = running.source.decode("utf-8", "replace").removeprefix("\ufeff")
            found += (f"{script.path}:{each.line}: {each.message}" for each in check(script.kind, script.name, source))
    return replace(listing(peer), findings=tuple(found))


def print_list(listed: ScriptListing) -> None:
    """Print the scripts: a table on a terminal, aligned lines elsewhere."""
    rows = [_row(listed, script) for script in listed.scripts]
    if rows:
        room = terminal_width()
        _print_lines(rows) if room is None else _print_table(rows, room)
    else:
        output.note(f"{listed.script_dir} holds no scripts: a file {listed.script_dir}/hello.lua makes the command !hello")
    for warning in listed.all_warnings:
        output.warn(warning)
    if not listed.enabled:
        output.warn('scripts are switched off here, none answers: set "enabled": true in the section "lua" of goop.json')


def print_findings(listed: ScriptListing) -> None:
    """Print each mistake as `file:line: message` on stdout, and how many there are on stderr."""
    for script in listed.broken:
        assert script.fault is not None
        print(f"{_place(script)}: {output.one_line(script.fault.message)}")
    for warning in listed.all_warnings:
        print(f"{output.one_line(warning)} (warning)")
    sys.stdout.flush()
    count, broken = len(listed.scripts), len(listed.broken)
    output.note(
        f"{count} script{'' if count == 1 else 's'}, {f'{broken} broken' if broken else 'all good' if count else 'nothing to check'}"
    )


def _row(listed: ScriptListing, script: ScriptEntry) -> tuple[str, str, str, str]:
    calls = listed.calls_a_minute(script)
    name = {"command": f"!{script.name}", "library": f"lib/{script.name}"}.get(script.kind, script.name)
    return name, _state(script), "unlimited" if calls is None else str(calls), output.one_line(script.description)


def _state(script: ScriptEntry) -> str:
    if script.fault is None:
        return "ok"
    return "broken" if script.fault.line is None else f"broken at line {script.fault.line}"


def _fault(script: ScriptEntry) -> dict[str, object]:
    assert script.fault is not None
    return {"line": script.fault.line, "message": script.fault.message}


def _place(script: ScriptEntry) -> str:
    line = script.fault.line if script.fault else None
    return script.path if line is None else f"{script.path}:{line}"


def _print_lines(rows: list[tuple[str, str, str, str]]) -> None:
    heads = tuple(name.lower() for name in COLUMNS)
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(COLUMNS))]
    for row in (heads, *rows):
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _print_table(rows: list[tuple[str, str, str, str]], room: int) -> None:
    """Print rows between two empty lines, a rule below their heads; what a script is for takes as many lines as it needs."""
    table = [[Cell(text, output.RED if row[1] != "ok" else "") for text in row] for row in rows]
    heads = [Cell(name, output.BOLD) for name in COLUMNS]
    widths = natural_widths([heads, *table])
    widths[-1] = max(DESCRIPTION_NARROWEST, min(widths[-1], room - sum(widths[:-1]) - BETWEEN * (len(widths) - 1)))
    print()
    print(line_of(heads, widths))
    print("─" * (sum(widths) + BETWEEN * (len(widths) - 1)))
    for row in table:
        for line in broken_lines(row, widths):
            print(line)
    print()
