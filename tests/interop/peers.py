"""Peers that are not ours, built where their toolchain is. A machine without it skips their tests by name."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

GO_SOURCE = Path(__file__).parent / "golang"
BUILD_SECONDS = 900
"""The first build fetches and compiles go-libp2p; later ones take a second."""
ANSWER_SECONDS = 20


def build_go_peer(folder: Path) -> Path:
    """The program, built from tests/interop/golang. Skips when there is no Go, or when its modules cannot be had."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("go-libp2p interop: no Go toolchain here")
    fetched = subprocess.run([go, "mod", "download"], cwd=GO_SOURCE, timeout=BUILD_SECONDS, capture_output=True, text=True, check=False)
    if fetched.returncode:
        pytest.skip("go-libp2p interop: its modules cannot be fetched here")
    program = folder / "gopeer"
    built = subprocess.run(
        [go, "build", "-o", program, "."], cwd=GO_SOURCE, timeout=BUILD_SECONDS, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return program


async def ask(program: Path, *arguments: str) -> str:
    """What the peer prints when it asks once."""
    process = await asyncio.create_subprocess_exec(program, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    try:
        out, err = await asyncio.wait_for(process.communicate(), ANSWER_SECONDS)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, err.decode()
    return out.decode()


class Served:
    """A peer that serves: its address, and the lines it prints."""

    def __init__(self, address: str, lines: asyncio.StreamReader) -> None:
        self.address = address
        self._lines = lines

    async def line(self) -> str:
        """The next thing it reports."""
        return (await asyncio.wait_for(self._lines.readline(), ANSWER_SECONDS)).decode()


@contextlib.asynccontextmanager
async def serving(program: Path) -> AsyncIterator[Served]:
    """The peer while it serves; it ends with its stdin."""
    process = await asyncio.create_subprocess_exec(
        program, "serve", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=os.environ
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        address = (await asyncio.wait_for(process.stdout.readline(), ANSWER_SECONDS)).decode().strip()
        yield Served(address, process.stdout)
    finally:
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), ANSWER_SECONDS)
        if process.returncode is None:
            process.kill()
