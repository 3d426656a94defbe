"""A folder that a newer goop2 has changed is refused in a sentence; any other is opened."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from goop2.storage.database import FILE
from goop2.storage.errors import DatabaseError
from goop2.storage.format_version import FORMAT, KEY
from goop2.storage.migrations import open_folder


def mark(folder: Path, value: object) -> None:
    """Write `value` as the version of the folder's database."""
    database, _ = open_folder(folder, folder / "site/lua")
    database.close()
    with apsw.Connection(str(folder / FILE)) as connection:
        connection.execute("INSERT OR REPLACE INTO _meta (key, value) VALUES (?, ?)", (KEY, value))


@pytest.mark.parametrize("value", [str(FORMAT + 1), "999", "odd", "", "-1", 1e300])
def test_a_database_of_an_unknown_version_is_refused(tmp_path: Path, value: object) -> None:
    mark(tmp_path, value)
    with pytest.raises(
        DatabaseError, match=r"data\.db was changed by a newer goop2 .* install the newer one, or restore a backup of before"
    ):
        open_folder(tmp_path, tmp_path / "site/lua")


@pytest.mark.parametrize("value", [str(FORMAT), FORMAT])
def test_a_database_of_a_known_version_is_opened(tmp_path: Path, value: object) -> None:
    mark(tmp_path, value)
    database, warnings = open_folder(tmp_path, tmp_path / "site/lua")
    database.close()
    assert warnings == []
