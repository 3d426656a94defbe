"""The trio run every test of a host shares: a thread can have one at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from goop2.net.guest import Guest, open_guest


@pytest_asyncio.fixture
async def guest() -> AsyncIterator[Guest]:
    guest_run = open_guest()
    async with guest_run as opened:
        yield opened
