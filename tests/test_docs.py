"""The documentation says what the code does."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from goop2.config.docs import render
from goop2.config.settings import declared
from goop2.web.http.responses import STATUSES

ROOT = Path(__file__).parent.parent
PAGES = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md"))
SETTING_IN_PROSE = re.compile(
    r"`(?:lua|profile|viewer|p2p|presence|listen|storage)\.[a-z_]+`|GOOP2_(?:LUA|PROFILE|VIEWER|P2P|PRESENCE|LISTEN|STORAGE)_[A-Z_]+"
)

A_TEST = re.compile(r"`(tests/[\w./-]+\.py)(?:::(\w+))?`")
"""A file of tests, or one test of it, as `pytest` takes it."""
A_ROOM = re.compile(r"^\| `([a-z]+)/` \| (.+) \| (.+) \|$", re.MULTILINE)
"""A row of the table of rooms: name, what the room is, what it must not know."""
A_PACKAGE = re.compile(r"^\| `([a-z0-9-]+)` \| ([\w.]+) \| (.+) \| (.+) \|$", re.MULTILINE)
"""A row of a table of dependencies: name, pinned version, what of it is used, who keeps it."""
PROMISES, LIMITS = "**Promises**", "**Limits**"


@cache
def names_of_tests(file: Path) -> frozenset[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse(file.read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


def promises_of(page: str) -> list[str]:
    """Return the items of the lists that stand below `PROMISES`."""
    lists = [part.partition(LIMITS)[0] for part in page.split(f"\n{PROMISES}\n")[1:]]
    return [item for text in lists for item in re.split(r"^- ", text.partition("\n#")[0], flags=re.MULTILINE)[1:]]


def test_the_settings_page_is_what_the_declarations_render() -> None:
    page = (ROOT / "docs/settings.md").read_text()
    assert page == render(), "make it anew: .venv/bin/python -m goop2.config.docs > docs/settings.md"


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_tests_that_are_there(page: Path) -> None:
    named = A_TEST.findall(page.read_text())
    missing = [file for file, _ in named if not (ROOT / file).is_file()]
    assert missing == []
    assert [f"{file}::{test}" for file, test in named if test and test not in names_of_tests(ROOT / file)] == []


def test_each_promise_about_security_names_its_test() -> None:
    """A test that was renamed or removed takes its promise with it: mend the sentence in docs/security.md, or bring the test back."""
    page = (ROOT / "docs/security.md").read_text()
    promises = promises_of(page)
    assert page.count(PROMISES) == page.count(LIMITS) == 7
    assert len(promises) > 80
    assert [promise for promise in promises if not any(test for _, test in A_TEST.findall(promise))] == []


def test_no_test_is_named_in_a_form_that_nobody_checks() -> None:
    page = (ROOT / "docs/security.md").read_text()
    assert sorted(re.findall(r"\btest_\w+\.py(?:::\w+)?", page)) == sorted(
        f"{Path(file).name}{test and '::' + test}" for file, test in A_TEST.findall(page)
    )


def rooms() -> dict[str, tuple[str, str]]:
    """Return room → the first two paragraphs of its package's docstring: what it is, and what it must not know."""
    found = {}
    for file in sorted((ROOT / "src/goop2").glob("*/__init__.py")):
        paragraphs = (ast.get_docstring(ast.parse(file.read_text())) or "").split("\n\n")
        assert len(paragraphs) > 1, f"{file.parent.name}: the docstring needs two sentences, what the room is and what it must not know"
        found[file.parent.name] = (" ".join(paragraphs[0].split()), " ".join(paragraphs[1].split()))
    return found


def test_the_table_of_rooms_is_what_the_packages_say_of_themselves() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    table = page.partition("\n## Rooms\n")[2].partition("\n### ")[0]
    assert {name: (what, unknown) for name, what, unknown in A_ROOM.findall(table)} == rooms()


@pytest.mark.parametrize("room", rooms())
def test_a_room_says_what_it_is_and_what_it_must_not_know(room: str) -> None:
    what, unknown = rooms()[room]
    assert what.endswith(".")
    assert unknown.startswith("It must not know ")
    assert unknown.endswith(".")


@pytest.mark.parametrize("section", ["At run time", "For development"])
def test_the_page_about_dependencies_names_each_with_the_version_that_is_pinned(section: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = {"At run time": project["project"]["dependencies"], "For development": project["dependency-groups"]["dev"]}[section]
    names = [re.split(r"[^A-Za-z0-9-]", requirement)[0] for requirement in asked]
    pinned = {package["name"]: package["version"] for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    page = (ROOT / "docs/dependencies.md").read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    assert [(name, version) for name, version, _, _ in A_PACKAGE.findall(page)] == [(name, pinned[name]) for name in sorted(names)]
