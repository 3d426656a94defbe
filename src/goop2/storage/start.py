"""What happens to the database of a peer folder when a peer starts, in order."""

from __future__ import annotations

from pathlib import Path

from goop2.storage import foreign, layout, oldstate, schemafiles
from goop2.storage.database import FILE, Database, open_database
from goop2.storage.errors import DatabaseError, SchemaFileError, StorageError


def open_folder(folder: Path, script_dir: Path) -> tuple[Database, list[str]]:
    """The peer's own connection, and warnings for the owner. Keep it open while workers live.

    Raises `DatabaseError` and `SchemaFileError`, each with a sentence for the owner.
    """
    path = folder / FILE
    database = open_database(path, guarded=False)
    try:
        foreign.refuse(database)
        layout.lay_out(database)
        schemafiles.create_missing(database, folder)
        return database, [*foreign.notices(database), *oldstate.import_files(database, script_dir, folder)]
    except (DatabaseError, SchemaFileError):
        database.close()
        raise
    except StorageError as error:
        database.close()
        raise DatabaseError(f"{path} cannot be prepared: {error}") from None
