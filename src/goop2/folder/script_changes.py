"""The changes that an editor makes to script files: read, save, create, rename and remove, each whole or not at all.

Only names that the catalog accepts, and only in the script folder itself and its `functions`, whose real path must be in the peer's folder.
A link in a file's place is replaced, never written through. It must not know who asks, nor whether a script compiles.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from goop2.folder.regular_files import FileRefusedError, read_regular

Kind = Literal["command", "function", "library"]
NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
FUNCTIONS: Final = "functions"
LIBRARY: Final = "lib"
SUFFIX: Final = ".lua"
TEXT_MAX_BYTES: Final = 1024 * 1024
"""Of a script (scripting/limits.py); an editor for more would be of no use."""

NEW: Final[dict[Kind, str]] = {
    "command": '--- Says hello: !NAME Alice\nfunction handle(args)\n  if args == "" then\n    return "Whom shall I greet? !NAME Alice"\n'
    '  end\n  return "Hello, " .. args .. "!"\nend\n',
    "function": "--- Answers with what it was asked.\nfunction call(request)\n  return request.params\nend\n",
    "library": '--- What several scripts share: local shared = goop.use("NAME")\nlocal shared = {}\n\nreturn shared\n',
}
"""What a new script begins with; NAME stands for its name."""


_FOLDERS: Final[dict[Kind, str]] = {"command": "", "function": FUNCTIONS, "library": LIBRARY}
"""Where the files of each kind are, below the script folder."""


class ScriptChangeError(Exception):
    """Nothing was changed; the message says why. `code` is an error class of behaviour.md."""

    code = "bad_request"


class ScriptConflictError(ScriptChangeError):
    """The file has changed since it was read."""


@dataclass(frozen=True, slots=True)
class ScriptText:
    """A script's file as it is now."""

    text: str
    version: str
    """Of its content, to be shown when it is saved."""


class ScriptFiles:
    """The script files of one peer folder."""

    def __init__(self, folder: Path, script_dir: str, homes: Callable[[Path], tuple[Path, ...]]) -> None:
        """Take the script folder as goop.json names it, and a function for the real paths it may lie in (config/settings.py)."""
        self._folder = folder
        self._homes = homes
        self._script_dir = folder / script_dir

    def read(self, kind: Kind, name: str) -> ScriptText:
        """Return the file of a script. Raises `ScriptChangeError` when there is none."""
        file = self._file(kind, name)
        try:
            content = _read(file, self._script_dir)
        except FileNotFoundError:
            raise ScriptChangeError(f"there is no script {name} any more") from None
        except OSError as error:
            raise ScriptChangeError(f"{file.name} cannot be read: {error.strerror}") from None
        return _text(content)

    def save(self, kind: Kind, name: str, text: str, version: str) -> ScriptText:
        """Replace the version `version` by `text`. Raises `ScriptConflictError` if the file has changed meanwhile."""
        if self.read(kind, name).version != version:
            raise ScriptConflictError(f"{name} was changed meanwhile, by an editor or another tab")
        return self._write(self._file(kind, name), text)

    def create(self, kind: Kind, name: str, text: str = "") -> ScriptText:
        """Create a script. Raises `ScriptChangeError` if one of that name exists."""
        file = self._file(kind, name)
        self._real_folder(file.parent, make=True)
        if self._taken(file):
            raise ScriptChangeError(f"there is a {kind} {name} already")
        return self._write(file, text or NEW[kind].replace("NAME", name))

    def rename(self, kind: Kind, name: str, new_name: str) -> None:
        """Give a script another name. Raises `ScriptChangeError`."""
        file, target = self._file(kind, name), self._file(kind, new_name)
        self._real_folder(file.parent)
        try:
            os.link(file, target, follow_symlinks=False)  # unlike a rename it takes nobody's place
            file.unlink()
        except FileExistsError:
            raise ScriptChangeError(f"there is a {kind} {new_name} already") from None
        except OSError as error:
            raise ScriptChangeError(f"{name} cannot be renamed: {error.strerror}") from None

    def delete(self, kind: Kind, name: str, version: str) -> None:
        """Remove a script that has not changed since it was read. Raises `ScriptChangeError`."""
        if self.read(kind, name).version != version:
            raise ScriptConflictError(f"{name} was changed meanwhile, by an editor or another tab")
        file = self._file(kind, name)
        try:
            file.unlink()
        except OSError as error:
            raise ScriptChangeError(f"{name} cannot be removed: {error.strerror}") from None

    def _file(self, kind: Kind, name: str) -> Path:
        if not NAME.match(name):
            raise ScriptChangeError("a script's name is 1 to 64 letters, digits, - and _")
        folder = self._script_dir / _FOLDERS[kind]
        file = folder / f"{name}{SUFFIX}"
        if kind == "command" and not file.exists():  # commands are known in lower case, whatever their file is called
            with contextlib.suppress(OSError):
                return next((each for each in sorted(folder.iterdir()) if each.name.lower() == file.name.lower()), file)
        return file

    def _taken(self, file: Path) -> bool:
        return os.path.lexists(file)

    def _real_folder(self, folder: Path, *, make: bool = False) -> None:
        """Return a folder's real path. Raises `ScriptChangeError` unless it lies in the peer's folder."""
        try:
            if make:
                folder.mkdir(parents=True, exist_ok=True)
            real = folder.resolve(strict=True)
        except OSError as error:
            raise ScriptChangeError(f"the script folder cannot be used: {error.strerror}") from None
        if not any(real.is_relative_to(home) for home in self._homes(self._folder)):
            raise ScriptChangeError("the script folder leads out of the peer's folder, so nothing is written there")

    def _write(self, file: Path, text: str) -> ScriptText:
        content = text.encode()
        if len(content) > TEXT_MAX_BYTES:
            raise ScriptChangeError(f"the script is {len(content)} bytes, the most is {TEXT_MAX_BYTES}")
        self._real_folder(file.parent)
        temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}.tmp")  # the catalog leaves such names alone
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "wb") as opened:  # noqa: PTH123
                opened.write(content)
                opened.flush()
                os.fsync(opened.fileno())
            temporary.replace(file)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise ScriptChangeError(f"{file.name} cannot be written: {error.strerror}") from None
        return _text(content)


def _read(file: Path, within: Path) -> bytes:
    try:
        return read_regular(file, within, TEXT_MAX_BYTES)
    except FileRefusedError as error:
        raise ScriptChangeError(f"{file.name} cannot be edited here: {error.strerror}") from None


def _text(content: bytes) -> ScriptText:
    try:
        return ScriptText(content.decode("utf-8-sig"), hashlib.blake2b(content, digest_size=16).hexdigest())
    except UnicodeDecodeError:
        raise ScriptChangeError("the file is not UTF-8: mend it with another editor") from None
