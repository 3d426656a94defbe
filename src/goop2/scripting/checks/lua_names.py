"""Which names a Lua source uses and defines, by Lua's own rules of scope; without a tree, since only names are asked for.

A `local` hides a global from its statement on to the end of its block. An expression is read as operands with operators between them: which
binds closer changes no name. It must not know which names there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from goop2.scripting.checks.lua_tokens import KEYWORDS, LuaToken, TokenKind, tokens

LEVELS_MAX: Final = 100
"""Of blocks and brackets in each other; Lua itself takes 200. Each costs some frames of Python's stack."""
PARTS_MAX: Final = 8
"""Of a path; no name of ours has so many."""
_UNARY: Final = frozenset({"-", "#", "not"})
_BINARY: Final = frozenset({"+", "-", "*", "/", "%", "^", "..", "<", "<=", ">", ">=", "==", "~=", "and", "or"})
_BLOCK_END: Final = frozenset({"end", "else", "elseif", "until", ""})
_TESTED_BEFORE: Final = frozenset({"and", "or", "==", "~=", "then", "do"})
"""What stands behind a name that is only asked for: `if goop.orm then`, `x or y`."""

Path = tuple[str, ...]


class NameSyntaxError(Exception):
    """The source is no Lua, or too deep to be read here."""


class NameUse(NamedTuple):
    """A name that is read: `goop.kv.get` is the path ("goop", "kv", "get")."""

    path: Path
    token: LuaToken
    """Its last part."""
    called: bool
    """With arguments behind it."""
    tested: bool
    """Only asked whether it is there."""
    within: str
    """The global function of the file around it; "" outside of all."""


@dataclass(slots=True)
class NamesUsed:
    """What was found in one source."""

    reads: list[NameUse] = field(default_factory=list)
    """Of globals, in order."""
    written: set[Path] = field(default_factory=set)
    """Globals, and fields of globals, that the source assigns."""
    functions: dict[str, LuaToken] = field(default_factory=dict)
    """Global functions that the source defines → their name."""
    locals: dict[str, LuaToken] = field(default_factory=dict)
    """Names of locals that stand at the top of the file → their place."""
    comments: list[tuple[LuaToken, bool]] = field(default_factory=list)
    """Each with whether code stands before it."""


def names_used(source: str) -> NamesUsed:
    """Return the names of `source`. Raises `NameSyntaxError`."""
    reader = _NameReader(source)
    reader.chunk()
    return reader.found


