"""What the templates are made of, and how the demo is put together of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from goop2.config import load
from goop2.folder import templates
from goop2.folder.creation import create
from goop2.folder.templates import DEMO, DEMO_SITES, TEMPLATES, TemplateClashError, files_of
from goop2.storage.migrations import open_folder

ALL = (*TEMPLATES, DEMO)
MARKUP_FROM_TEXT = re.compile(r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|srcdoc)\b|document\.write\b|\beval\(|\bnew Function\b")


def pages(name: str) -> dict[str, str]:
    """The page files of a template."""
    return {path: text for path, text in files_of(name).items() if path.endswith((".html", ".js", ".css"))}


@pytest.mark.parametrize("name", ALL)
def test_a_template_is_a_peer_folder_that_opens_without_a_warning(name: str, tmp_path: Path) -> None:
    create(tmp_path / "p", "Fred", name)
    loaded = load(tmp_path / "p", {})
    assert (loaded.warnings, loaded.settings.profile.label, loaded.settings.lua.enabled) == ((), "Fred", True)
    database, warnings = open_folder(tmp_path / "p", loaded.settings.script_dir(tmp_path / "p"))
    database.close()
    assert warnings == []


@pytest.mark.parametrize("name", ALL)
def test_a_template_has_a_page_a_readme_and_scripts_that_say_what_they_are_for(name: str) -> None:
    files = files_of(name)
    assert {"goop.json", "README.md", "site/index.html", "site/look.css"} <= set(files)
    assert [path for path, text in files.items() if path.endswith(".lua") and not text.startswith("--- ")] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_readme_names_every_script_and_table_and_every_setting(name: str) -> None:
    files = files_of(name)
    readme = files["README.md"]
    if name != "start":  # its README tells of kinds of scripts
        assert [path for path in files if path.endswith(".lua") and Path(path).name not in readme] == []
        assert [path for path in files if path.startswith("schemas/") and path not in readme] == []
    settings = json.loads(files["goop.json"])
    assert [f"{section}.{key}" for section, keys in settings.items() for key in keys if f"`{section}.{key}`" not in readme] == []


def test_a_manifest_says_of_its_template_what_the_list_says_and_names_its_tables() -> None:
    described = 0
    for name, shows in TEMPLATES.items():
        files = files_of(name)
        if "manifest.json" in files:
            manifest = json.loads(files["manifest.json"])
            assert (manifest["name"], manifest["description"]) == (name, shows)
            assert sorted(f"schemas/{table}.json" for table in manifest["schemas"]) == sorted(
                path for path in files if path.startswith("schemas/")
            )
            described += 1
    assert described == 5


def test_each_page_of_the_demo_leads_back_to_its_front_page_and_no_template_leads_out_of_itself() -> None:
    back = '<a href="../">'
    demo = files_of(DEMO)
    assert [back in demo[f"site/{site}/index.html"] for site in DEMO_SITES] == [True] * len(DEMO_SITES)
    assert back not in demo["site/index.html"]
    assert [name for name in TEMPLATES if back in files_of(name)["site/index.html"]] == []


@pytest.mark.parametrize("name", ALL)
def test_no_page_makes_markup_of_text_or_loads_from_elsewhere(name: str) -> None:
    for path, text in pages(name).items():
        assert MARKUP_FROM_TEXT.findall(text) == [], path
        assert re.findall(r"(?:src|href)=\"(?:https?:)?//|url\((?!\"?data:)|@import", text) == [], path


@pytest.mark.parametrize("name", ALL)
def test_a_page_finds_its_own_files_beside_it_and_the_sdk_at_the_root(name: str) -> None:
    files = files_of(name)
    for path, text in pages(name).items():
        for link in re.findall(r"(?:src|href)=\"([^\"#]+)\"", text) if path.endswith(".html") else []:
            assert link.startswith("/sdk/") or str(Path(path).parent / link) in files or link.endswith("/"), (path, link)


@pytest.mark.parametrize("site", DEMO_SITES)
def test_the_demo_holds_a_template_whole_where_a_peer_looks_for_it(site: str) -> None:
    demo = files_of(DEMO)
    for path, text in files_of(site).items():
        if path.startswith(("site/lua/", "schemas/")) or path == "site/api.json":
            assert demo[path] == text
        elif path.startswith("site/"):
            there = demo[path.replace("site/", f"site/{site}/", 1)]
            assert re.sub(r" *<p .*<a href=\"\.\./\">.*\n", "", there) == text
    assert f'href="{site}/"' in demo["site/index.html"]


def test_the_demos_settings_open_what_its_templates_need() -> None:
    lua = json.loads(files_of(DEMO)["goop.json"])["lua"]
    for site in DEMO_SITES:
        assert json.loads(files_of(site)["goop.json"])["lua"].items() <= lua.items()


def test_two_templates_with_a_script_of_the_same_name_make_no_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "DEMO_SITES", ("quiz", "start"))
    with pytest.raises(TemplateClashError, match=r"site/lua/\S+ is in start and in another template"):
        files_of(DEMO)
