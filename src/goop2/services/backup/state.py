"""What a folder remembers of its backup: who it is at the place and its term there (data/backup.state), and the last test of restoring
(data/backup.check).

Neither name ends in .json, so neither is a part of the backup. A folder that was copied is another writer than the one it was copied from:
the number of the machine and of the folder on its disk are kept beside the writer's name, and a new name is made when they differ.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

import msgspec

from goop2.folder.regular_files import read_regular
from goop2.folder.whole_file import replace_whole
from goop2.protocols.untrusted_json import InvalidJsonError, decode

FILE: Final = "data/backup.state"
CHECK_FILE: Final = "data/backup.check"
_MAX_BYTES: Final = 64 * 1024
_MACHINE: Final = Path("/etc/machine-id")
_NAME_BYTES: Final = 16


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a test of restoring."""

    at: float
    """Seconds since 1970."""
    problem: str = ""
    """"" when the backup was restored and started."""
    seconds: float = 0.0
    rows: int = 0


class BackupState(msgspec.Struct, frozen=True, kw_only=True):
    """What this folder remembers of its backups from one start to the next."""

    writer: str
    """The name of this folder among those that may write to the place; it proves nothing, and is no secret."""
    body: str
    """Machine and folder, which a copy does not share."""
    place: str = ""
    term: int = 0
    """The term at `place` in which this folder writes; 0: none yet."""
    promoted: bool = False
    """Whether it was a standby, so that the peer it took over from must not serve any more."""


def load(folder: Path) -> BackupState:
    """Return what `folder` remembers; as one that never made a backup when it is a copy of another, or remembers nothing."""
    body = _body(folder)
    with contextlib.suppress(OSError, InvalidJsonError):
        state = decode(read_regular(folder / FILE, folder, _MAX_BYTES), BackupState)
        if state.body == body:
            return state
    return BackupState(writer=secrets.token_hex(_NAME_BYTES), body=body)


def save(folder: Path, state: BackupState) -> None:
    """Remember it, safely on the disk. Raises OSError."""
    (folder / FILE).parent.mkdir(mode=0o700, exist_ok=True)
    replace_whole(folder / FILE, msgspec.json.encode(state))


def last_check(folder: Path) -> CheckResult | None:
    """Return the result of the last test of restoring, None when there was none."""
    with contextlib.suppress(OSError, InvalidJsonError):
        return decode(read_regular(folder / CHECK_FILE, folder, _MAX_BYTES), CheckResult)
    return None


def save_check(folder: Path, result: CheckResult) -> None:
    """Remember the result of a test. Raises OSError."""
    replace_whole(folder / CHECK_FILE, msgspec.json.encode(result))


def _body(folder: Path) -> str:
    machine = ""
    with contextlib.suppress(OSError):
        machine = _MACHINE.read_text(encoding="ascii", errors="replace").strip()
    with contextlib.suppress(OSError):
        # The birth of a folder's inode would be better, and is not to be had everywhere.
        return f"{machine} {folder.resolve().stat().st_ino}"
    return f"{machine} {os.path.realpath(folder)}"
