"""The documentation says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from goop2.config.reference import render
from goop2.config.settings import declared
from goop2.web.answers import STATUSES

ROOT = Path(__file__).parent.parent
PAGES = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md"))
SETTING_IN_PROSE = re.compile(
    r"`(?:lua|profile|viewer|p2p|presence|listen|storage)\.[a-z_]+`|GOOP2_(?:LUA|PROFILE|VIEWER|P2P|PRESENCE|LISTEN|STORAGE)_[A-Z_]+"
)


def test_the_settings_page_is_what_the_declarations_render() -> None:
    page = (ROOT / "docs/settings.md").read_text()
    assert page == render(), "make it anew: .venv/bin/python -m goop2.config.reference > docs/settings.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_spells_settings_as_they_are_declared(page: Path) -> None:
    known = {f"`{setting.path}`" for setting in declared()} | {setting.variable for setting in declared()}
    assert set(SETTING_IN_PROSE.findall(page.read_text())) <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_links_to_files_that_are_there(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_page_about_pages_names_every_file_of_the_sdk_and_every_error_with_its_status() -> None:
    page = (ROOT / "docs/pages.md").read_text()
    sdk = {f"/sdk/{file.name}" for file in (ROOT / "src/goop2/web/sdk").glob("goop-*.js")} - {"/sdk/goop-live.js"}
    assert set(re.findall(r"^\| `(/sdk/[^`]+)`", page, re.MULTILINE)) == sdk
    told = {code: int(status) for code, status in re.findall(r"^\| `([a-z_]+)` \| (\d+) \|", page, re.MULTILINE)}
    assert told == {code.value: int(status) for code, status in STATUSES.items()} | {"offline": 0}


def test_the_page_about_pages_names_every_function_of_the_sdk() -> None:
    page = (ROOT / "docs/pages.md").read_text()
    for name, described in re.findall(r"^\| `/sdk/goop-([a-z]+)\.js` \| (.*) \|$", page, re.MULTILINE):
        source = (ROOT / f"src/goop2/web/sdk/goop-{name}.js").read_text()
        body = source[source.index(f"Goop.{name} = {{") :]
        functions = set(re.findall(r"^    (?:async )?([a-zA-Z]+)(?:\(|:|,$)", body, re.MULTILINE))
        words = {word for code in re.findall(r"`([^`]+)`", described) for word in code.split()}
        assert functions <= words, name
