"""The owner's saved queries: names and SQL, in data/queries.json, for the console and `goop2 data DIR saved`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

import msgspec

from goop2.folder.regular_files import read_regular
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.storage.desk_limits import QUERIES_MAX, QUERIES_MAX_BYTES, QUERY_MAX_CHARS, QUERY_NAME_MAX_CHARS
from goop2.storage.errors import StorageError
from goop2.storage.values import shown

FILE: Final = "data/queries.json"


class SavedQuery(msgspec.Struct, frozen=True):
    """A query that the owner keeps."""

    name: str
    sql: str


def saved(folder: Path) -> list[SavedQuery]:
    """Return the saved queries, by name. Raises `StorageError` when their file cannot be read."""
    path = folder / FILE
    try:
        content = read_regular(path, folder, QUERIES_MAX_BYTES)
        return decode(content, list[SavedQuery])
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"{FILE} cannot be read: {error.strerror}") from None
    except InvalidJsonError as error:
        raise StorageError(f"{FILE} is no list of queries: {error}; mend it or remove it") from None


def save(folder: Path, name: str, sql: str) -> None:
    """Keep `sql` under `name`, in the place of what is kept so. Raises `StorageError`."""
    name, sql = name.strip(), sql.strip()
    if not name or len(name) > QUERY_NAME_MAX_CHARS or not name.isprintable():
        raise StorageError(f"the name is {shown(name)}; allowed are 1 to {QUERY_NAME_MAX_CHARS} printable characters")
    if not sql or len(sql) > QUERY_MAX_CHARS:
        raise StorageError(f"the query has {len(sql)} characters; allowed are 1 to {QUERY_MAX_CHARS}")
    kept = [each for each in saved(folder) if each.name != name]
    if len(kept) >= QUERIES_MAX:
        raise StorageError(f"{QUERIES_MAX} queries are saved, the most there may be: forget one")
    _write(folder, sorted([*kept, SavedQuery(name, sql)], key=lambda each: each.name.lower()))


def forget(folder: Path, name: str) -> None:
    """Forget a saved query. Raises `StorageError` when there is none of that name."""
    there = saved(folder)
    kept = [each for each in there if each.name != name]
    if len(kept) == len(there):
        raise StorageError(f"no query is saved as {shown(name)}")
    _write(folder, kept)


def find(folder: Path, name: str) -> str:
    """Return the SQL of a saved query. Raises `StorageError` when there is none of that name."""
    there = saved(folder)
    found = next((each.sql for each in there if each.name == name), None)
    if found is None:
        names = ", ".join(each.name for each in there) or "none yet"
        raise StorageError(f"no query is saved as {shown(name)}; saved are: {names}")
    return found


def _write(folder: Path, queries: list[SavedQuery]) -> None:
    content = msgspec.json.format(msgspec.json.encode(queries), indent=2) + b"\n"
    if len(content) > QUERIES_MAX_BYTES:
        raise StorageError(f"the saved queries would have {len(content)} bytes; the most is {QUERIES_MAX_BYTES}")
    path = Path(os.path.realpath(folder / FILE))
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as opened:  # noqa: PTH123 - a descriptor
            opened.write(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(f"{FILE} was not written: {error.strerror}") from None
