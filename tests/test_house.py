"""Names in the code: one class name for one thing, and exceptions that end in Error. `make house` counts the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tools.house import ROOT, Tree

A_WORD = re.compile(r"^\| (?!word |---)([^|]+) \| ([^|]+) \|$", re.MULTILINE)
"""A row of the glossary: word, meaning."""


@cache
def source() -> Tree:
    """Return the modules of the package."""
    return Tree(ROOT / "src")


def test_a_class_name_is_used_for_one_thing() -> None:
    places = {name: [place for place, _ in defined] for name, defined in source().classes().items()}
    assert {name: several for name, several in places.items() if len(several) > 1} == {}


def test_the_name_of_an_exception_ends_in_error() -> None:
    assert [(name, place) for name, place in source().exceptions() if not name.endswith("Error")] == []


def test_the_glossary_gives_each_word_once_and_in_one_sentence() -> None:
    rows = A_WORD.findall(Path(ROOT / "docs/glossary.md").read_text())
    words = [word for word, _ in rows]
    assert len(words) > 50
    assert len(words) == len(set(words))
    assert [word for word, meaning in rows if not re.fullmatch(r"[A-Z][^.]*(?:`[^`]+`[^.]*)*\.", meaning)] == []


CONSTRUCTOR_POSITIONAL_MAX = 5
"""Beyond it nobody reads at a call which value is which."""
ROOMS = ("app.py", "cli", "config", "folder", "peers", "protocols", "rendezvous", "services")
"""Held to the two rules below; the other rooms follow as they are rewritten."""
DOCUMENTS = "goop2/protocols/"
"""Messages as they stand on the wire: the programs that read them make most of them, by their keys."""


def in_rooms(path: Path) -> bool:
    """Return whether a file of the package is in one of ROOMS."""
    return path.relative_to(ROOT / "src/goop2").parts[0] in ROOMS


def positional(node: ast.ClassDef) -> int:
    """Return how many parameters a class's constructor takes by position."""
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and each.name == "__init__":
            return len(each.args.posonlyargs) + len(each.args.args) - 1
    generated = [ast.unparse(each) for each in (*node.decorator_list, *node.bases, *node.keywords)]
    if any("kw_only=True" in each for each in generated) or not any("dataclass" in each or "Struct" in each for each in generated):
        return 0
    return sum(isinstance(each, ast.AnnAssign) and "ClassVar" not in ast.unparse(each.annotation) for each in node.body)


def test_a_constructor_of_many_parameters_takes_them_by_keyword() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path, node in source().nodes()
        if isinstance(node, ast.ClassDef)
        and in_rooms(path)
        and DOCUMENTS not in str(path)
        and positional(node) > CONSTRUCTOR_POSITIONAL_MAX
    }
    assert long == set()


def assigned_afterwards(function: ast.AST) -> Iterator[str]:
    """Yield `name.attribute` where a function makes an object of a class by a name and sets the attribute later."""
    body = list(ast.walk(function))
    made = {
        target.id
        for node in body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
        for target in node.targets
        if isinstance(target, ast.Name) and re.match(r"_?[A-Z][a-z]", node.value.func.id)
    }
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        for target in targets:
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id in made:
                yield ast.unparse(target)


def test_an_object_is_whole_when_it_is_made() -> None:
    later = {
        f"{path.relative_to(ROOT)}: {name}"
        for path, node in source().nodes()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and in_rooms(path)
        for name in assigned_afterwards(node)
    }
    assert later == set()


SLEEPS = frozenset(("asyncio.sleep", "time.sleep", "page.wait_for_timeout"))


def sleeps(node: ast.AST, in_loop: bool = False) -> Iterator[ast.Call]:
    """Give the calls that let time pass, without those that look again and again for something, and without `sleep(0)`."""
    for child in ast.iter_child_nodes(node):
        looks = isinstance(child, ast.For) and any(isinstance(each, ast.Break | ast.Return) for each in ast.walk(child))
        inner = looks or isinstance(child, ast.While)
        if isinstance(child, ast.Call) and not in_loop and ast.unparse(child.func) in SLEEPS and ast.unparse(child.args[0]) != "0":
            yield child
        yield from sleeps(child, False if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else in_loop or inner)


def test_nothing_waits_by_wait_for() -> None:
    """In Python 3.11 it loses a cancellation that comes with the answer, and its task goes on for ever: asyncio.timeout() does not."""
    assert [str(file) for file in sorted((ROOT / "src").rglob("*.py")) if "asyncio.wait_for(" in file.read_text()] == []


def test_a_sleep_of_a_test_says_why_beside_it() -> None:
    mute = []
    for path in (ROOT / "tests").rglob("*.py"):
        text = path.read_text()
        lines = text.split("\n") if "sleep(" in text or "wait_for_timeout(" in text else []
        for call in sleeps(ast.parse(text)) if lines else ():
            if "#" not in lines[call.lineno - 1] and not lines[call.lineno - 2].lstrip().startswith("#"):
                mute.append(f"{path.relative_to(ROOT)}:{call.lineno}")
    assert mute == []
