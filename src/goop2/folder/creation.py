"""Make a new peer folder for `goop2 init`: the files of a template, and goop.json with the peer's label.

It must not know what the files mean, except goop.json's label, and must never overwrite one.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from goop2.folder import SETTINGS_FILE, file_modes, templates
from goop2.folder.regular_files import shown
from goop2.protocols.line import is_one_line


class FolderError(Exception):
    """No peer folder can be made there; the message says why and what to do, in one sentence."""

    owner_code: ClassVar = "folder"


@dataclass(frozen=True, slots=True)
class Created:
    """What `create` did, as paths inside the folder."""

    written: tuple[str, ...]
    kept: tuple[str, ...]
    """Files that were there already, and stay as they were."""


def create(folder: Path, label: str | None = None, template: str = templates.DEFAULT, more: Mapping[str, str] | None = None) -> Created:
    """Make `folder` a peer folder from `template` (templates.files_of), with the label `label` or the folder's name.

    `more`: files that are no part of a template, such as the types for editors.
    Raises `FolderError`, also when it is one already.
    """
    settings_file = folder / SETTINGS_FILE
    if os.path.lexists(settings_file):
        raise FolderError(f"{settings_file} is there already: {folder} is a peer folder, and stays as it is")
    files = {**templates.files_of(template), **(more or {})}
    files[SETTINGS_FILE] = _labelled(files[SETTINGS_FILE], _checked(shown(Path(os.path.realpath(folder)).name) if label is None else label))
    _check_places(folder, files)
    try:
        # Settings last: a folder half made is not yet a peer, and `create` can be called again.
        order = sorted(files, key=lambda path: (path == SETTINGS_FILE, path))
        written = [path for path in order if _write_new(folder / path, files[path])]
    except OSError as error:
        raise FolderError(f"{error.filename or folder} cannot be written ({error.strerror}): choose a folder you may write to") from None
    return Created(tuple(written), tuple(path for path in order if path not in written))


def add(folder: Path, path: str, text: str) -> bool:
    """Write a new file into a peer folder; return False when something is there already. Raises `FolderError`."""
    _check_places(folder, [path])
    try:
        return _write_new(folder / path, text)
    except OSError as error:
        raise FolderError(f"{error.filename or folder / path} cannot be written: {error.strerror}") from None


BARE: Final = "blank"
"""The template whose settings a folder gets that somebody else's template fills."""


def check_free(folder: Path) -> None:
    """Raise `FolderError` unless a template can fill `folder`: no peer, no site and no schemas are in it."""
    for name in (SETTINGS_FILE, "site", "schemas"):
        place = folder / name
        if os.path.lexists(place) and not (place.is_dir() and not place.is_symlink() and not any(place.iterdir())):
            raise FolderError(f'{shown(place)} is there already: choose a new folder, or "goop2 template apply" for a peer that is there')


def create_bare(folder: Path, label: str | None = None) -> None:
    """Make `folder` a peer folder that has settings and an empty site. Raises `FolderError`."""
    text = templates.files_of(BARE)[SETTINGS_FILE]
    name = _checked(shown(Path(os.path.realpath(folder)).name) if label is None else label)
    try:
        (folder / "site").mkdir(parents=True, exist_ok=True)
        _write_new(folder / SETTINGS_FILE, _labelled(text, name))
    except OSError as error:
        raise FolderError(f"{error.filename or folder} cannot be written ({error.strerror}): choose a folder you may write to") from None


def discard_bare(folder: Path) -> None:
    """Take back `create_bare`, as far as nothing else came into the folder."""
    with contextlib.suppress(OSError):
        (folder / SETTINGS_FILE).unlink()
        (folder / "site").rmdir()


def _checked(label: str) -> str:
    if not is_one_line(label):
        raise FolderError(f"the label is {json.dumps(label)}; allowed is text on one line: give one with --label")
    return label


def _check_places(folder: Path, paths: Iterable[str]) -> None:
    """Refuse to write through a link that leads out of the folder."""
    root = Path(os.path.realpath(folder))
    for place in {(folder / path).parent for path in paths}:
        real = Path(os.path.realpath(place))
        if not real.is_relative_to(root):
            raise FolderError(f"{shown(place)} is really {shown(real)}, outside of {shown(folder)}: put a real folder there first")


def _labelled(settings: str, label: str) -> str:
    document = json.loads(settings)
    document["profile"]["label"] = label
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _write_new(file: Path, text: str) -> bool:
    """Write a new file; return False when something is there already."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        mode = file_modes.FILE_MODE if file.name == SETTINGS_FILE else 0o666  # less what the user's umask takes
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "w", encoding="utf-8") as opened:  # noqa: PTH123
            opened.write(text)
    except FileExistsError:
        return False
    return True
