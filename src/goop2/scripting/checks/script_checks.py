"""The checks of a script: names that nobody has defined, functions of goop that are not there or not for it, entries nobody calls.

The editor of the console asks while somebody types, `goop2 lua check` asks for each file. A finding is a hint, and stops nothing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final, Literal

import msgspec

from goop2.scripting.annotations import ANNOTATIONS
from goop2.scripting.api import FUNCTIONS
from goop2.scripting.checks.known_names import ABSENT, GLOBALS, LIBRARIES
from goop2.scripting.checks.lua_names import NamesUsed, NameSyntaxError, names_used
from goop2.scripting.checks.lua_tokens import LuaToken, TokenKind
from goop2.scripting.goop_names import GoopNames
from goop2.scripting.printable import printable
from goop2.scripting.source_files import Kind

FINDINGS_MAX: Final = 100
"""Of one script; nobody reads more."""
NAME_SHOWN_CHARS: Final = 40
_ENTRIES: Final = {"command": ("handle",), "function": ("call", "handle", "run", "on_group_close")}
"""Kind → global functions the peer calls, the usual one first."""
_ANNOTATION: Final = re.compile(r"---+[ \t]*@([a-z_]+)")


class ScriptFinding(msgspec.Struct, frozen=True):
    """What is odd about a script, and where."""

    line: int
    start: int
    """Offset into the source, in characters."""
    end: int
    message: str
    severity: Literal["error", "warning"] = "warning"


def check(kind: Kind, name: str, source: str) -> list[ScriptFinding]:
    """Return what is odd about a script, in order; [] for one that is no Lua: what is wrong there the compiler says."""
    try:
        names = names_used(source)
    except NameSyntaxError:
        return []
    lines = _Lines(source)
    found = sorted(_findings(kind, name, names), key=lambda pair: pair[0].start)
    return [ScriptFinding(lines.of(token.start), token.start, token.end, message) for token, message in found[:FINDINGS_MAX]]


class _Lines:
    """Offsets → numbers of lines, asked in rising order."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._line, self._at = 1, 0

    def of(self, offset: int) -> int:
        self._line += self._source.count("\n", self._at, offset)
        self._at = offset
        return self._line


_Found = Iterator[tuple[LuaToken, str]]


def _findings(kind: Kind, name: str, names: NamesUsed) -> _Found:
    yield from _undefined(names)
    yield from _of_goop(kind, names)
    yield from _entries(kind, name, names)
    yield from _annotations(names)


def _undefined(names: NamesUsed) -> _Found:
    """Find names that neither the sandbox nor the script defines; not those the script asks for (`if x then`), which may be missing."""
    defined = {path[0] for path in names.written}
    asked = {use.path for use in names.reads if use.tested}
    for use in names.reads:
        root, *fields = use.path
        if root in defined or (root,) in asked or use.path in asked:
            continue
        if root not in GLOBALS:
            yield use.token, _missing(root, [*GLOBALS, *defined, *names.locals])
        elif use.called and fields and fields[0] not in LIBRARIES.get(root, fields) and use.path[:2] not in names.written:
            yield use.token, f"{root} has no function {_shown(fields[0])}{_meant(fields[0], LIBRARIES[root])}"


def _missing(name: str, known: Iterable[str]) -> str:
    if name in ABSENT:
        return f"{name} is not there: {ABSENT[name]}"
    return f"undefined global {_shown(name)}{_meant(name, known)}"


def _of_goop(kind: Kind, names: NamesUsed) -> _Found:
    asked = {use.path for use in names.reads if use.tested}
    for use in names.reads:
        if use.path[0] != "goop" or len(use.path) < 2 or use.tested:
            continue
        beginnings = {use.path[:end] for end in range(1, len(use.path) + 1)}
        # The script has asked whether it is there, or has put something of its own there.
        if not beginnings.isdisjoint(asked) or not beginnings.isdisjoint(names.written):
            continue
        # A data function's `handle` runs as a chat command.
        message = _goop_names().fault(".".join(use.path[1:]), command=kind == "command" or use.within == "handle")
        if message:
            yield use.token, message


@cache
def _goop_names() -> GoopNames:
    return GoopNames(FUNCTIONS)


def _entries(kind: Kind, name: str, names: NamesUsed) -> _Found:
    wanted = _ENTRIES.get(kind, ())
    if not wanted:  # shared code is asked for by its name
        return
    usual = wanted[0]
    parameter = "args" if usual == "handle" else "request"
    defined = {path[0] for path in names.written}
    if usual in names.locals and usual not in defined:
        yield names.locals[usual], f"{usual} is local, so the peer does not find it: take the word local away"
    elif not defined.intersection(wanted):
        start = LuaToken(TokenKind.UNKNOWN, "", 0)
        called = f"!{name.lower()}" if kind == "command" else name
        yield start, f"no function {usual}({parameter}) is defined here, so {called} cannot answer"
    if kind == "command" and "call" in names.functions:
        place = f"functions/{name}.lua"
        yield names.functions["call"], f"call is not used in a chat command: a data function stands in {place}"


def _annotations(names: NamesUsed) -> _Found:
    """Find annotations outside of the block at the top of the file, which has no code and no `--` comment before it."""
    ended = False
    for comment, after_code in names.comments:
        is_annotation = _ANNOTATION.match(comment.text)
        ended = ended or after_code or not comment.text.startswith("---")
        if ended and is_annotation and is_annotation[1] in ANNOTATIONS:
            yield comment, f"@{is_annotation[1]} has no effect here: annotations stand at the top of the file, before code and -- comments"


def _shown(name: str) -> str:
    return printable(name, NAME_SHOWN_CHARS)


def _meant(name: str, known: Iterable[str]) -> str:
    # Of a name without end nobody means anything, and comparing takes time.
    near = difflib.get_close_matches(name, sorted(set(known)), 1, 0.7) if len(name) <= NAME_SHOWN_CHARS else []
    return f"; did you mean {near[0]}?" if near else ""
