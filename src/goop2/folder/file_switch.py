"""Replace several files and folders of a peer folder together: all of them, or none, whatever ends the process.

Each replaced file is moved aside, never removed, and can be put back by another switch. What is to be done is written into a journal
before the first file moves. The caller says whether the switch counts (`is_committed`: its transaction in data.db), so whoever finds a
journal after a kill puts everything back, or leaves it. It must not know what the files are.

    data/templates/journal.json     there while a switch is under way, or not all that follows from it is done
    data/templates/ID/new/N         what comes, before it is moved to its place
    data/templates/ID/old/N         what was there
    data/templates/ID/record.json   which, for whoever brings it back
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from goop2.folder.file_modes import FOLDER_MODE
from goop2.folder.regular_files import read_regular, shown
from goop2.folder.user_secret import derived_key
from goop2.folder.whole_file import replace_whole, sync

WORK: Final = "data/templates"
JOURNAL: Final = f"{WORK}/journal.json"
FOREIGN: Final = f"{WORK}/journal.foreign.json"
RECORD: Final = "record.json"
ID_BYTES: Final = 8
JOURNAL_MAX_BYTES: Final = 64 * 1024 * 1024
"""A line for each file of the largest template, and goop.json twice."""

Tree = bytes | Mapping[str, bytes]
"""The content of a file, or of a folder: path below it → content."""


class SwitchError(Exception):
    """The files could not be replaced, and all of them are as they were; the message says why in one sentence."""

    code: ClassVar = "unavailable"
    owner_code: ClassVar = "template"


class ForeignFileError(SwitchError):
    """A file that says what is moved where, and that somebody else has written."""


@dataclass(slots=True)
class Move:
    """One place: what is there goes to `old`, what is in `new` comes. Paths are relative to the peer folder."""

    place: str
    old: str
    new: str | None = None
    """None: the place is empty afterwards."""


@dataclass(slots=True)
class Journal:
    """A switch that has begun, as the file on disk says it: what a start after a crash needs to go on or back."""

    id: str
    moves: list[Move]
    settings: tuple[str, str] | None = None
    """The text of goop.json before and after."""
    later: dict[str, object] = field(default_factory=dict)
    """What is to be done when it counts, for the caller; empty when all is done."""


class FileSwitch:
    """One switch in `folder`: first `replace` and `bring` for each place, then `begin`, which writes the journal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = secrets.token_hex(ID_BYTES)
        self.moves: list[Move] = []
        self.work = folder / WORK / self.id
        self._made = False

    def replace(self, place: str, tree: Tree | None) -> None:
        """Have `tree` at `place`, or nothing there. It is written beside, and nothing moves yet. Raises `SwitchError`."""
        number, new = len(self.moves), None
        if tree is not None:
            new = f"{WORK}/{self.id}/new/{number}"
            try:
                _write(self._folder("new") / str(number), tree)
            except OSError as error:
                raise SwitchError(f"the new files cannot be written ({error.strerror}), so nothing was changed") from None
        self.moves.append(Move(place, f"{WORK}/{self.id}/old/{number}", new))

    def bring(self, place: str, source: str | None) -> None:
        """Have at `place` what an earlier switch has moved to `source`, relative to the peer folder."""
        new = source if source is not None and os.path.lexists(self.folder / source) else None
        self.moves.append(Move(place, f"{WORK}/{self.id}/old/{len(self.moves)}", new))

    def begin(self, settings: tuple[str, str] | None, later: Mapping[str, object]) -> Journal:
        """Write the journal, and try whether files can be moved at all. Raises `SwitchError`; nothing has moved then."""
        journal = Journal(self.id, self.moves, settings, dict(later))
        try:
            self._folder("old")
            for move in self.moves:
                (self.folder / move.place).parent.mkdir(parents=True, exist_ok=True)
            self._try_to_move()
            write_journal(self.folder, journal)
        except OSError as error:
            raise SwitchError(f"the files cannot be replaced ({error.strerror}), so nothing was changed") from None
        return journal

    def _try_to_move(self) -> None:
        probe = self.work / "probe"
        for parent in sorted({(self.folder / move.place).parent for move in self.moves}):
            probe.touch()
            target = parent / f".{self.id}.probe"
            try:
                probe.rename(target)
            except OSError as error:
                raise SwitchError(
                    f"{shown(parent)} and {shown(self.work.parent)} are on different disks or cannot be written ({error.strerror}): "
                    "files are moved between them, so put both on one"
                ) from None
            target.unlink()

    def _folder(self, name: str) -> Path:
        place = self.work / name
        if (self.folder / WORK).is_symlink():
            raise SwitchError(f"{WORK} is a link: put a real folder there, or remove it")
        if not self._made:
            (self.folder / WORK).mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            self._made = True
        place.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        return place

    def discard(self) -> None:
        """Remove what was written beside, when nothing has moved."""
        shutil.rmtree(self.work, ignore_errors=True)


