"""Find names below `goop` in a script that the goop table does not have, as `goop2 lua check` tells them.

By the text alone: nothing runs. A script that gives `goop` another meaning, or puts fields of its own into it, is taken at its word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final, NamedTuple

from goop2.scripting.api.declaration import Function
from goop2.scripting.handle_scan import without_comments

VALUES: Final = ("peer.id", "peer.label", "peer.email", "self.id", "self.label", "json.null", "group.member.id")
"""Names below `goop` that are no functions."""
FREE: Final = frozenset(("template",))
"""Tables whose fields are not ours to know."""
_USED: Final = re.compile(rb"(?<![\w.:])goop((?:\s*\.\s*[A-Za-z_]\w*)+)(\s*=(?!=))?")
_SHADOWED: Final = re.compile(rb"\blocal\s+[\w\s,]*\bgoop\b|\bfunction\b[^()]*\([^()]*\bgoop\b[^()]*\)|(?<![\w.:])goop\s*=(?!=)")
_SHOWN_MAX: Final = 20
"""Lines told of one script: a text that is not Lua for goop2 at all needs no more."""
_NAME_MAX_CHARS: Final = 80


class UnknownName(NamedTuple):
    """A name that the goop table does not have."""

    line: int
    message: str


class GoopNames:
    """The names that scripts may use below `goop`, for both kinds of script."""

    def __init__(self, functions: Iterable[Function]) -> None:
        public = [function for function in functions if not function.private]
        self._methods = {function.name: [method.member for method in function.methods] for function in public if function.methods}
        self._leaves = {**dict.fromkeys(VALUES, False), **{function.name: function.functions_only for function in public}}
        self._tables = {name[:place] for name in self._leaves for place, letter in enumerate(name) if letter == "."}

    def unknown(self, source: bytes, *, command: bool) -> list[UnknownName]:
        """Return what `source`, the text of a chat `command` or of a data function, uses below `goop` and will not find there."""
        code = without_comments(source)
        if b"goop" not in code or _SHADOWED.search(code):
            return []
        used = [(match.start(), _dotted(match[1]), bool(match[2])) for match in _USED.finditer(code)]
        own = {name for _, name, assigned in used if assigned}
        findings = []
        for place, name, assigned in used:
            message = "" if assigned or any(name == each or name.startswith(f"{each}.") for each in own) else self._fault(name, command)
            if message:
                findings.append(UnknownName(code.count(b"\n", 0, place) + 1, message))
        return findings[:_SHOWN_MAX]

    def _fault(self, name: str, command: bool) -> str:
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            known = ".".join(parts[:length])
            if known in FREE:
                return ""
            if known in self._leaves:
                return self._of_leaf(known, parts[length:], command)
            if known not in self._tables:
                return f"goop.{known[:_NAME_MAX_CHARS]} is not known here{self._hint(known)}"
        return ""  # a table as a whole: a script may look whether it has it

    def _of_leaf(self, name: str, rest: list[str], command: bool) -> str:
        if command and self._leaves[name]:
            return _NOT_IN_COMMANDS.format(name)
        if rest and rest[0] in self._methods.get(name, ()):
            return f"goop.{name} is called first, then the method with a colon: goop.{name}(…):{rest[0]}(…)"
        return ""

    def _hint(self, name: str) -> str:
        near = get_close_matches(name, [*self._leaves, *self._tables, *FREE], 1)
        return f"; goop.{near[0]} is" if near else ""


_NOT_IN_COMMANDS: Final = "goop.{} is for data functions alone: in a chat command it is nil"


def _dotted(text: bytes) -> str:
    return ".".join(_parts(text.decode()))


def _parts(text: str) -> Iterator[str]:
    for part in text.split("."):
        if part.strip():
            yield part.strip()
