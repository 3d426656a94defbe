"""Check that the registries of data.db and its tables agree; repair what can be repaired, and report the rest.

Other programs open data.db too: a table that one of them drops or changes leaves its rows in the registries.
"""

from __future__ import annotations

from goop2.storage.columns import Table
from goop2.storage.database import Database
from goop2.storage.registry_schema import column_names, table_there, unregister
from goop2.storage.typed_tables import TypedTables


def check(database: Database) -> list[str]:
    """Repair the registries where a table is gone; return a warning for each table that they describe wrongly. Raises `StorageError`.

    The write lock is taken only where something is to be mended.
    """
    names = "SELECT name FROM _tables UNION SELECT table_name FROM _orm_schemas ORDER BY 1"
    gone = [str(name) for (name,) in database.rows(names) if table_there(database, str(name)) is None]
    if gone:
        with database.atomic():
            for name in gone:
                unregister(database, name)
    warnings = [f"data.db: the table {name} was dropped by another program; it is no longer registered" for name in gone]
    for table in TypedTables(database).readable():
        warnings += _of_table(database, table)
    return warnings


def _of_table(database: Database, table: Table) -> list[str]:
    there = set(column_names(database, table.name))
    missing = [name for name in table.all_names if name not in there]
    warnings = []
    if missing:
        columns = ", ".join(missing)
        warnings.append(
            f"data.db: the typed table {table.name} has no column {columns}, though it is registered with it: add the column again, "
            "or drop the table and let it be made anew"
        )
    return warnings
