"""A peer folder to run the command on."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from goop2.folder.creation import create

Save = Callable[[str, str | bytes], Path]


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Take back what a command that ran in this process did to the log: later tests of other rooms read theirs."""
    before, hooks, handlers = dict(structlog.get_config()), (threading.excepthook, sys.unraisablehook), list(logging.root.handlers)
    yield
    structlog.configure(**before)
    threading.excepthook, sys.unraisablehook = hooks
    logging.root.handlers[:] = handlers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A peer folder as `goop2 init` makes it."""
    create(tmp_path / "mysite")
    return tmp_path / "mysite"


@pytest.fixture
def save(folder: Path) -> Save:
    """Writes a script: save("hello", source), save("functions/score", source)."""

    def save(name: str, source: str | bytes) -> Path:
        file = folder / f"site/lua/{name}.lua"
        file.write_bytes(source.encode() if isinstance(source, str) else source)
        return file

    return save
