"""Decode JSON that somebody else wrote: a page, another peer, a rendezvous server, a command, a file.

This is the one place that decodes such text, so that every room refuses the same texts in the same way. Whatever the bytes are, `decode`
gives a value or raises `InvalidJsonError`; nothing else leaves it. msgspec alone raises three unrelated exceptions (DecodeError,
UnicodeDecodeError, RecursionError), and it copies a `msgspec.Raw` part without a look at its UTF-8 or at how deeply the rest of the
program can follow it.

Every room may import this module; it imports none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable
from functools import cache
from itertools import accumulate
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

T = TypeVar("T")

UTF8_MARK: Final = b"\xef\xbb\xbf"
"""The byte order mark some editors put in front of a text; it is no part of it."""
NESTING_MAX: Final = 128
"""Lists and objects inside each other. Scripts take and give 100 (behaviour.md, "Values across the wall"); requests, group messages and
answers put a few more around them. Python's own end is at 1,000 minus the calls that are open, another number in every place."""

_TEXT: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""A JSON string. Its closing quote is optional so that the search is linear in every text, also where the string does not end."""
_NO_BRACKET: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class InvalidJsonError(ValueError):
    """The bytes are not JSON, not UTF-8, or nested too deeply; the message says which, and where.

    `code` is an error class of behaviour.md: whoever sent them is at fault.
    """

    code = "bad_request"


class UnexpectedJsonError(InvalidJsonError):
    """The JSON is of another form than the reader wants; the message names the place and what it should be."""


class Decoder(Generic[T]):
    """Decode values of one type. Make it once and keep it: msgspec prepares the type when it is made."""

    def __init__(self, type_: type[T]) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(type_)

    def decode(self, content: bytes | str) -> T:
        """Return the value in `content`. Raises `InvalidJsonError`."""
        try:
            if isinstance(content, str):
                text = content.removeprefix("\ufeff").encode()
            else:
                text = content.removeprefix(UTF8_MARK)
                text.decode()  # a Raw part is copied as it is
            value = self._decoder.decode(text)
        except msgspec.ValidationError as error:
            raise UnexpectedJsonError(str(error)) from None
        except msgspec.DecodeError as error:
            raise InvalidJsonError(str(error)) from None
        except UnicodeError as error:
            raise InvalidJsonError(f"it is not UTF-8 (byte {getattr(error, 'start', 0)})") from None
        except RecursionError:
            raise _too_deep() from None
        _check_nesting(text)
        return value


def decode(content: bytes | str, type_: type[T] = object) -> T:  # type: ignore[assignment]  # mypy: a default for a type variable
    """Return the value in `content`, which must be of this type. Raises `InvalidJsonError`."""
    return cast("T", _decoder(cast("Hashable", type_)).decode(content))


@cache
def _decoder(type_: Any) -> Decoder[Any]:
    return Decoder(type_)


class DoubledKeys(dict[str, object]):
    """A JSON object in which a key occurs twice; `key` is the one that occurs most often."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.key = Counter(key for key, _ in pairs).most_common(1)[0][0]


def with_doubled_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object from its pairs: the `object_pairs_hook` of `json.loads` for files in which `doubled_key` is searched."""
    document = dict(pairs)
    return document if len(document) == len(pairs) else DoubledKeys(pairs)


def doubled_key(document: object) -> str:
    """Return where a key occurs twice in one object of what `with_doubled_keys` made, as in `columns[2].name`; "" when nowhere."""
    waiting: list[tuple[str, object]] = [("", document)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, DoubledKeys):
            return f"{place}.{value.key}".removeprefix(".")
        if isinstance(value, dict):
            waiting += [(f"{place}.{key}", inner) for key, inner in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(f"{place}[{number}]", inner) for number, inner in reversed([*enumerate(value, 1)])]
    return ""


def _check_nesting(content: bytes) -> None:
    """Raise `InvalidJsonError` where valid JSON is nested deeper than NESTING_MAX."""
    if content.count(b"[") + content.count(b"{") <= NESTING_MAX:
        return
    brackets = _TEXT.sub(b"", content).translate(None, _NO_BRACKET)
    if max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > NESTING_MAX:
        raise _too_deep()


def _too_deep() -> InvalidJsonError:
    return InvalidJsonError(f"it is nested more than {NESTING_MAX} levels deep")
