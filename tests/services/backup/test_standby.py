"""A standby that others have passed, and two processes in one folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.services.backup.test_service import backing_up, settings, write
from tests.services.backup.test_service import folder as folder_fixture

from goop2.services.backup import service, standby
from goop2.services.backup.program import BackupError

folder = folder_fixture


async def test_a_standby_that_another_one_has_passed_is_not_promoted(folder: Path, tmp_path: Path) -> None:
    place = settings(tmp_path).backup.to
    async with backing_up(folder, tmp_path) as backup:
        await backup.copy_now()
    standby.prepare(tmp_path / "one", place)
    service.begin_own_term(folder, place, 2)
    write(folder, "INSERT INTO notes VALUES ('later')")
    async with backing_up(folder, tmp_path) as backup:
        await backup.copy_now()
    with pytest.raises(BackupError, match="has taken the place over already, in the term 2"):
        standby.promote(tmp_path / "one")
    assert not (tmp_path / "one/goop.json").exists()


def test_two_processes_do_not_follow_into_one_folder(tmp_path: Path) -> None:
    (tmp_path / standby.FOLDER).mkdir()
    with standby.locked(tmp_path), pytest.raises(BackupError, match="a standby runs in"), standby.locked(tmp_path):
        pass
