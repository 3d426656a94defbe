"""How the classes of web are made: with keywords where there are many parts, and finished when they are there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

WEB = Path(__file__).parent.parent.parent / "src/goop2/web"
POSITIONAL_MAX = 5
WITHOUT_CONSTRUCTORS = {"NamedTuple", "Protocol", "Enum"}
"""A NamedTuple has no keyword-only fields; it is for the path of every request."""
STATE_OF_OTHERS = {
    "token.children",
    "self.server_state.default_headers",
    "self.cycle.keep_alive",
    "cycle.keep_alive",
    "cycle.response_started",
    "cycle.response_complete",
    "cycle.waiting_for_100_continue",
    "context.minimum_version",
    "server.force_exit",
    "minute.memory_bytes",
    "watch.session",
    "watch.offered",
    "watch.task",
}
"""Tokens of markdown-it, uvicorn's switches and its state of an answer, a TLS context, and records that one class changes."""
MODULES = sorted(WEB.rglob("*.py"))


def classes(path: Path) -> list[ast.ClassDef]:
    return [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ClassDef)]


def positional(node: ast.ClassDef) -> int:
    """Return how many parts can be given by position."""
    inits = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
    if inits:
        return len(inits[0].args.args) - 1
    if {ast.unparse(base).partition("[")[0] for base in node.bases} & WITHOUT_CONSTRUCTORS:
        return 0
    options = [*node.keywords, *(each for one in node.decorator_list if isinstance(one, ast.Call) for each in one.keywords)]
    if any(each.arg == "kw_only" and ast.unparse(each.value) == "True" for each in options):
        return 0
    return sum(isinstance(each, ast.AnnAssign) for each in node.body)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(WEB).as_posix())
def test_a_class_with_many_parts_takes_them_by_keyword(path: Path) -> None:
    assert {node.name: number for node in classes(path) if (number := positional(node)) > POSITIONAL_MAX} == {}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(WEB).as_posix())
def test_no_attribute_of_another_object_is_assigned(path: Path) -> None:
    targets = {
        ast.unparse(target)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute) and ast.unparse(target.value) != "self"
    }
    assert targets - STATE_OF_OTHERS == set()
