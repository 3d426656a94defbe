"""How often a test tries: a few times in `make test`, many times in `make long`, by the same code."""

from __future__ import annotations

import pytest


def few_and_many(name: str, few: int, many: int) -> pytest.MarkDecorator:
    """Run the test with `few` as its parameter `name`, and with `many` where long tests are wanted."""
    return pytest.mark.parametrize(name, [few, pytest.param(many, marks=pytest.mark.long)])