class _NameReader:
    """Reads one source from its beginning to its end."""

    def __init__(self, source: str) -> None:
        self.found = NamesUsed()
        self._tokens: list[LuaToken] = []
        for token in tokens(source):
            if token.kind is TokenKind.COMMENT:
                self.found.comments.append((token, bool(self._tokens)))
            else:
                self._tokens.append(token)
        self._place = 0
        self._level = 0
        self._scopes: list[dict[str, Path | None]] = [{}]
        """Name of a local → the global it was made from (`local kv = goop.kv`), None for any other."""
        self._within = ""

    # ── tokens ───────────────────────────────────────────────────────────────────────────────

    @property
    def _text(self) -> str:
        token = self._tokens[self._place]
        return token.text if token.kind in (TokenKind.KEYWORD, TokenKind.SYMBOL, TokenKind.END) else "\0"

    def _take(self) -> LuaToken:
        token = self._tokens[self._place]
        if token.kind is TokenKind.END:
            raise NameSyntaxError("it ends too early")
        self._place += 1
        return token

    def _takes(self, text: str) -> bool:
        if self._text != text:
            return False
        self._place += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._takes(text):
            raise NameSyntaxError(f"{text} expected")

    def _name(self) -> LuaToken:
        token = self._take()
        if token.kind is not TokenKind.NAME:
            raise NameSyntaxError("a name expected")
        return token

    # ── blocks ───────────────────────────────────────────────────────────────────────────────

    def chunk(self) -> None:
        self._statements()
        if self._tokens[self._place].kind is not TokenKind.END:
            raise NameSyntaxError("it goes on after its end")

    def _block(self, *names: str) -> None:
        """Read statements in a scope of their own, in which `names` are locals."""
        self._deeper()
        self._scopes.append(dict.fromkeys(names))
        self._statements()
        self._scopes.pop()
        self._level -= 1

    def _deeper(self) -> None:
        self._level += 1
        if self._level > LEVELS_MAX:
            raise NameSyntaxError("it is nested too deeply")

    def _statements(self) -> None:
        while self._text not in _BLOCK_END:
            if self._takes("return"):
                if self._text not in _BLOCK_END and self._text != ";":
                    self._expressions()
                self._takes(";")
                if self._text not in _BLOCK_END:
                    raise NameSyntaxError("return is the last statement")
                return
            self._statement()

    def _statement(self) -> None:
        keyword = self._text
        statement = _STATEMENTS.get(keyword)
        if statement is not None:
            self._place += 1
            statement(self)
        elif keyword not in ("break", ";"):
            self._assignment_or_call()
        else:
            self._place += 1

    def _if(self) -> None:
        self._condition("then")
        while True:
            self._block()
            if self._takes("elseif"):
                self._condition("then")
            elif self._takes("else"):
                self._block()
                break
            else:
                break
        self._expect("end")

    def _while(self) -> None:
        self._condition("do")
        self._block()
        self._expect("end")

    def _condition(self, end: str) -> None:
        self._expression()
        self._expect(end)

    def _do(self) -> None:
        self._block()
        self._expect("end")

    def _repeat(self) -> None:
        # The condition sees the locals of the block.
        self._deeper()
        self._scopes.append({})
        self._statements()
        self._expect("until")
        self._expression()
        self._scopes.pop()
        self._level -= 1

    def _for(self) -> None:
        names = [self._name().text]
        while self._takes(","):
            names.append(self._name().text)
        if not self._takes("="):
            self._expect("in")
        self._expressions()
        self._expect("do")
        self._block(*names)
        self._expect("end")

    def _local(self) -> None:
        if self._takes("function"):
            name = self._name()
            self._declare(name, None)
            self._function()
            return
        names = [self._name()]
        while self._takes(","):
            names.append(self._name())
        paths: list[Path | None] = []
        if self._takes("="):
            paths = [None if path is None else self._resolved(path) for path in self._expressions()]
        for place, name in enumerate(names):
            self._declare(name, paths[place] if place < len(paths) else None)

    def _declare(self, name: LuaToken, path: Path | None) -> None:
        self._scopes[-1][name.text] = path
        if len(self._scopes) == 1:
            self.found.locals[name.text] = name

    def _function_statement(self) -> None:
        name = self._name()
        path: Path = (name.text,)
        method = False
        while self._text in (".", ":"):
            method = self._take().text == ":"
            part = self._name().text
            path = (*path, part) if len(path) < PARTS_MAX else path
        aliased = self._resolved(path)
        if aliased is not None:
            self.found.written.add(aliased)
            if len(path) == 1 and len(aliased) == 1:
                self.found.functions.setdefault(name.text, name)
        self._function(*(("self",) if method else ()), within=name.text if aliased == (name.text,) else "")

    def _goto(self) -> None:
        self._name()

    def _label(self) -> None:
        self._name()
        self._expect("::")

    def _assignment_or_call(self) -> None:
        targets: list[tuple[Path | None, LuaToken]] = []
        while True:
            first = self._tokens[self._place]
            path, last, called = self._operand_path(target=True)
            targets.append((path, last))
            if called and (self._text in (",", "=") or len(targets) > 1):
                raise NameSyntaxError("a call is no place to put something")
            if self._takes(","):
                continue
            if self._takes("="):
                self._assigned(targets)
            elif not called or len(targets) > 1 or first.kind is TokenKind.END:
                raise NameSyntaxError("a statement expected")
            return

    def _assigned(self, targets: list[tuple[Path | None, LuaToken]]) -> None:
        names = [path[0] for path, _ in targets if path is not None and len(path) == 1]
        for path, last in targets:
            if path is None:
                continue
            resolved = self._resolved(path)
            if resolved is not None:
                self.found.written.add(resolved)
                if len(resolved) == 1 and self._text == "function":
                    self.found.functions.setdefault(resolved[0], last)
                elif resolved[0] == "_G" and len(resolved) == 2:
                    self.found.written.add(resolved[1:])
                    self.found.functions.setdefault(resolved[1], last)
                elif len(resolved) == 1:
                    self.found.functions.setdefault(resolved[0], last)
            if len(path) == 1 and resolved != path:
                self._forget(path[0])
        before = self._within
        self._within = names[0] if len(names) == 1 and self._text == "function" and not self._is_local(names[0]) else before
        self._expressions()
        self._within = before

    # ── names ────────────────────────────────────────────────────────────────────────────────

    def _is_local(self, name: str) -> bool:
        return any(name in scope for scope in self._scopes)

    def _resolved(self, path: Path) -> Path | None:
        """Return the global that a path leads to, through a local that stands for one; None for a local."""
        for scope in reversed(self._scopes):
            if path[0] in scope:
                alias = scope[path[0]]
                return None if alias is None else (*alias, *path[1:])
        return path

    def _forget(self, name: str) -> None:
        """A local that is assigned again stands for nothing that is known."""
        for scope in reversed(self._scopes):
            if name in scope:
                scope[name] = None
                return

    # ── expressions ──────────────────────────────────────────────────────────────────────────

    def _expressions(self) -> list[Path | None]:
        paths = [self._expression()]
        while self._takes(","):
            paths.append(self._expression())
        return paths

    def _expression(self) -> Path | None:
        """Read an expression; return the global that it is, None when it is anything else."""
        path: Path | None = None
        operands = 0
        while True:
            negated = False
            while self._text in _UNARY:
                negated = self._take().text == "not"
            path = self._operand(negated=negated)
            operands += 1
            if self._text not in _BINARY:
                return path if operands == 1 and not negated else None
            self._place += 1

    def _operand(self, *, negated: bool) -> Path | None:
        token = self._tokens[self._place]
        if token.kind in (TokenKind.NUMBER, TokenKind.STRING) or token.text in ("nil", "true", "false", "..."):
            self._place += 1
            # A text may have a method: ("x"):rep(3) has brackets, which are read below.
            return None
        if token.text == "{" and token.kind is TokenKind.SYMBOL:
            self._table()
            return None
        if self._takes("function"):
            self._function()
            return None
        return self._operand_path(negated=negated)[0]

    def _operand_path(self, *, target: bool = False, negated: bool = False) -> tuple[Path | None, LuaToken, bool]:
        """Read a name or brackets with all that follows it; return the path it is, its last token, and whether it ends in a call."""
        path: Path | None
        if self._takes("("):
            self._deeper()
            self._expression()
            self._expect(")")
            self._level -= 1
            path, last = None, self._tokens[self._place - 1]
        else:
            last = self._name()
            path = (last.text,)
        called = False
        while True:
            if path is not None and self._text == "." and self._tokens[self._place + 1].kind is TokenKind.NAME:
                self._place += 1
                last = self._take()
                # Of a chain without end the beginning says enough, and the whole would take time.
                path = (*path, last.text) if len(path) < PARTS_MAX else path
                continue
            follows = self._text in (".", ":", "[", "(", "{") or self._tokens[self._place].kind is TokenKind.STRING
            if path is not None and (follows or not (target and self._text in ("=", ","))):
                self._read(path, last, negated=negated)
            if not follows:
                return path, last, called
            called = self._suffix()
            if path is not None:
                path = None
            last = self._tokens[self._place - 1]

    def _read(self, path: Path, last: LuaToken, *, negated: bool) -> None:
        resolved = self._resolved(path)
        if resolved is None:
            return
        called = self._text in ("(", "{") or self._tokens[self._place].kind is TokenKind.STRING
        tested = negated or (not called and self._text in _TESTED_BEFORE)
        self.found.reads.append(NameUse(resolved, last, called, tested, self._within))

    def _suffix(self) -> bool:
        """Read what follows an operand: a field, an index, arguments; return whether it was a call."""
        text = self._text
        if text == ".":
            self._place += 1
            self._name()
            return False
        if text == "[":
            self._place += 1
            self._deeper()
            self._expression()
            self._level -= 1
            self._expect("]")
            return False
        if text == ":":
            self._place += 1
            self._name()
        if self._takes("("):
            self._deeper()
            if not self._takes(")"):
                self._expressions()
                self._expect(")")
            self._level -= 1
        elif self._text == "{":
            self._table()
        elif self._tokens[self._place].kind is TokenKind.STRING:
            self._place += 1
        else:
            raise NameSyntaxError("arguments expected")
        return True

    def _table(self) -> None:
        self._expect("{")
        self._deeper()
        while not self._takes("}"):
            if self._takes("["):
                self._expression()
                self._expect("]")
                self._expect("=")
            elif self._tokens[self._place].kind is TokenKind.NAME and self._tokens[self._place + 1].text == "=":
                self._place += 2
            self._expression()
            if not self._takes(",") and not self._takes(";") and self._text != "}":
                raise NameSyntaxError("} expected")
        self._level -= 1

    def _function(self, *first: str, within: str = "") -> None:
        names = list(first)
        self._expect("(")
        while not self._takes(")"):
            if not self._takes("..."):
                names.append(self._name().text)
            if not self._takes(",") and self._text != ")":
                raise NameSyntaxError(") expected")
        before = self._within
        self._within = within or before
        self._block(*names)
        self._within = before
        self._expect("end")


_STATEMENTS: Final = {
    "if": _NameReader._if,
    "while": _NameReader._while,
    "do": _NameReader._do,
    "repeat": _NameReader._repeat,
    "for": _NameReader._for,
    "local": _NameReader._local,
    "function": _NameReader._function_statement,
    "goto": _NameReader._goto,
    "::": _NameReader._label,
}
assert {name for name in _STATEMENTS if name.isalpha()} <= KEYWORDS
