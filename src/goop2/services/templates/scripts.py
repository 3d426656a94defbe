"""What is told of a template's scripts before they run: what each is, who may call it, and what of the goop table it uses.

It looks at the text alone, so it is a help and no defence: what scripts may do is decided by the switches in goop.json and by the wall.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

import msgspec

from goop2.scripting.annotations import parse
from goop2.scripting.handle_scan import HANDLE, ON_GROUP_CLOSE, defines, without_comments

_USED: Final = re.compile(rb"\bgoop\s*\.\s*(\w+)")
_SCHEDULE: Final = re.compile(r"^\s*---+\s*@(every|cron)\s+(\S.*)$", re.MULTILINE)
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\.lua\Z")
NEEDS_KV: Final = "kv"
NEEDS_HTTP: Final = "http"
SEED: Final = "functions/seed.lua"


class ScriptPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A script that the template brings."""

    kind: str
    """command, function, library, or "" for a file that is no script."""
    name: str
    file: str
    """Below the folder of scripts."""
    who: str
    """Who can have it run, as a clause."""
    uses: tuple[str, ...] = ()
    """Tables of goop that its text names."""
    replaces: bool = False
    """Whether a script of that name is there."""


def kind_of(file: str) -> str:
    """Return what a file below the folder of scripts is: command, function, library or ""."""
    path = PurePosixPath(file)
    if not _NAME.match(path.name):
        return ""
    return {"": "command", "functions": "function", "lib": "library"}.get("" if len(path.parts) == 1 else "/".join(path.parts[:-1]), "")


def described(files: Mapping[str, bytes], there: frozenset[str]) -> list[ScriptPlan]:
    """Return the scripts among `files`; `there`: those that would be replaced."""
    return [_described(file, content, replaces=file in there) for file, content in sorted(files.items())]


def _described(file: str, content: bytes, *, replaces: bool) -> ScriptPlan:
    kind = kind_of(file)
    used = sorted({match.decode() for match in _USED.findall(without_comments(content))}) if kind else []
    return ScriptPlan(
        kind=kind, name=PurePosixPath(file).stem, file=file, who=_who(kind, file, content), uses=tuple(used), replaces=replaces
    )


def _who(kind: str, file: str, content: bytes) -> str:
    text = content.decode("utf-8", "replace")
    name = PurePosixPath(file).stem
    said = []
    if kind == "command":
        said.append(f"anyone who writes !{name.lower()} to this peer has it run")
    elif kind == "function":
        said.append("anyone who can open the site has it run")
        if defines(content, HANDLE):
            said.append(f"!{name.lower()} too")
        if defines(content, ON_GROUP_CLOSE):
            said.append("it runs as you when a group ends")
    elif kind == "library":
        return "shared code; it runs when a script uses it"
    else:
        return "no script; it lies beside them and nobody is given it"
    if parse(text, file).rate_limit == 0:
        said.append("as often as they like")
    if schedule := _SCHEDULE.search(text):
        said.append(f"it runs by itself as you (@{schedule[1]} {schedule[2].strip()[:40]})")
    return ", ".join(said)


def needed(files: Mapping[str, bytes]) -> frozenset[str]:
    """Return which of goop.kv and goop.http the scripts name."""
    found: set[str] = set()
    for file, content in files.items():
        if kind_of(file):
            found |= {match.decode() for match in _USED.findall(without_comments(content))} & {NEEDS_KV, NEEDS_HTTP}
    return frozenset(found)
