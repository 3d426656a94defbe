"""Conditions of a request for a file, in the order of RFC 9110, 13.2.2.

    1  If-Match                                        false → 412
    2  If-Unmodified-Since, without If-Match           false → 412
    3  If-None-Match                                   false → 304
    4  If-Modified-Since, without If-None-Match        false → 304
    5  If-Range, beside Range                          false → all of it

For GET and HEAD only. A date that cannot be parsed is no condition (13.1.3), and neither is one about a file without a date. An empty list
of entity tags, or a value that is no such list, names no version: If-Match and If-Range are false then, If-None-Match is true (13.1).
"""

from __future__ import annotations

import re
import time
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from goop2.web.http.request_context import RequestContext

_TAG: Final = r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"'
_TAGS: Final = re.compile(_TAG)
_LIST: Final = re.compile(rf"[ \t,]*(?:{_TAG}[ \t]*(?:,[ \t,]*|$))*")
"""Entity tags with commas between; empty elements are ignored (5.6.1)."""
_STRONG_AFTER_SECONDS: Final = 1.0
"""A file may change twice within one second, the resolution of a date: only a date further back identifies a version (8.8.2.2)."""


def unmet(call: RequestContext, etag: str, modified: float | None) -> HTTPStatus | None:
    """Return 412 or 304 when a condition is not met, else None. `etag` is without quotes, "" for none; `modified` in seconds since 1970."""
    match = _value(call, b"if-match")
    if match is not None and not _names(match, etag, weak=False):
        return HTTPStatus.PRECONDITION_FAILED
    if match is None and (date := _date(call, b"if-unmodified-since")) is not None and modified is not None and int(modified) > date:
        return HTTPStatus.PRECONDITION_FAILED
    if (none_match := _value(call, b"if-none-match")) is not None:
        return HTTPStatus.NOT_MODIFIED if _names(none_match, etag, weak=True) else None
    if (date := _date(call, b"if-modified-since")) is not None and modified is not None and int(modified) <= date:
        return HTTPStatus.NOT_MODIFIED
    return None


def range_holds(call: RequestContext, etag: str, modified: float | None) -> bool:
    """Return whether a range may be sent: there is no If-Range, or it names exactly this version."""
    condition = _value(call, b"if-range")
    if condition is None:
        return True
    if condition.startswith(('"', "W/")):
        return bool(etag) and condition == f'"{etag}"'
    date = _date(call, b"if-range")
    return date is not None and modified is not None and int(modified) == date and time.time() - modified > _STRONG_AFTER_SECONDS


def written(modified: float) -> bytes:
    """Return a time, seconds since 1970, in the form of `Last-Modified`."""
    return formatdate(int(modified), usegmt=True).encode()


def _names(condition: str, etag: str, weak: bool) -> bool:
    """Return whether a list of entity tags contains this one; `*` contains every one."""
    if condition == "*":
        return True
    if not _LIST.fullmatch(condition):
        return False
    return any(tag == etag and (weak or not prefix) for prefix, tag in _TAGS.findall(condition)) and bool(etag)


def _value(call: RequestContext, name: bytes) -> str | None:
    """Return the value of a header without blanks around; None when it is not there, which is not the same as an empty one."""
    value = call.header(name).strip(" \t")
    return value if value or any(key == name for key, _ in call.scope["headers"]) else None


def _date(call: RequestContext, name: bytes) -> float | None:
    text = call.header(name)
    # Several header lines were joined: each of the three forms of a date has one comma at most.
    if text.count(",") > 1:
        return None
    try:
        date = parsedate_to_datetime(text)
        # asctime's form names no zone; it is GMT as the others are (5.6.7).
        return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
