"""Edit goop.json for the owner: show what it sets and what each setting may be, and save changes with which a peer still starts.

A save is checked by the same loader that a start uses. It is refused when the file is no longer the one that was shown. It is written to a
new file that replaces the old one, which stays as goop.json.bak. Unknown parts of the file stay untouched. It must not know a setting by
name.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from goop2.config.loading import FILE, FILE_MAX_BYTES, SettingsError, check, read_document
from goop2.config.settings import Settings, declared
from goop2.folder.regular_files import read_regular

BACKUP = "goop.json.bak"


class SettingsConflictError(Exception):
    """goop.json is not the one that was shown: somebody saved it meanwhile."""

    code = "conflict"

    def __init__(self) -> None:
        super().__init__("goop.json was changed meanwhile, by another tab or an editor; look at what it says now, and save again")


class UnknownSettingError(Exception):
    """There is no setting of this name."""

    code = "bad_request"

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is no setting")


@dataclass(frozen=True, slots=True)
class SettingsView:
    """The settings that goop.json holds now."""

    values: dict[str, object]
    """Path of a setting (`lua.enabled`) → what stands there; absent when nothing does."""
    version: str
    """Digest of the file, to be given back with a save."""


def show(folder: Path) -> SettingsView:
    """Return the settings goop.json of `folder` sets. Raises `SettingsError`."""
    content, document = read_document(folder)
    values = {}
    for setting in declared():
        section = document.get(setting.section)
        if isinstance(section, dict) and setting.key in section:
            values[setting.path] = section[setting.key]
    return SettingsView(values, _version(content))


def save(folder: Path, changes: Mapping[str, object], version: str, environment: Mapping[str, str]) -> SettingsView:
    """Write `changes` (path → JSON value; None removes the key, so that the default holds) into goop.json.

    Raises `SettingsError` with a sentence when a value is not allowed, `SettingsConflictError` when the file is not the one of `version`,
    and `UnknownSettingError`; nothing is written then.
    """
    content, document = read_document(folder)
    if _version(content) != version:
        raise SettingsConflictError
    changed = _with(document, changes)
    check(folder, changed, environment)
    replace_document(folder, content, changed)
    return show(folder)


@dataclass(frozen=True, slots=True)
class SettingsEdit:
    """Changes of goop.json that are checked, and not written yet."""

    before: bytes
    after: bytes
    values_before: dict[str, object]
    """Path of each changed setting → what stands there now, None where nothing does; saved again, it undoes the changes."""
    settings: Settings


def prepare(
    folder: Path, changes: Mapping[str, object], environment: Mapping[str, str], of_others: Mapping[str, object] | None = None
) -> SettingsEdit | None:
    """Return `changes`, as `save` takes them, checked; None when goop.json says so already.

    `of_others`: keys that other programs read and this one does not. Raises `SettingsError`, `UnknownSettingError`.
    """
    content, document = read_document(folder)
    changed = _with(document, changes)
    there: dict[str, object] = {path: show(folder).values.get(path) for path in changes}
    for path, value in (of_others or {}).items():
        section, _, key = path.partition(".")
        there[path] = _put(changed, section, key, value)
    for name in [each for each, section in changed.items() if section == {} != document.get(each)]:
        del changed[name]  # what is undone leaves no empty section behind
    loaded = check(folder, changed, environment)
    if changed == document:
        return None
    return SettingsEdit(content, _text(changed), there, loaded.settings)


def write(folder: Path, before: bytes, after: bytes) -> None:
    """Put `after` in place of `before` in goop.json. Raises `SettingsError`, `SettingsConflictError`."""
    _replace_content(folder, before, after, None)


def replace_document(folder: Path, before: bytes, document: Mapping[str, object], mode: int | None = None) -> None:
    """Put `document` in place of `before` in goop.json of `folder`, with its rights or `mode`. Raises `SettingsError`,
    `SettingsConflictError`.
    """
    _replace_content(folder, before, _text(document), mode)


def _text(document: Mapping[str, object]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _replace_content(folder: Path, before: bytes, text: bytes, mode: int | None) -> None:
    file = Path(os.path.realpath(folder / FILE))
    try:
        if read_regular(file, None, FILE_MAX_BYTES) != before:
            raise SettingsConflictError
        rights = file.stat().st_mode & 0o777 if mode is None else mode
        _replace(file.with_name(BACKUP), before, rights)
        _replace(file, text, rights)
    except OSError as error:
        raise SettingsError(f"{file} cannot be written ({error.strerror}): the user who runs the peer must be able to") from None


def _with(document: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    changed = copy.deepcopy(dict(document))
    known = {setting.path: setting for setting in declared()}
    for path, value in changes.items():
        if path not in known:
            raise UnknownSettingError(path)
        _put(changed, known[path].section, known[path].key, value)
    return changed


def _put(document: dict[str, object], name: str, key: str, value: object) -> object:
    """Set a key of a section, or remove it for None; return what was there."""
    section = document.get(name)
    if not isinstance(section, dict):
        if value is None:
            return None
        section = document[name] = {}
    before: object = section.get(key)
    if value is None:
        section.pop(key, None)
    else:
        section[key] = value
    return before


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _replace(file: Path, content: bytes, rights: int) -> None:
    """Replace a whole file: a reader finds the old file or the new one, whatever happens."""
    number, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(number, "wb") as out:
            out.write(content)
            out.flush()
            os.fchmod(out.fileno(), rights)
            os.fsync(out.fileno())
        Path(name).replace(file)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
