"""A new peer folder for `goop2 init`: settings, a front page, and the manual's scripts to start from.

What it holds are the files under templates/start. Must not know what they say, except goop.json's label, and must never overwrite a file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from goop2.config import loading
from goop2.config.kinds import NotAllowedError, line

TEMPLATE = "templates/start"


class FolderError(Exception):
    """No peer folder can be made there; the message says why and what to do, in one sentence."""


@dataclass(frozen=True, slots=True)
class Created:
    """What `create` did, as paths inside the folder."""

    written: tuple[str, ...]
    kept: tuple[str, ...]
    """Files that were there already, and stay as they were."""


def create(folder: Path, label: str | None = None) -> Created:
    """Makes `folder` a peer folder, named `label` or else as the folder is. Raises `FolderError`, also when it is one already."""
    settings_file = folder / loading.FILE
    if os.path.lexists(settings_file):
        raise FolderError(f"{settings_file} is there already: {folder} is a peer folder, and stays as it is")
    files = dict(_template())
    files[loading.FILE] = _labelled(files[loading.FILE], _checked(Path(os.path.realpath(folder)).name if label is None else label))
    try:
        # Settings last: a folder half made is not yet a peer, and `create` can be called again.
        order = sorted(files, key=lambda path: path == loading.FILE)
        written = [path for path in order if _write_new(folder / path, files[path])]
    except OSError as error:
        raise FolderError(f"{error.filename or folder} cannot be written ({error.strerror}): choose a folder you may write to") from None
    return Created(tuple(written), tuple(path for path in order if path not in written))


def _template() -> Iterator[tuple[str, str]]:
    return _files(resources.files("goop2").joinpath(TEMPLATE), PurePosixPath())


def _files(here: Traversable, path: PurePosixPath) -> Iterator[tuple[str, str]]:
    for entry in here.iterdir():
        if entry.is_dir():
            yield from _files(entry, path / entry.name)
        else:
            yield str(path / entry.name), entry.read_text(encoding="utf-8")


def _checked(label: str) -> str:
    try:
        return line().parse(label)
    except NotAllowedError:
        raise FolderError(f"the label is {json.dumps(label)}; allowed is text on one line") from None


def _labelled(settings: str, label: str) -> str:
    document = json.loads(settings)
    document["profile"]["label"] = label
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _write_new(file: Path, text: str) -> bool:
    """False when something is there already."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        return False
    return True
