"""Write every page that is made from declarations."""

from __future__ import annotations

from tools.reference import DOCS, PAGES

for name, page in PAGES.items():
    (DOCS / name).write_text(page(), "utf-8")
