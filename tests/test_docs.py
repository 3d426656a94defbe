"""The documentation says what the code does."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
from proof.faults import FAULTS

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
SOURCE = ROOT / "src/goop2"
A_CLASS = re.compile(r"`([A-Z][a-z]\w+)(?:\.(\w+))?`")
"""A class of ours, or something in one: `Engine`, `Pool._tick`."""
A_CONSTANT = re.compile(r"`([A-Z]+(?:_[A-Z0-9]+)+)`(?: (\d+(?:\.\d+)?) s\b)?")
"""A constant of ours, with its value where that follows at once: `HEAD_SECONDS` 10 s."""
IN_A_FILE = re.compile(r"`((?:\w+/)+\w+\.py)` \(`(\w+)(?:\.(\w+))?`\)")
"""Something in a file: `web/http/origins.py` (`decide`)."""
OF_OTHERS = frozenset(("HttpToolsProtocol", "Box", "SOCK_SEQPACKET", "GLIBC_TUNABLES", "SO_REUSEPORT"))
"""Names of the system and of packages that the maintainers' pages mention."""


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
    assert set(re.findall(r"^\| `(/sdk/goop-[^`]+)`", page, re.MULTILINE)) == sdk
    told = {code: int(status) for code, status in re.findall(r"^\| `([a-z_]+)` \| (\d+) \|", page, re.MULTILINE)}
    assert told == {code.value: int(status) for code, status in STATUSES.items()} | {"offline": 0}


def test_the_page_about_pages_names_every_function_of_the_sdk() -> None:
    page = (ROOT / "docs/pages.md").read_text()
    for name, described in re.findall(r"^\| `/sdk/goop-([a-z-]+)\.js` \| (.*) \|$", page, re.MULTILINE):
        source = (ROOT / f"src/goop2/web/sdk/goop-{name}.js").read_text()
        words = {word.rpartition(".")[2] for code in re.findall(r"`([^`]+)`", described) for word in code.split()}
        assert functions_of(source, name) <= words, name


def functions_of(source: str, name: str) -> set[str]:
    """Return the names that a file of the SDK adds to Goop, to Goop.ui, to Goop.<its name>, or to the page."""
    alone = set(re.findall(r"^  Goop\.(?:ui\.)?([a-zA-Z]+) = (?:async )?(?:function|\(|\w+ =>)", source, re.MULTILINE))
    together = re.search(r"Object\.assign\(globalThis, \{([^}]+)\}", source)
    globals_ = set(re.findall(r"\w+", together[1])) if together else set()
    start = re.search(rf"Goop\.{name} = (?:Object\.assign\(Goop\.\w+ \|\| {{}}, )?{{|Object\.assign\(Goop(?:\.ui)?, {{", source)
    inside = (
        re.findall(r"^    (?:async )?([a-zA-Z]+)(?:\(|:|,$)", re.split(r"\n  }\)?;", source[start.end() :])[0], re.MULTILINE)
        if start
        else []
    )
    return alone | globals_ | set(inside)


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
    assert page.count(PROMISES) == page.count(LIMITS) == 9
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


def test_each_guarantee_names_what_shows_it() -> None:
    rows = re.findall(r"^\| (?!promise|---)(.+) \| (.+) \|$", (ROOT / "docs/guarantees.md").read_text(), re.MULTILINE)
    sections = set(re.findall(r"<!-- (\w+) -->", (ROOT / "docs/benchmarks.md").read_text()))
    faults = {fault.__name__ for fault in FAULTS}
    assert len(rows) > 20
    for promise, shown in rows:
        proofs = re.findall(r"`([^`]+)`", shown)
        assert proofs, promise
        for proof in proofs:
            kind, _, name = proof.partition("::")
            if kind == "proof/faults.py":
                assert name in faults, proof
            elif proof.startswith("benchmarks: "):
                assert proof.removeprefix("benchmarks: ") in sections, proof
            else:
                assert (ROOT / kind).exists(), proof
                assert not name or name in names_of_tests(ROOT / kind), proof


@cache
def declared_names() -> dict[str, frozenset[str]]:
    """Return class or constant of the source → what a class has, and what a constant is as text."""
    found: dict[str, set[str]] = {}
    for file in SOURCE.rglob("*.py"):
        tree = ast.parse(file.read_text())
        for statement in tree.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                names = [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
                for name in names:
                    found.setdefault(name, set()).add(ast.unparse(statement.value))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                within = {each.name for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
                within |= {each.target.id for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)}
                within |= {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)}
                found.setdefault(node.name, set()).update(within)
    return {name: frozenset(within) for name, within in found.items()}


def is_value(number: str, texts: frozenset[str]) -> bool:
    """Return whether one of these expressions is this number."""
    return any(re.fullmatch(r"[\d.]+", text) and float(text) == float(number) for text in texts)


@pytest.mark.parametrize("name", ["architecture", "dependencies", "glossary"])
def test_a_page_for_maintainers_names_classes_and_constants_that_are_there(name: str) -> None:
    page, known = (ROOT / f"docs/{name}.md").read_text(), declared_names()
    classes = [(of, member) for of, member in A_CLASS.findall(page) if of not in OF_OTHERS]
    assert [f"{of}.{member}" for of, member in classes if of not in known or (member and member not in known[of])] == []
    constants = [(constant, value) for constant, value in A_CONSTANT.findall(page) if constant not in OF_OTHERS]
    assert [constant for constant, value in constants if constant not in known or (value and not is_value(value, known[constant]))] == []


def test_the_architecture_page_names_in_a_file_what_is_in_it() -> None:
    named = IN_A_FILE.findall((ROOT / "docs/architecture.md").read_text())
    assert len(named) > 10
    wrong = []
    for file, name, member in named:
        text = (SOURCE / file).read_text()
        if not all(re.search(rf"\b(?:def|class) {each}\b", text) for each in (name, member) if each):
            wrong.append(f"{file}: {name}")
    assert wrong == []
