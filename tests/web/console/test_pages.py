"""The console's pages are the same wherever they are listed: navigation, modules, the peer's controls, and the test that looks at each."""

from __future__ import annotations

import re
from pathlib import Path

from tests.web.console.test_app import PAGES

import goop2.web.console.app
from goop2.web.console import controls

CONSOLE = Path(goop2.web.console.app.__file__).parent
SHARED = frozenset(("__init__", "replies", "templates"))
"""Modules beside the controls that are no page's."""
OF_ALL_PAGES = frozenset(("avatars",))
"""Controls of what several pages show."""


def navigation() -> list[str]:
    """Return the pages of the navigation, in its order."""
    listed = re.search(r"^const PAGES = \[\n(.*?)^\];", (CONSOLE / "static/console.js").read_text(), re.MULTILINE | re.DOTALL)
    assert listed is not None
    return re.findall(r'\{ name: "(\w+)"', listed[1])


def test_each_page_of_the_navigation_has_its_module_and_each_module_is_a_page() -> None:
    assert sorted(path.stem for path in (CONSOLE / "static/pages").glob("*.js")) == sorted(navigation())


def test_each_page_has_its_controls_and_all_of_them_are_served() -> None:
    modules = {path.stem for path in Path(controls.__path__[0]).glob("*.py")} - SHARED
    assert modules - OF_ALL_PAGES == set(navigation())
    served = re.findall(r"^ +\*(\w+)\.routes\(", (CONSOLE / "app.py").read_text(), re.MULTILINE)
    assert sorted(served) == sorted(modules)


def test_each_page_is_looked_at() -> None:
    assert list(PAGES) == navigation()


def test_no_two_pages_have_one_key() -> None:
    keys = re.findall(r'\{ name: "\w+", title: t\("[^"]+"\), key: "(\w)" \}', (CONSOLE / "static/console.js").read_text())
    assert len(keys) == len(set(keys)) == len(navigation())
