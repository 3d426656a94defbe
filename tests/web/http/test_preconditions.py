"""Conditions of requests for files: what RFC 9110, section 13 says of each, and in which order."""

from __future__ import annotations

import os
import time
from email.utils import formatdate
from typing import Any

import pytest
from tests.web.served import Answer, Served, exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

BEFORE, THEN, LATER = (formatdate(1_000_000_000 + seconds, usegmt=True) for seconds in (-60, 0, 60))
"""The file is of THEN."""


async def ask(up: Served, *lines: str, method: str = "GET") -> Answer:
    file = up.folder / "site/dated.bin"
    file.write_bytes(b"0123456789")
    os.utime(file, (1_000_000_000, 1_000_000_000))
    etag = (await up.ask("/dated.bin", method="HEAD")).headers["etag"]
    head = "".join(f"{line.replace('ETAG', etag)}\r\n" for line in lines)
    request = f"{method} /dated.bin HTTP/1.1\r\nHost: {up.site}\r\nConnection: close\r\n{head}\r\n"
    return await exchange(up.port, request.encode())


CASES: dict[str, tuple[tuple[str, ...], int]] = {
    "If-Match is empty": (("If-Match:",), 412),
    "If-Match is blank": (("If-Match: \t ",), 412),
    "If-Match is a list of nothing": (("If-Match: , ,",), 412),
    "If-Match has empty elements": (("If-Match: ,, ETAG ,",), 200),
    "If-Match has a star in rubbish": (("If-Match: x*",), 412),
    "If-Match has a star in a list": (('If-Match: *, "x"',), 412),
    "If-Match has no comma": (('If-Match: "x" ETAG',), 412),
    "If-Match ends in rubbish": (("If-Match: ETAG, x",), 412),
    "If-Match is not closed": (('If-Match: "',), 412),
    "If-Match is empty and makes If-Unmodified-Since nothing": (("If-Match:", f"If-Unmodified-Since: {LATER}"), 412),
    "If-None-Match is empty": (("If-None-Match:",), 200),
    "If-None-Match is empty and makes If-Modified-Since nothing": (("If-None-Match:", f"If-Modified-Since: {LATER}"), 200),
    "If-None-Match is anything": (("If-None-Match: *",), 304),
    "If-None-Match has a star in rubbish": (("If-None-Match: x*",), 200),
    "If-None-Match is nonsense": (("If-None-Match: x",), 200),
    "If-Modified-Since is empty": (("If-Modified-Since:",), 200),
    "If-Modified-Since is nonsense": (("If-Modified-Since: yesterday",), 200),
    "If-Modified-Since is no day": (("If-Modified-Since: Sun, 99 Sep 2001 01:46:40 GMT",), 200),
    "If-Modified-Since in asctime's form": (("If-Modified-Since: Sun Sep  9 01:46:40 2001",), 304),
    "If-Modified-Since before, in asctime's form": (("If-Modified-Since: Sun Sep  9 01:46:39 2001",), 200),
    "If-Modified-Since in RFC 850's form": (("If-Modified-Since: Sunday, 09-Sep-01 01:46:40 GMT",), 304),
    "If-Unmodified-Since is empty": (("If-Unmodified-Since:",), 200),
    "If-Range is empty": (("Range: bytes=0-1", "If-Range:"), 200),
    "If-Range is nonsense": (("Range: bytes=0-1", "If-Range: x"), 200),
    "If-Range is anything": (("Range: bytes=0-1", "If-Range: *"), 200),
    "If-Range is a list": (("Range: bytes=0-1", 'If-Range: ETAG, "x"'), 200),
    "Range is empty": (("Range:",), 200),
    "Range is nonsense": (("Range: x",), 200),
    "Range has no numbers": (("Range: bytes=-",), 200),
    "Range has another unit": (("Range: lines=0-1",), 200),
    "Range ends before it begins": (("Range: bytes=5-1",), 200),
    "Range is negative": (("Range: bytes=--1",), 200),
    "Range is in other digits": (("Range: bytes=\u0664-",), 200),
    "two lines of If-None-Match are one list": (('If-None-Match: "x"', "If-None-Match: ETAG"), 304),
    "two lines of If-Match are one list": (('If-Match: "x"', "If-Match: ETAG"), 200),
    "If-None-Match names another": (('If-None-Match: "x", "y"',), 200),
    "If-None-Match compares weakly": (("If-None-Match: W/ETAG",), 304),
    "If-Match names another": (('If-Match: "x"',), 412),
    "If-Match compares strongly": (("If-Match: W/ETAG",), 412),
    "If-Match is anything": (("If-Match: *",), 200),
    "If-Match is nonsense": (("If-Match: x",), 412),
    "If-Match comes before If-None-Match": (('If-Match: "x"', "If-None-Match: ETAG"), 412),
    "If-Match holds, then If-None-Match": (("If-Match: ETAG", "If-None-Match: ETAG"), 304),
    "If-Match makes If-Unmodified-Since nothing": (("If-Match: ETAG", f"If-Unmodified-Since: {BEFORE}"), 200),
    "unmodified since before": ((f"If-Unmodified-Since: {BEFORE}",), 412),
    "unmodified since then": ((f"If-Unmodified-Since: {THEN}",), 200),
    "unmodified since nonsense": (("If-Unmodified-Since: yesterday",), 200),
    "modified since then": ((f"If-Modified-Since: {THEN}",), 304),
    "modified since before": ((f"If-Modified-Since: {BEFORE}",), 200),
    "modified since later": ((f"If-Modified-Since: {LATER}",), 304),
    "modified since two dates": ((f"If-Modified-Since: {THEN}", f"If-Modified-Since: {LATER}"), 200),
    "If-None-Match makes If-Modified-Since nothing": (('If-None-Match: "x"', f"If-Modified-Since: {LATER}"), 200),
    "If-Unmodified-Since before If-None-Match": (("If-None-Match: ETAG", f"If-Unmodified-Since: {BEFORE}"), 412),
    "a part": (("Range: bytes=0-1",), 206),
    "a part of this version": (("Range: bytes=0-1", "If-Range: ETAG"), 206),
    "a part of another version": (("Range: bytes=0-1", 'If-Range: "x"'), 200),
    "a part of a weak version": (("Range: bytes=0-1", "If-Range: W/ETAG"), 200),
    "a part of this date": (("Range: bytes=0-1", f"If-Range: {THEN}"), 206),
    "a part of a later date": (("Range: bytes=0-1", f"If-Range: {LATER}"), 200),
    "a part beyond the end of another version": (("Range: bytes=90-", 'If-Range: "x"'), 200),
    "conditions come before parts": (("Range: bytes=0-1", "If-None-Match: ETAG"), 304),
    "a failed condition comes before a part that is not there": (("Range: bytes=90-", 'If-Match: "x"'), 412),
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", CASES)
async def test_a_condition_is_met_or_not(up: Served, name: str, method: str) -> None:
    lines, status = CASES[name]
    answer = await ask(up, *lines, method=method)
    assert answer.status == (200 if method == "HEAD" and status == 206 else status)
    if status in (304, 200, 206):
        assert answer.headers["last-modified"] == THEN
        assert answer.headers["etag"]
    assert (status == 304 or method == "HEAD") <= (answer.body == b"")


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Lima"])
async def test_a_date_that_names_no_zone_is_of_greenwich(up: Served, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert (await ask(up, "If-Modified-Since: Sun Sep  9 01:46:40 2001")).status == 304
        assert (await ask(up, "If-Modified-Since: Sun Sep  9 01:46:39 2001")).status == 200
    finally:
        monkeypatch.undo()
        time.tzset()


async def test_the_date_of_a_file_just_saved_tells_no_version(up: Served) -> None:
    file = up.folder / "site/fresh.bin"
    file.write_bytes(b"0123456789")
    headers: dict[str, Any] = {"range": "bytes=0-1", "if_range": formatdate(int(file.stat().st_mtime), usegmt=True)}
    assert (await up.ask("/fresh.bin", **headers)).status == 200


async def test_what_is_not_there_has_no_conditions(up: Served) -> None:
    assert (await up.ask("/nosuch.bin", if_match="*")).status == 404
    assert (await up.ask("/sdk/goop-data.js", if_match='"x"')).status == 412
