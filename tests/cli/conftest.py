"""A peer folder to run the command on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.in_process import taken_back

from goop2.folder.creation import create

Save = Callable[[str, str | bytes], Path]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Take back what a command that ran in this process has left behind."""
    with taken_back():
        yield


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
