"""Wake periodic tasks at the same moments, so that an idle peer wakes up once a second for all of them."""

from __future__ import annotations

import asyncio


def seconds_to_tick(period_seconds: float) -> float:
    """Return the wait until the next whole multiple of `period_seconds` on the loop's clock; never almost zero."""
    left = period_seconds - asyncio.get_running_loop().time() % period_seconds
    return left if left > period_seconds / 10 else left + period_seconds
