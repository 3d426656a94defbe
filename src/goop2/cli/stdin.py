"""Read lines from stdin without a thread: a thread that waits for input would delay the end of the process."""

from __future__ import annotations

import asyncio
import os
from codecs import BOM_UTF8
from collections.abc import AsyncIterator
from typing import Final

from goop2.cli.streams import StreamError

READ_BYTES: Final = 65536
LINE_MAX_BYTES: Final = 1024 * 1024
"""A longer line is answered as far as this; the rest of it is dropped."""


async def lines(descriptor: int) -> AsyncIterator[str]:
    """Yield each line of stdin without its end; bytes that are not UTF-8 become U+FFFD. The last line may lack its newline."""
    pending = bytearray()
    async for chunk in _without_mark(_chunks(descriptor)):
        *complete, rest = chunk.split(b"\n")
        for part in complete:
            yield _text(pending + part)
            pending.clear()
        # The rest of a longer line is read and dropped, so that the next line is found.
        if len(pending) < LINE_MAX_BYTES:
            pending += rest
    if pending:
        yield _text(pending)


async def _without_mark(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the bytes after a byte order mark, which some editors put in front of a text and which may come in pieces."""
    front = b""
    begun = False
    async for chunk in chunks:
        if begun:
            yield chunk
            continue
        front += chunk
        if len(front) >= len(BOM_UTF8) or not BOM_UTF8.startswith(front):
            begun = True
            yield front.removeprefix(BOM_UTF8)
    if not begun and front:
        yield front


def _text(line: bytearray) -> str:
    return line[:LINE_MAX_BYTES].decode("utf-8", "replace").removesuffix("\r")


async def _chunks(descriptor: int) -> AsyncIterator[bytes]:
    while True:
        # Before each read: stdin may be shared, so it is not made non-blocking, and a read without data would stop the loop.
        await _readable(descriptor)
        try:
            chunk = os.read(descriptor, READ_BYTES)
        except OSError as error:
            raise StreamError(error.errno, error.strerror) from None
        if not chunk:
            return
        yield chunk


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except (OSError, ValueError):
        return  # a regular file, say: it cannot be waited for, and never lets one wait
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
