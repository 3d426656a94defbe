"""The package's source as syntax trees, for recordings of what stands in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import goop2

PACKAGE = Path(goop2.__file__).parent


@cache
def trees() -> dict[Path, ast.Module]:
    """Return file → its tree, for every module of the package."""
    return {file: ast.parse(file.read_text("utf-8")) for file in sorted(PACKAGE.rglob("*.py"))}


def nodes() -> Iterator[ast.AST]:
    """Yield every node of every module."""
    for tree in trees().values():
        yield from ast.walk(tree)
