"""Every name of a module, or of something in it, and every path of a file that stands in the tree leads to what is there.

Looked through: error tables and monkeypatches (strings), docstrings and comments, import contracts, entry points, documentation and the
Makefile. So a module that moves takes along whatever names it.
"""

from __future__ import annotations

import importlib
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src/goop2"
HISTORY = {"CHANGELOG.md"}
"""Tells of names that were."""
FOLDERS = ("src", "tests", "benchmarks", "tools", "docs")
DATA = ("tests/recording/recorded/", "tests/kept/0", "node_modules", "/vendor/", "docs/screenshots/")
"""Below these nothing is written by us."""
SUFFIXES = frozenset((".py", ".md", ".toml", ".lua", ".js", ".mjs", ".ts", ".mts", ".html", ".css", ".sh", ".json"))
NAME = re.compile(r"(?<![\w./@-])goop2(?:\.[a-zA-Z_]\w*)+(?![\w-])")
FILE = re.compile(r"(?<![\w./*<>{}$-])((?:[\w-]+/)+[\w.-]+\.(?:py|lua|js|mjs|html|css|md|toml|sh|pyi|json))(?![\w*/-])")
"""A path of at least one folder and a file. Paths of a peer's folder (`site/…`) are not ours."""
OURS = frozenset(path.name for path in PACKAGE.iterdir() if path.is_dir()) | {"src", "tests", "benchmarks", "tools", "docs"}
"""First folders by which a path is one of this tree: those of the root, and of the package, whose modules name each other without it."""
OF_OTHERS = frozenset(("security/noise/patterns.py", "security/chat_flood.py", "security/one_ipv6_network.py"))
"""Paths in other people's packages, and of attacks that were reported to us."""
IN_A_PEER_FOLDER = "_test.lua"
"""Ending of files whose folder `tests` is that of a peer folder."""
MODULES_OF_OTHERS = frozenset(("server.py", "uvloop.py"))
MODULE = re.compile(r"(?<![\w./*<>{}$-])([a-z_]\w*\.py)(?![\w*/-])")
"""A module named without its folder."""
EMBEDDED_IMPORT = re.compile(r"\bfrom ((?:goop2|tests|benchmarks)[\w.]*) import ([\w, ]+)")
"""In a program that is text here: checkers of Python do not see it."""
HOST_NAMES = frozenset(("goop2.com", "goop2.local", "goop2.lan", "goop2.org", "goop2.net", "goop2.example"))
FILE_NAMES = frozenset(("goop2.service", "goop2.json", "goop2.fish"))
"""Files of systemd and of other programs, which have no module of that name."""
LOGGERS = re.compile(r"get(?:_l|L)ogger\($")


def files() -> Iterator[Path]:
    """Yield the files in which names may stand."""
    found = [*ROOT.glob("*.md"), ROOT / "pyproject.toml", ROOT / "Makefile"]
    for folder in FOLDERS:
        # The links in the package to docs/ are the same files once more.
        found += (path for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES and not path.is_symlink())
    for path in sorted(found):
        relative = str(path.relative_to(ROOT))
        if not any(part in relative for part in DATA) and path.name not in HISTORY and path.name != Path(__file__).name:
            yield path


def passages(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield line, text, and what stands before it on the line: strings and comments of Python, whole lines of anything else."""
    text = path.read_text("utf-8", "replace")
    if path.suffix != ".py":
        yield from ((number, line, "") for number, line in enumerate(text.splitlines(), 1))
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.STRING, tokenize.COMMENT) or tokenize.tok_name[token.type] == "FSTRING_MIDDLE":
            for number, line in enumerate(token.string.splitlines(), token.start[0]):
                yield number, line, token.line[: token.start[1]]


@cache
def resolves(name: str) -> bool:
    """Return whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError as error:
            if error.name and not name.startswith(error.name):
                raise
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def is_logger(before: str) -> bool:
    """Return whether the string names a logger: a word of the log, which need not be a module."""
    return LOGGERS.search(before) is not None


def is_there(path: str, named_in: Path) -> bool:
    """Return whether a path leads to a file: from the root, the package, or the folder in which it is named."""
    places = (ROOT, ROOT / "src", PACKAGE, ROOT / "tests", named_in.parent, named_in.parent.parent, PACKAGE / "templates")
    return any((place / path).exists() for place in places)


def test_every_dotted_name_leads_to_something() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {name}"
        for path in files()
        for number, line, before in passages(path)
        for name in NAME.findall(line)
        if not is_logger(before) and name not in HOST_NAMES | FILE_NAMES and not resolves(name)
    ]
    assert wrong == []


def test_every_path_of_a_file_leads_to_one() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {named}"
        for path in files()
        for number, line, _ in passages(path)
        for named in FILE.findall(line)
        if (named.endswith(".py") or named.partition("/")[0] in OURS)
        and named not in OF_OTHERS
        and not named.endswith(IN_A_PEER_FOLDER)
        and not is_there(named, path)
    ]
    assert wrong == []


def test_every_module_named_without_its_folder_is_somewhere() -> None:
    there = {path.name for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {named}"
        for path in files()
        for number, line, _ in passages(path)
        for named in MODULE.findall(line)
        if named not in there and named not in MODULES_OF_OTHERS
    ]
    assert wrong == []


def test_every_module_that_the_package_names_without_its_folder_stands_beside() -> None:
    """Else a reader looks in the wrong room: many rooms have a limits.py."""
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {named}"
        for path in files()
        if path.is_relative_to(PACKAGE)
        for number, line, _ in passages(path)
        for named in MODULE.findall(line)
        if not (path.parent / named).exists() and not (PACKAGE / named).exists() and named not in MODULES_OF_OTHERS
    ]
    assert wrong == []


def test_every_import_of_an_embedded_program_leads_to_something() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {module} has no {name}"
        for path in files()
        if path.suffix == ".py"
        for number, line, _ in passages(path)
        for module, names in EMBEDDED_IMPORT.findall(line)
        for name in (each.strip().partition(" as ")[0] for each in names.split(",") if each.strip())
        if not resolves(f"{module}.{name}")
    ]
    assert wrong == []


def test_every_layer_of_the_import_contracts_is_a_module() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = {name.strip(" ()") for contract in contracts for layer in contract.get("layers", ()) for name in re.split(r"[|:]", layer)}
    assert [name for name in sorted(layers) if not resolves(f"goop2.{name}")] == []
    for group in ("scripts",):
        for entry in project["project"][group].values():
            assert resolves(entry.replace(":", ".")), entry


def test_every_file_with_a_rule_of_its_own_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = project["tool"]["ruff"]["lint"]["per-file-ignores"]
    assert [file for file in named if "*" not in file and not (ROOT / file).exists()] == []


@pytest.mark.parametrize("name", ["goop2.cli.main", "goop2.cli.main.EXIT_FAULT"])
def test_what_is_there_is_found(name: str) -> None:
    assert resolves(name)


@pytest.mark.parametrize("name", ["goop2.cli.mane", "goop2.cli.main.NOSUCH", "goop2.nosuch.main"])
def test_what_is_not_there_is_not_found(name: str) -> None:
    assert not resolves(name)
