"""Which names stand below `goop`, and what is said of one that does not. checks/script_checks.py finds them in scripts."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from goop2.scripting.api.declaration import Function

VALUES: Final = ("peer.id", "peer.label", "peer.email", "self.id", "self.label", "json.null", "group.member.id")
"""Names below `goop` that are no functions."""
FREE: Final = frozenset(("template",))
"""Tables whose fields are not ours to know."""
_NAME_MAX_CHARS: Final = 80


class GoopNames:
    """The names that scripts may use below `goop`, for both kinds of script."""

    def __init__(self, functions: Iterable[Function]) -> None:
        public = [function for function in functions if not function.private]
        self._methods = {function.name: [method.member for method in function.methods] for function in public if function.methods}
        self._leaves = {**dict.fromkeys(VALUES, False), **{function.name: function.functions_only for function in public}}
        self._tables = {name[:place] for name in self._leaves for place, letter in enumerate(name) if letter == "."}

    def fault(self, name: str, *, command: bool) -> str:
        """Return why a script does not find `name`, such as `kv.gett`, "" when it does. A chat `command` does not have all functions."""
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
