"""Lua source → tokens. Takes a time that grows with the length of the source alone, whatever stands in it: scripts come from strangers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, NamedTuple


class TokenKind(Enum):
    """The kinds of tokens that LuaJIT reads, and two of ours for what is no token."""

    NAME = auto()
    KEYWORD = auto()
    NUMBER = auto()
    STRING = auto()
    SYMBOL = auto()
    COMMENT = auto()
    UNKNOWN = auto()
    """What Lua has no token for: a text that is not closed, a letter beyond ASCII."""
    END = auto()


class LuaToken(NamedTuple):
    """A token and its place: offsets into the source, in characters."""

    kind: TokenKind
    text: str
    start: int

    @property
    def end(self) -> int:
        """Return the offset behind it."""
        return self.start + len(self.text)


KEYWORDS: Final = frozenset(
    {
        *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in"),
        *("local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"),
    }
)
_NEXT: Final = re.compile(
    r"""[ \t\r\n\f\v]*
    (?: (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<comment>--) (?P<comment_level>\[=*\[)?
      | (?P<long>\[=*\[)
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      | (?P<number>0[xX][0-9A-Fa-f.]+(?:[pP][+-]?[0-9]+)?[A-Za-z]*|\.?[0-9][0-9.]*(?:[eE][+-]?[0-9]+)?[A-Za-z]*)
      | (?P<symbol>\.\.\.|\.\.|==|~=|<=|>=|::|[-+*/%^\#<>=(){}\[\];:,.])
      | (?P<unknown>.)
    )?""",
    re.VERBOSE | re.DOTALL,
)
_LINE_END: Final = re.compile(r"[\r\n]|\Z")


def tokens(source: str) -> Iterator[LuaToken]:
    """Yield the tokens of `source`, comments too, and at last one of kind END."""
    place = 0
    unclosed: set[str] = set()
    """Closing brackets that come nowhere from here on: looked for once, and not again from each opening one."""
    while True:
        match = _NEXT.match(source, place)
        assert match is not None, "it matches an empty text"
        kind = match.lastgroup
        if kind is None:
            yield LuaToken(TokenKind.END, "", match.end())
            return
        if kind in ("comment", "comment_level", "long"):
            token = _bracketed(source, match, unclosed)
        else:
            start = match.start(kind)
            text = match[kind]
            token = LuaToken(TokenKind.KEYWORD if text in KEYWORDS and kind == "name" else _KINDS[kind], text, start)
        yield token
        place = token.end


_KINDS: Final = {
    "name": TokenKind.NAME,
    "string": TokenKind.STRING,
    "number": TokenKind.NUMBER,
    "symbol": TokenKind.SYMBOL,
    "unknown": TokenKind.UNKNOWN,
}


def _bracketed(source: str, match: re.Match[str], unclosed: set[str]) -> LuaToken:
    """Return a comment, or a text in long brackets."""
    is_comment = match["comment"] is not None
    opening = match["comment_level"] if is_comment else match["long"]
    start = match.start("comment" if is_comment else "long")
    if opening:
        closing = opening.replace("[", "]")
        found = -1 if closing in unclosed else source.find(closing, match.end())
        if found >= 0:
            return LuaToken(TokenKind.COMMENT if is_comment else TokenKind.STRING, source[start : found + len(closing)], start)
        unclosed.add(closing)
        if not is_comment:
            return LuaToken(TokenKind.UNKNOWN, opening, start)
    line_end = _LINE_END.search(source, start)
    assert line_end is not None
    return LuaToken(TokenKind.COMMENT, source[start : line_end.start()], start)
