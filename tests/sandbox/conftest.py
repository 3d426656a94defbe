"""Everything that says something about Lua is said about both flavours."""

from __future__ import annotations

import pytest
from tests.sandbox.machines import NAMES


@pytest.fixture(params=NAMES)
def flavour(request: pytest.FixtureRequest) -> str:
    """Name of a Lua flavour."""
    name: str = request.param
    return name
