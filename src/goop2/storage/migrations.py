"""What happens to the database of a peer folder when a peer starts, in order."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from goop2.folder.file_modes import make_private
from goop2.folder.regular_files import shown
from goop2.storage import datetimes, foreign_triggers, format_version, legacy_kv, registry_check, registry_schema
from goop2.storage.database import FILE, Database, open_database
from goop2.storage.errors import DatabaseError, StorageError
from goop2.storage.file_quota import CARELESS, FileCare
from goop2.storage.typed_tables import TypedTables


def open_folder(folder: Path, script_dir: Path, private: bool = True, care: FileCare = CARELESS) -> tuple[Database, list[str]]:
    """Open the peer's own connection; return it with warnings for the owner. Keep it open while
    workers live.

    `private`: a new data.db is for this user alone, and so is what SQLite makes beside it.
    Raises `DatabaseError` with a sentence for the owner.
    """
    path = folder / FILE
    if private:
        with contextlib.suppress(OSError):  # said by whoever opens it
            make_private(Path(os.path.realpath(path)))
    database = open_database(path, guarded=False, care=care)
    try:
        # First: a view in the place of a table of ours would be read and written as if it were that table.
        foreign_triggers.refuse(database)
        registry_schema.create_schema(database)
        format_version.check(database, shown(path))
        warnings = registry_check.check(database)
        typed = TypedTables(database).readable()
        datetimes.unify(database, typed, set(registry_schema.user_tables(database)) - {table.name for table in typed})
        return database, [*foreign_triggers.notices(database), *warnings, *legacy_kv.import_files(database, script_dir, folder)]
    except DatabaseError:
        database.close()
        raise
    except StorageError as error:
        database.close()
        raise DatabaseError(f"{path} cannot be prepared: {error}") from None