def carry_out(folder: Path, journal: Journal) -> None:
    """Move everything; raises OSError half-way, after which `put_back` is due."""
    for move in journal.moves:
        place = folder / move.place
        if os.path.lexists(place):
            place.rename(folder / move.old)
        if move.new is not None:
            (folder / move.new).rename(place)


def put_back(folder: Path, journal: Journal) -> None:
    """Move everything back, however far `carry_out` came, and twice if need be."""
    for move in reversed(journal.moves):
        place, old = folder / move.place, folder / move.old
        # What is new has left its place beside: so it was moved, and goes back there. Each step is looked at, not remembered.
        if move.new is not None and not os.path.lexists(folder / move.new) and os.path.lexists(place):
            place.rename(folder / move.new)
        if os.path.lexists(old):
            old.rename(place)


def write_journal(folder: Path, journal: Journal) -> None:
    """Put a journal on the disk. Raises OSError, `UserSecretError`."""
    write_sealed(folder, folder / JOURNAL, asdict(journal))


def read_journal(folder: Path) -> Journal | None:
    """Return the journal of a switch that has not ended, None without one.

    Raises OSError, `UserSecretError`, and `ForeignFileError` for one that this user has not written.
    """
    try:
        document = read_sealed(folder, folder / JOURNAL, JOURNAL_MAX_BYTES)
    except FileNotFoundError:
        return None
    settings = document["settings"]
    moves = [Move(**move) for move in document["moves"]]
    return Journal(document["id"], moves, None if settings is None else (settings[0], settings[1]), document["later"])


def put_away(folder: Path) -> None:
    """Put a journal aside that this user has not written: it may be of whoever made the folder."""
    (folder / JOURNAL).rename(folder / FOREIGN)


def write_sealed(folder: Path, file: Path, document: Mapping[str, object]) -> None:
    """Write a file that says what is moved where, with a seal of this user. Raises OSError, `UserSecretError`."""
    text = json.dumps(document)
    replace_whole(file, json.dumps({"seal": _seal(folder, text), "text": text}).encode())


def read_sealed(folder: Path, file: Path, max_bytes: int) -> dict[str, Any]:
    """Return what `write_sealed` has written. Raises OSError, `UserSecretError`, and `ForeignFileError` where the seal is not this user's.

    A folder may come from somebody else, and such a file would have the next command move files to wherever it says.
    """
    content = read_regular(file, folder, max_bytes)
    try:
        outer = json.loads(content)
        text, seal = outer["text"], outer["seal"]
        # The text is parsed only after its seal was found right.
        if isinstance(text, str) and isinstance(seal, str) and hmac.compare_digest(seal.encode(), _seal(folder, text).encode()):
            document: dict[str, Any] = json.loads(text)
            return document
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise ForeignFileError(f"{shown(file.name)} was not written by this user of this machine, so nothing is moved by it")


def _seal(folder: Path, text: str) -> str:
    return hmac.new(derived_key(folder, "templates", b""), text.encode(), "sha256").hexdigest()


def end(folder: Path, keep: Sequence[str] = ()) -> None:
    """Remove the journal, and the work of all switches but those to `keep`."""
    (folder / JOURNAL).unlink(missing_ok=True)
    for entry in sorted((folder / WORK).iterdir()) if (folder / WORK).is_dir() and not (folder / WORK).is_symlink() else ():
        if entry.is_dir() and entry.name not in keep and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)


def _write(target: Path, tree: Tree) -> None:
    if isinstance(tree, bytes):
        _write_file(target, tree)
        return
    target.mkdir()
    for path, content in tree.items():
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        _write_file(file, content)
    sync(target)


def _write_file(file: Path, content: bytes) -> None:
    with file.open("xb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
