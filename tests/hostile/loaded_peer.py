"""A mother of peers under load, run as `python -m tests.hostile.loaded_peer FOLDER`, for test_kill.py.

Each line on stdin makes it fork a peer on FOLDER whose callers write as fast as they are answered, until somebody kills it. On stdout: the
peer's `pid N`; `CALLER NUMBER` for every call, only after its outcome; and `ended` when it is gone. Forking saves the imports.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import NoReturn

import structlog

from goop2.app import open_peer
from goop2.scripting.engine import Success

CALLERS = 6
LIFE = 1_000_000
"""Numbers of one life; the next begins above them."""


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def load(folder: Path, life: int) -> None:
    async with open_peer(folder, {}) as peer:

        async def keep_calling(caller: int) -> None:
            number = life * LIFE
            while True:
                number += 1
                params = b'{"caller":%d,"number":%d}' % (caller, number)
                result = await peer.engine.call(peer.owner, "write", params)
                if not isinstance(result, Success):
                    raise AssertionError(result)
                say(f"{caller} {number}")

        await asyncio.gather(*map(keep_calling, range(CALLERS)))


def be_a_peer(folder: Path, life: int) -> NoReturn:
    try:
        asyncio.run(load(folder, life))
    finally:
        os._exit(1)


def main(folder: Path) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    for life, _ in enumerate(sys.stdin, 1):
        child = os.fork()
        if child == 0:
            be_a_peer(folder, life)
        say(f"pid {child}")
        os.waitpid(child, 0)
        say("ended")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
