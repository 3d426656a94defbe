"""JSON of another implementation: a key that is null is one that is left out, and a whole number may be written as 5.0.

What is written as we write it is read at the first try and pays nothing for it.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from functools import cache
from typing import Any, Final, TypeVar, cast

import msgspec

T = TypeVar("T")

_NULL: Final = b"null"
_WHOLE: Final = re.compile(rb"(-?[0-9]{1,16})\.0{1,16}")
_objects: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode(content: bytes, as_: type[T], *, absent: bool = False) -> T:
    """A value of this type. `absent`: null in place of the whole object is one without keys. Raises as msgspec does."""
    decoder = _decoder(cast("Hashable", as_))
    try:
        return cast("T", decoder.decode(content))
    except msgspec.ValidationError:
        given = {} if absent and content.strip() == _NULL else dict(_plain(_objects.decode(content)))
        return cast("T", decoder.decode(msgspec.json.encode(given)))


@cache
def _decoder(as_: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(as_)


def _plain(fields: dict[str, msgspec.Raw]) -> Iterator[tuple[str, msgspec.Raw]]:
    for name, value in fields.items():
        text = bytes(value)
        whole = _WHOLE.fullmatch(text)
        if text != _NULL:
            yield name, msgspec.Raw(whole[1]) if whole else value
