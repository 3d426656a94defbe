"""Reads a file of a folder that may hang (threads.py), without a thread where the system has the bytes in memory already.

A thread costs four times what it takes to copy a piece, and most files that are asked for were asked for before.
"""

from __future__ import annotations

import os
from io import FileIO
from typing import BinaryIO, Final

from goop2.folder import threads

_NOWAIT: Final[int] = getattr(os, "RWF_NOWAIT", 0)
"""Linux alone has it."""
_WHERE_IT_STANDS: Final = -1
"""In the place of an offset: from the file's position, which is moved on."""


async def read_piece(content: BinaryIO, most: int) -> bytes:
    """Return the next bytes of an unbuffered file, at most so many, b"" at its end. Raises OSError and `threads.FolderHangsError`."""
    # What only reads like a file, such as the sound of a session, has no descriptor.
    piece = _in_memory(content, most) if _NOWAIT and isinstance(content, FileIO) else None
    return await threads.SITE.run(content.read, most) if piece is None else piece


def _in_memory(content: BinaryIO, most: int) -> bytes | None:
    """Return what can be had without waiting for a disk; None when it cannot be said."""
    piece = bytearray(most)
    try:
        size = os.preadv(content.fileno(), (piece,), _WHERE_IT_STANDS, _NOWAIT)
    except OSError:  # not in memory, or a file system that cannot say; whatever else is wrong, the thread finds it too
        return None
    return bytes(piece[:size]) if size < most else bytes(piece)
