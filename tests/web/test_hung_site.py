"""A site on a disk that hangs: what reads it is told so, everything else goes on, and the peer ends when it is told to."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.web.served import served

from goop2.app import open_peer
from goop2.folder import threads
from goop2.folder.creation import create
from goop2.folder.site_files import SiteFiles
from goop2.scripting import watch


@pytest.fixture
def hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Until it is set, the site hangs: a look at a watched folder too. Unset it hangs nothing."""
    over, hung = threading.Event(), threading.Event()
    real_identity, real_open = watch._identity, SiteFiles.open

    def identity(place: Path) -> Any:
        if hung.is_set():
            over.wait()
        return real_identity(place)

    def opened(files: SiteFiles, path: str) -> Any:
        if hung.is_set():
            over.wait()
        return real_open(files, path)

    monkeypatch.setattr(watch, "_identity", identity)
    monkeypatch.setattr(SiteFiles, "open", opened)
    monkeypatch.setattr(threads.SITE, "_seconds", 0.3)
    yield hung
    over.set()


async def test_a_hung_site_stops_its_readers_alone(tmp_path: Path, hang: threading.Event) -> None:
    async with served(tmp_path) as up:
        assert (await up.ask(up.front)).status == 200
        hang.set()
        pages = [asyncio.create_task(up.ask(up.front)) for _ in range(threads.SITE_THREADS_MAX + 4)]
        began = time.monotonic()
        assert (await up.ask("/healthz")).status == 200
        assert (await up.call("hello")).json == "Hello, world!"
        assert (await up.ask("/sdk/goop-data.js", accept_encoding="gzip")).status == 200  # packed in the loop's own pool
        assert time.monotonic() - began < 5
        for page in await asyncio.gather(*pages):
            assert (page.status, page.headers["retry-after"]) == (503, "10")
            assert b"the folder site/ does not answer" in page.body


async def test_a_peer_whose_scripts_hang_goes_on_and_ends(tmp_path: Path, hang: threading.Event) -> None:
    create(tmp_path / "peer")
    async with open_peer(tmp_path / "peer", dict(os.environ), watch=True):
        hang.set()
        longest = 0.0
        for _ in range(20):  # longer than a pulse of the watchers
            began = time.monotonic()
            await asyncio.sleep(0.05)  # over which a turn that is held up is looked for
            longest = max(longest, time.monotonic() - began)
        assert longest < 2
        began = time.monotonic()
    assert time.monotonic() - began < 5
