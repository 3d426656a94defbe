"""Runs `goop2 peer` and counts what each module it imports costs, without those it imports in turn.

    python -m benchmarks.import_costs FD peer DIR

A line written to the socket FD is answered with JSON: module → [CPU seconds, bytes of resident memory]. Both are those of the whole process
while the module loads, so what other threads do at the time is counted too; it is little.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Final

PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

_costs: dict[str, list[float]] = {}
_stacks = threading.local()


class _Counting(importlib.abc.Loader):
    """The loader of one module, which counts."""

    def __init__(self, name: str, loader: Any) -> None:
        self._name = name
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Create the module: where it is a shared library, that loads it."""
        with _Count(self._name):
            created: ModuleType | None = self._loader.create_module(spec)
            return created

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code, and count what that costs."""
        with _Count(self._name):
            self._loader.exec_module(module)


class _Count:
    """What is used between begin and end, less what counts of other modules inside have found."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._inside = [0.0, 0.0]
        self._stack: list[list[float]] = _stacks.__dict__.setdefault("stack", [])
        self._stack.append(self._inside)
        self._then = _used()

    def __exit__(self, *_: object) -> None:
        used = [now - then for now, then in zip(_used(), self._then, strict=True)]
        self._stack.pop()
        if self._stack:
            self._stack[-1][:] = [there + each for there, each in zip(self._stack[-1], used, strict=True)]
        found = _costs.setdefault(self._name, [0.0, 0.0])
        found[:] = [there + each - inside for there, each, inside in zip(found, used, self._inside, strict=True)]


class _Finder(importlib.abc.MetaPathFinder):
    """Finds modules as Python does, and has their loaders count."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        """Return the module's spec (importlib)."""
        found = importlib.machinery.PathFinder.find_spec(name, path, target)
        if found is not None and found.loader is not None:
            found.loader = _Counting(name, found.loader)
        return found


def _used() -> tuple[float, float]:
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 (pathlib is a module that may be counted)
        return time.process_time(), float(int(file.read().split()[1]) * PAGE_BYTES)


def _answer(asked: socket.socket) -> None:
    while asked.recv(16):
        asked.sendall(json.dumps(dict(_costs)).encode() + b"\n")


def main() -> None:
    """Run the command in this process."""
    asked = socket.socket(fileno=int(sys.argv[1]))
    sys.argv[:] = ["goop2", *sys.argv[2:]]
    threading.Thread(target=_answer, args=(asked,), daemon=True).start()
    for place, finder in enumerate(sys.meta_path):
        if finder is importlib.machinery.PathFinder:
            sys.meta_path[place] = _Finder()
    from goop2.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
