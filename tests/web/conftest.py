"""One peer for all tests of a module that only ask it things."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.web.served import Served, served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A peer that is up, on loopback."""
    async with served(tmp_path_factory.mktemp("peer")) as one:
        yield one
