"""The pages of the reference that are made from declarations: `python -m tools.reference` writes them, and a test compares.

The goop table and the settings have makers of their own, in goop2.scripting.api.docs and goop2.config.docs, since a peer uses the same
declarations. It must not say what stands in a declaration.
"""

from __future__ import annotations

from pathlib import Path

from tools.reference import commands, errors, http_api, limits, metrics

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    "commands.md": commands.page,
    "http-api.md": http_api.page,
    "metrics.md": metrics.page,
    "errors.md": errors.page,
    "limits.md": limits.page,
}
"""File below docs/ → what makes its text."""
