r"""Read JSON of other implementations: a key that is null counts as missing, a whole number may be written as 5.0, and half of a surrogate
pair ("\ud83d", of a text that was cut inside an emoji) becomes U+FFFD, like bytes that are not UTF-8 elsewhere.

JSON as we write it is read at the first attempt and costs nothing more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, TypeVar

import msgspec

from goop2.protocols import untrusted_json
from goop2.protocols.untrusted_json import Decoder, InvalidJsonError, UnexpectedJsonError

T = TypeVar("T")

_NULL: Final = b"null"
_WHOLE: Final = re.compile(rb"(-?[0-9]{1,16})\.0{1,16}")
_HALF_ESCAPED: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_HALF: Final = re.compile("[\ud800-\udfff]")
_objects: Final = Decoder(dict[str, msgspec.Raw])


def decode(content: bytes, as_: type[T], *, absent: bool = False) -> T:
    """Return a value of this type. `absent`: null in place of the whole object means one without keys. Raises `InvalidJsonError`."""
    try:
        return untrusted_json.decode(content, as_)
    except UnexpectedJsonError:
        given = {} if absent and content.strip() == _NULL else dict(_plain(_objects.decode(content)))
        return untrusted_json.decode(msgspec.json.encode(given), as_)
    except InvalidJsonError:
        whole = without_halves(content)
        if whole == content:
            raise
        return decode(whole, as_, absent=absent)


def without_halves(content: bytes) -> bytes:
    """Return JSON text with U+FFFD for each half of a surrogate pair; unchanged when there is none or the text is no JSON."""
    if not _HALF_ESCAPED.search(content) or _is_whole(content):
        return content
    try:
        # The one parser here that takes them, in linear time whatever a stranger sends.
        text = json.dumps(json.loads(content.decode()), ensure_ascii=False)
    except (ValueError, RecursionError):
        return content
    return _HALF.sub("\ufffd", text).encode()


def _is_whole(content: bytes) -> bool:
    try:
        untrusted_json.decode(content)
    except InvalidJsonError:
        return False
    return True


def _plain(fields: dict[str, msgspec.Raw]) -> Iterator[tuple[str, msgspec.Raw]]:
    for name, value in fields.items():
        text = bytes(value)
        whole = _WHOLE.fullmatch(text)
        if text != _NULL:
            yield name, msgspec.Raw(whole[1]) if whole else value
