"""Run the `schema.sql` of an old template in a database of its own, and say which tables it makes.

The file comes from somebody else. It runs in memory, where nothing but what it makes itself is in reach, under the guard, within a time
and a size. The tables are copied from there (template_tables.py), so none of its statements ever sees the peer's own database.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Final

import apsw

from goop2.storage.bounded_functions import bound_functions
from goop2.storage.columns import NAME, NAME_ALLOWED
from goop2.storage.connection_settings import configure
from goop2.storage.database import Database
from goop2.storage.errors import SchemaFileError, StorageError
from goop2.storage.guard import INTERNAL, SCHEMA_SQL, Guard, Role
from goop2.storage.limits import FINE_LIKE_PATTERN_MAX_BYTES, FINE_PROGRESS_STEPS
from goop2.storage.registry_schema import user_tables
from goop2.storage.sqlite_errors import explained
from goop2.storage.values import shown

FILE: Final = "schema.sql"
TEXT_MAX_BYTES: Final = 1024 * 1024
SECONDS: Final = 5.0
"""For all of its statements; a file of 200 tables takes a hundredth of it."""
PAGES_MAX: Final = 16_384
"""Of 4 KB: what the tables it fills may hold, 64 MB."""
TABLES_MAX: Final = 200
SQL_MAX_BYTES: Final = 1024 * 1024
_ROLE: Final = Role(SCHEMA_SQL, FILE)


@contextlib.contextmanager
def tables_of(content: bytes) -> Iterator[tuple[Database, list[str]]]:
    """Give a database that holds what the file makes, and the names of its tables, until the block is left.

    Raises `SchemaFileError` with a sentence for the owner.
    """
    if len(content) > TEXT_MAX_BYTES:
        raise SchemaFileError(f"{FILE} is larger than {TEXT_MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SchemaFileError(f"{FILE} is not UTF-8 (byte {error.start + 1})") from None
    connection = apsw.Connection(":memory:")
    try:
        _run(connection, text)
        database = Database(connection)
        names = user_tables(database)
        _check(names)
        yield database, names
    finally:
        connection.close(True)


def _run(connection: apsw.Connection, text: str) -> None:
    ends = time.monotonic() + SECONDS
    guard = Guard()
    guard.role = INTERNAL
    configure(connection, guarded=True)
    connection.pragma("max_page_count", PAGES_MAX)
    connection.limit(apsw.SQLITE_LIMIT_SQL_LENGTH, SQL_MAX_BYTES)
    connection.limit(apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, FINE_LIKE_PATTERN_MAX_BYTES)
    bound_functions(connection, lambda: time.monotonic() > ends)
    connection.set_progress_handler(lambda: time.monotonic() > ends, FINE_PROGRESS_STEPS)
    connection.authorizer = guard
    guard.role = _ROLE
    try:
        for _ in connection.execute(text):  # what it selects is of no use to anybody
            pass
        if connection.in_transaction:
            connection.execute("COMMIT").close()
    except apsw.InterruptError:
        raise SchemaFileError(f"{FILE} takes longer than {SECONDS:g} s, so it was stopped") from None
    except apsw.FullError:
        raise SchemaFileError(f"{FILE} fills its tables with more than they may hold here") from None
    except StorageError as error:
        raise SchemaFileError(f"{FILE}: {error}") from None
    except (apsw.Error, ValueError, TypeError, OverflowError, MemoryError) as error:
        why = guard.refusal if guard.refusal and isinstance(error, apsw.AuthError | apsw.SQLError) else f"{FILE}: {explained(error)}"
        raise SchemaFileError(why) from None
    finally:
        connection.set_progress_handler(None)
        connection.authorizer = None


def _check(names: list[str]) -> None:
    if len(names) > TABLES_MAX:
        raise SchemaFileError(f"{FILE} makes {len(names)} tables; the most is {TABLES_MAX}")
    for name in names:
        if not NAME.match(name):
            raise SchemaFileError(f"{FILE} makes a table {shown(name)}; allowed is {NAME_ALLOWED}")
