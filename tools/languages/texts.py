"""The texts of a script: those that go through a function of texts, and those that stand bare where a reader would see them.

It decides by where a string stands: a child of an element, an attribute that is read, a toast, a question. Elsewhere it goes by what the
string looks like: words with a space between them, or a word with a capital.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from tools.languages.places import CODE, CODE_ASSIGNED, DEAF, MAKERS, READ, SAME_EVERYWHERE, SAYING
from tools.languages.tokens import Token, tokens_of

PLAIN: Final = "t"
"""`t("Save")`, or in front of a template."""
PLURAL: Final = "many"
"""`many(count, "{0} row", "{0} rows")`."""
MIXED: Final = "mix"
"""`mix("Run {0} in a terminal", el("code", …))`."""
_MARKED: Final = re.compile(r'(?:aria-label|title|placeholder|alt)="[^"{]*[A-Za-z]|>[^<>{]*[A-Za-z]{2,}[^<>]*<')
"""A text in HTML."""
_CODE_LIKE: Final = re.compile(r"\n|\[[a-z-]+[\]=]|^[a-z]+(?:, [a-z]+)+$|^use strict$|Goop\.|^(?:[a-z][A-Za-z]+ ){5}")
"""Strings of several words that are no text: programs, selectors, lists of names."""
_KEYS_OF: Final = {PLAIN: (0,), MIXED: (0,), PLURAL: (1, 2)}
"""Function of texts → its arguments that are keys; the last one of a plural is its key."""
_CHILD: Final = 2
"""Place of the first child in the arguments of a function that makes elements."""
_INDEX: Final = "[]"
_BEFORE_LIST: Final = frozenset({"return", "of", "in", "await"})
"""Words after which a [ begins a list; after others it begins an index."""
_NAMES_AFTER: Final = frozenset({"===", "!==", "==", "!=", "case", "from", "import"})
_NAMES_BEFORE: Final = frozenset({"===", "!==", "==", "!=", "in"})
_LETTERS: Final = re.compile(r"[A-Za-z]{2,}")
_PROSE: Final = re.compile(r"[A-Za-z’'\",.:;)]+ [A-Za-z(“]|^ ?[A-Z][a-z]+(?![A-Za-z-])|[a-z]…$")


@dataclass
class Texts:
    """The texts of one script."""

    keys: dict[str, tuple[str, str] | None] = field(default_factory=dict)
    """Key → (one, other) of a plural, None of a plain text."""
    bare: list[tuple[int, str, str]] = field(default_factory=list)
    """(offset, kind, text) of what should go through a function of texts."""


@dataclass
class _Frame:
    """An open bracket: what is called, which argument it is at, which property is given a value."""

    opener: str
    callee: str = ""
    argument: int = 0
    property: str = ""
    attribute: str = ""
    """Of setAttribute: its first argument."""
    assigned: str = ""
    """The property that is given a value by the statement in it."""
    is_looked_up: bool = False
    """Of a list: whether something is only looked for in it."""


def texts_of(source: str) -> Texts:
    """Return the texts of a script."""
    texts = Texts()
    _walk(tokens_of(source), texts, is_read=False)
    return texts


def _walk(tokens: list[Token], texts: Texts, *, is_read: bool) -> None:
    frames: list[_Frame] = [_Frame("{")]
    for at, token in enumerate(tokens):
        if token.kind in ("string", "template"):
            _take(tokens, at, frames, texts, is_read=is_read)
        elif token.kind == "sign":
            _follow(tokens, at, frames)


def _take(tokens: list[Token], at: int, frames: list[_Frame], texts: Texts, *, is_read: bool) -> None:
    """Take a string or template into `texts`, and what stands in a template."""
    token = tokens[at]
    is_tagged = token.kind == "template" and at > 0 and (tokens[at - 1].kind, tokens[at - 1].value) == ("word", PLAIN)
    verdict = "key" if is_tagged else _verdict(tokens, at, frames, is_read=is_read)
    if verdict == "key":
        _take_key(tokens, at, frames[-1], texts, is_tagged=is_tagged)
    elif verdict and (token.kind == "string" or _LETTERS.search(_outside(token.value))):
        texts.bare.append((token.start, token.kind, token.value))
    for expression in token.inner:
        _walk(expression, texts, is_read=verdict == "read" or is_tagged)


def _follow(tokens: list[Token], at: int, frames: list[_Frame]) -> None:
    """Note what a sign opens, ends or gives a value to."""
    sign, here = tokens[at].value, frames[-1]
    before = tokens[at - 1].value if at else ""
    if sign in "([{":
        frames.append(_opened(tokens, at))
    elif sign in ")]}":
        if len(frames) > 1:
            frames.pop()
    elif sign == ",":
        here.attribute = here.attribute or before
        here.argument += 1
        here.property = ""
    elif sign == ":" and here.opener == "{" and not _in_choice(tokens, at):
        here.property = before
    elif sign in ("=", "||=", "??="):
        here.assigned = before if at > 1 and tokens[at - 2].value in (".", "?.") else ""
    elif sign == ";":
        here.assigned = ""


def _in_choice(tokens: list[Token], at: int) -> bool:
    """Return whether the : at this place belongs to a ?."""
    depth = 0
    for token in reversed(tokens[:at]):
        if token.kind != "sign":
            continue
        if token.value in ")]}":
            depth += 1
        elif token.value in "([{":
            if not depth:
                return False
            depth -= 1
        elif not depth and token.value == ",":
            return False
        elif not depth and token.value == "?":
            return True
    return False


def _opened(tokens: list[Token], at: int) -> _Frame:
    """Return the frame of the bracket at this place."""
    sign = tokens[at].value
    before = tokens[at - 1] if at else None
    if before is None:
        return _Frame(sign)
    if sign == "(" and before.kind == "word":
        return _Frame(sign, before.value)
    if sign == "[" and _is_looked_up(tokens, at):
        return _Frame(sign, is_looked_up=True)
    if sign == "[" and (before.value in (")", "]", "}", "?.") or (before.kind == "word" and before.value not in _BEFORE_LIST)):
        return _Frame(sign, _INDEX)
    return _Frame(sign)


def _is_looked_up(tokens: list[Token], at: int) -> bool:
    """Return whether the list that begins here is one of `["Enter", " "].includes(…)`."""
    depth = 0
    for place in range(at, len(tokens) - 2):
        if tokens[place].kind == "sign":
            depth += {"[": 1, "]": -1}.get(tokens[place].value, 0)
        if not depth:
            return tokens[place + 1].value == "." and tokens[place + 2].value in ("includes", "indexOf")
    return False


def _verdict(tokens: list[Token], at: int, frames: list[_Frame], *, is_read: bool) -> str:
    """Return "key", "read", "looks" like a text, or "" for none."""
    token, frame = tokens[at], frames[-1]
    if frame.opener == "(" and frame.callee in _KEYS_OF:
        return "key" if frame.argument in _KEYS_OF[frame.callee] else ""
    if (
        frame.callee == _INDEX
        or frame.is_looked_up
        or token.value in SAME_EVERYWHERE
        or _is_name(tokens, at, frame)
        or _is_code_place(frames)
    ):
        return ""
    if _is_read_place(frames, is_read=is_read):
        return "read" if token.kind == "template" or re.search("[A-Za-z]", token.value) else ""
    if token.value.lstrip().startswith("<"):
        return "looks" if _MARKED.search(_outside(token.value)) else ""
    return "looks" if _PROSE.search(_outside(token.value)) and not _CODE_LIKE.search(token.value) else ""


def _is_name(tokens: list[Token], at: int, frame: _Frame) -> bool:
    """Return whether the string is compared, imported, or the name of a property."""
    before = tokens[at - 1].value if at else ""
    after = tokens[at + 1].value if at + 1 < len(tokens) else ""
    return before in _NAMES_AFTER or after in _NAMES_BEFORE or (after == ":" and frame.opener == "{" and before in ("{", ","))


def _outside(text: str) -> str:
    return re.sub(r"\{\d\}", "{", text)


def _is_code_place(frames: list[_Frame]) -> bool:
    for frame in reversed(frames):
        if frame.opener == "{" and frame.property:
            return frame.property in CODE
        if frame.opener == "{":
            return frame.assigned in CODE_ASSIGNED
        if frame.callee == "setAttribute":
            return frame.argument == 0 or frame.attribute not in READ
        if frame.callee in MAKERS:
            return frame.argument == 0
        if frame.callee in DEAF:
            return True
        if frame.callee:
            return False
    return False


def _is_read_place(frames: list[_Frame], *, is_read: bool) -> bool:
    for frame in reversed(frames):
        if frame.opener == "{" and frame.property:
            return frame.property in READ
        if frame.opener == "{" and frame is not frames[0]:
            return frame.assigned in READ
        if frame.callee == "setAttribute":
            return frame.argument == 1
        if frame.callee in MAKERS:
            return frame.argument >= _CHILD
        if frame.callee in SAYING:
            return frame.argument in SAYING[frame.callee]
        if frame.callee:
            return False
    return is_read or frames[0].assigned in READ


def _take_key(tokens: list[Token], at: int, frame: _Frame, texts: Texts, *, is_tagged: bool) -> None:
    value = tokens[at].value
    if is_tagged or frame.callee != PLURAL:
        texts.keys[value] = None
    elif frame.argument == _KEYS_OF[PLURAL][-1]:
        texts.keys[value] = (tokens[at - 2].value, value)
