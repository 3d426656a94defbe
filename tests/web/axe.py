"""axe-core on a page: what somebody who cannot see it well, or uses no mouse, would stumble over."""

from __future__ import annotations

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

_AXE = Axe()


async def complaints(page: Page) -> list[str]:
    """One line a complaint: the rule, how bad, and where; [] is a clean page."""
    found = await _AXE.run(page)
    return [
        f"{rule['id']} ({rule['impact']}): {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ]
