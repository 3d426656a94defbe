"""The stage, ready."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.services.http_client.stage import Stage, a_stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with a_stage() as ready:
        yield ready
