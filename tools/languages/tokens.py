"""The tokens of a script in JavaScript, as far as texts need them: strings, templates with what stands in them, words and signs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_SPACE: Final = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_WORD: Final = re.compile(r"[A-Za-z_$#][\w$]*")
_NUMBER: Final = re.compile(r"\d[\w.]*|\.\d[\w.]*")
_STRING: Final = re.compile(r'"((?:[^"\\\n]|\\.)*)"|\'((?:[^\'\\\n]|\\.)*)\'')
_REGEX: Final = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
_SIGN: Final = re.compile(r"=>|===|!==|==|!=|\?\?=|\|\|=|&&=|\?\?|\|\||&&|\?\.|\.\.\.|<=|>=|[-+*/]=|\+\+|--|.", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_PLAIN: Final = {"n": "\n", "t": "\t"}
_VALUE_ENDS: Final = frozenset({")", "]", "}"})
_BEFORE_VALUE: Final = frozenset({"return", "typeof", "case", "in", "of", "await", "yield", "else"})


class ScriptError(ValueError):
    """A script whose strings or templates do not end."""

    code = "script"


@dataclass(frozen=True)
class Token:
    """A token: `kind` is "word", "number", "string", "template", "regex" or "sign"."""

    kind: str
    value: str
    """Text of a string without quotes; of a template with {0}, {1} … for what stands in it."""
    start: int
    end: int
    inner: list[list[Token]] = field(default_factory=list)
    """Of a template: the tokens of each expression in it."""


def tokens_of(source: str) -> list[Token]:
    """Return the tokens of a script; raise `ScriptError` when it does not end where it should."""
    found, _ = _tokens(source, 0, is_nested=False)
    return found


def _tokens(source: str, at: int, *, is_nested: bool) -> tuple[list[Token], int]:
    """Return the tokens from `at` on, and where they end: at the end, or at the } that ends an expression in a template."""
    found: list[Token] = []
    depth = 0
    while at < len(source):
        if space := _SPACE.match(source, at):
            at = space.end()
            continue
        token = _next(source, at, found[-1] if found else None)
        if is_nested and token.kind == "sign" and token.value == "}" and depth == 0:
            return found, at
        depth += {"{": 1, "}": -1}.get(token.value, 0) if token.kind == "sign" else 0
        found.append(token)
        at = token.end
    if is_nested:
        raise ScriptError("a template has no end")
    return found, at


def _next(source: str, at: int, before: Token | None) -> Token:
    if source[at] == "`":
        return _template(source, at)
    for kind, pattern in (("word", _WORD), ("number", _NUMBER), ("string", _STRING)):
        if match := pattern.match(source, at):
            value = match[0] if kind != "string" else _unescaped(match[0][1:-1])
            return Token(kind, value, at, match.end())
    if source[at] == "/" and not _ends_value(before) and (match := _REGEX.match(source, at)):
        return Token("regex", match[0], at, match.end())
    match = _SIGN.match(source, at)
    if match is None or match[0] in "\"'":
        raise ScriptError(f"a string has no end: {source[at : at + 40]}")
    return Token("sign", match[0], at, match.end())


def _ends_value(before: Token | None) -> bool:
    """Return whether a / after this token divides; else it begins a regular expression."""
    if before is None:
        return False
    if before.kind == "word":
        return before.value not in _BEFORE_VALUE
    return before.kind != "sign" or before.value in _VALUE_ENDS


def _template(source: str, start: int) -> Token:
    pieces: list[str] = []
    inner: list[list[Token]] = []
    at = begun = start + 1
    while at < len(source):
        if source[at] == "\\":
            at += 2
        elif source[at] == "`":
            pieces.append(_unescaped(source[begun:at]))
            text = "".join(piece + (f"{{{place}}}" if place < len(inner) else "") for place, piece in enumerate(pieces))
            return Token("template", text, start, at + 1, inner)
        elif source.startswith("${", at):
            pieces.append(_unescaped(source[begun:at]))
            expression, end = _tokens(source, at + 2, is_nested=True)
            inner.append(expression)
            at = begun = end + 1
        else:
            at += 1
    raise ScriptError(f"a template has no end: {source[start : start + 40]}")


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1][1:], 16)) if len(match[1]) > 1 else _PLAIN.get(match[1], match[1]), text)
