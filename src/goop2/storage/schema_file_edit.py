"""The file in schemas/ that declares a table, kept in step when its owner changes the table by hand.

Otherwise the file would undo the change: a dropped column would be added again, a dropped or renamed table be made anew. What is not
changed in the file stays, keys of other programs too. It must not know what is done to the database.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from goop2.folder.regular_files import list_names, shown
from goop2.folder.whole_file import sync
from goop2.storage import schema_declarations
from goop2.storage.errors import SchemaFileError, StorageError
from goop2.storage.schema_declarations import ENDING, FOLDER

SchemaEdit = Callable[[dict[str, Any]], None]
"""Changes the document of a schema file."""

PUT_ASIDE: Final = ".dropped"
"""Follows the name of the file of a dropped table, so that it is passed over: posts.json.dropped."""
_ASIDE_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """A schema file and what stands in it."""

    path: Path
    document: dict[str, Any]

    @property
    def shown(self) -> str:
        """Return its name for people: schemas/posts.json."""
        return shown(f"{FOLDER}/{self.path.name}")


class PreparedEdit:
    """A change of a schema file that is written beside it, so that putting it into its place hardly fails."""

    def __init__(self, file: SchemaFile | None, edit: SchemaEdit | None, new_stem: str = "") -> None:
        """Write the changed file. `edit`: None puts the file aside. `new_stem`: how the file is to be called. Raises `StorageError`."""
        self._file = file
        self._temporary: Path | None = None
        self._target: Path | None = None
        if file is None:
            return
        # Where a link leads, not in its place.
        real = Path(os.path.realpath(file.path))
        if edit is None:
            self._target = _free_name(file.path)
            return
        edit(file.document)
        self._target = (
            file.path.with_name(f"{new_stem}{ENDING}")
            if new_stem and not os.path.lexists(file.path.with_name(f"{new_stem}{ENDING}"))
            else real
        )
        self._temporary = real.with_name(f".{real.name}.new")
        try:
            self._temporary.write_text(json.dumps(file.document, ensure_ascii=False, indent=2) + "\n", "utf-8")
            shutil.copymode(real, self._temporary)
            sync(self._temporary)
        except OSError as error:
            self.undo()
            raise StorageError(f"{file.shown} declares the table and cannot be changed: {error.strerror}; nothing was changed") from None

    def finish(self) -> str:
        """Put the changed file into its place; return what became of it, "" where there is none."""
        if self._file is None or self._target is None:
            return ""
        try:
            if self._temporary is None:
                self._file.path.rename(self._target)
                return f"{self._file.shown} is {FOLDER}/{shown(self._target.name)} now"
            self._temporary.replace(self._target)
            if self._target.name != Path(os.path.realpath(self._file.path)).name:
                self._file.path.unlink()
                return f"{self._file.shown} is {FOLDER}/{shown(self._target.name)} now"
            return f"{self._file.shown} was changed with it"
        except OSError as error:
            return f"{self._file.shown} could not be changed: {error.strerror}; it declares the table as it was, so change it by hand"

    def undo(self) -> None:
        """Remove what was written; the file stays as it was."""
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink()


def find_schema_file(folder: Path, table: str) -> SchemaFile | None:
    """Return the file that declares `table`, None where no readable one does."""
    try:
        names = list_names(folder / FOLDER, folder)
    except OSError:
        return None
    for name in sorted(names, key=lambda each: each != f"{table}{ENDING}"):  # the one that is called like it first
        path = folder / FOLDER / name
        if name.endswith(ENDING) and not name.startswith("."):
            with contextlib.suppress(SchemaFileError, OSError):
                document = schema_declarations.document_of(path, folder)
                if document.get("name") == table:
                    return SchemaFile(path, document)
    return None


def _free_name(path: Path) -> Path:
    candidates = (path.with_name(f"{path.name}{PUT_ASIDE}{number or ''}") for number in range(_ASIDE_MAX))
    free = next((each for each in candidates if not os.path.lexists(each)), None)
    if free is None:
        raise StorageError(f"{FOLDER} holds {_ASIDE_MAX} dropped files of {shown(path.name)} already: remove some")
    return free
