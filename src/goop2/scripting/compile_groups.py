"""Sources that one worker compiles together. It must not know what a source is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from goop2.scripting.limits import COMPILE_TOGETHER_BYTES, COMPILE_TOGETHER_MAX

T = TypeVar("T")


def together(items: Iterable[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield `items` in order, in groups of at most COMPILE_TOGETHER_MAX and about COMPILE_TOGETHER_BYTES."""
    group: list[T] = []
    size = 0
    for item in items:
        if group and (len(group) == COMPILE_TOGETHER_MAX or size + size_of(item) > COMPILE_TOGETHER_BYTES):
            yield group
            group, size = [], 0
        group.append(item)
        size += size_of(item)
    if group:
        yield group
