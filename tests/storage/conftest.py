"""A database in a folder of its own, laid out as a peer starts with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from goop2.storage.database import FILE, Database, open_database
from goop2.storage.registry_schema import create_schema


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = open_database(path)
    create_schema(database)
    yield database
    database.close()
