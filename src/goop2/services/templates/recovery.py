"""Put right what a kill in the middle of a change of the template has left: the old state or the new one, never half of each.

data.db knows which: its transaction names the switch that counts. Called before a peer or a command opens the folder, and it must have the
folder's lock, or be the peer.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from goop2.config.editing import write
from goop2.config.loading import FILE as SETTINGS_FILE
from goop2.config.loading import FILE_MAX_BYTES, SettingsError
from goop2.folder.file_switch import FOREIGN, JOURNAL, ForeignFileError, Journal, end, put_away, put_back, read_journal, write_journal
from goop2.folder.regular_files import read_regular, shown
from goop2.folder.user_secret import UserSecretError
from goop2.services.templates.errors import TemplateError
from goop2.storage.database import FILE, open_database
from goop2.storage.errors import StorageError
from goop2.storage.template_tables import SWITCH_KEY, is_committed, meta


def is_interrupted(folder: Path) -> bool:
    """Return whether a change of the template began in the folder, and not all of it is done."""
    return os.path.lexists(folder / JOURNAL)


def put_right(folder: Path) -> str:
    """Put back the files of a change that does not count. Return what was done, for the owner, "" for nothing.

    Raises `TemplateError` where that is not possible.
    """
    try:
        try:
            journal = read_journal(folder)
        except ForeignFileError as error:
            put_away(folder)
            return f"{error}; it is {FOREIGN} now"
        if journal is None:
            return ""
        if _counts(folder, journal):
            _forget_when_done(folder, journal)
            return ""
        put_back(folder, journal)
        _put_settings_back(folder, journal)
        end(folder, (_last(folder),))
    except (OSError, UserSecretError, StorageError, SettingsError) as error:
        raise TemplateError(
            f"{shown(folder / JOURNAL)}: a template was being applied when this peer ended, and its files cannot be put back: {error}"
        ) from None
    return "a template was being applied when this peer ended; everything is as it was before"


def pending(folder: Path) -> dict[str, object]:
    """Return what is still to be done of the last change, which counts; empty when nothing is."""
    try:
        journal = read_journal(folder)
    except (OSError, UserSecretError, ForeignFileError):
        return {}
    return journal.later if journal is not None else {}


def done(folder: Path, *keys: str) -> None:
    """Note that these parts of what was to be done are done, or begun if they are done once at most."""
    with contextlib.suppress(OSError, UserSecretError, ForeignFileError, StorageError):
        journal = read_journal(folder)
        if journal is not None:
            for key in keys:
                journal.later.pop(key, None)
            write_journal(folder, journal)
            _forget_when_done(folder, journal)


def _forget_when_done(folder: Path, journal: Journal) -> None:
    if not any(value for key, value in journal.later.items() if key != "name"):
        end(folder, (journal.id,))


def _counts(folder: Path, journal: Journal) -> bool:
    if not (folder / FILE).exists():
        return False
    database = open_database(folder / FILE, guarded=False)
    try:
        return is_committed(database, journal.id)
    finally:
        database.close()


def _last(folder: Path) -> str:
    if not (folder / FILE).exists():
        return ""
    database = open_database(folder / FILE, guarded=False)
    try:
        return str(meta(database, (SWITCH_KEY,))[SWITCH_KEY] or "")
    finally:
        database.close()


def _put_settings_back(folder: Path, journal: Journal) -> None:
    if journal.settings is None:
        return
    before, after = (text.encode() for text in journal.settings)
    if read_regular(folder / SETTINGS_FILE, None, FILE_MAX_BYTES) == after:
        write(folder, after, before)
