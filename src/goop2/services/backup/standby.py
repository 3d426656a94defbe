"""A standby: another folder, on another machine, that follows the backup of a peer and takes its place when its owner says so.

    .standby/state      which place is followed, and its term
    .standby/data.db    what Litestream has followed of the database, .standby/files.db of the files
    data/identity.key   the peer's key, brought by hand
    goop.json …         not there before the promotion, so that no peer can be started by mistake

Promotion takes what is at the place then, or what was followed where the place is gone with the machine. It begins the next term there,
which is the fence: the old one finds that, and stops (service.py). It must not know who decides that the old one is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from goop2.config import editing, load
from goop2.config.replica_place import parse_place
from goop2.folder.regular_files import read_regular, shown
from goop2.folder.whole_file import replace_whole
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.services.backup import files, service, terms
from goop2.services.backup import state as states
from goop2.services.backup.configuration import DATA, FILES, STREAMS
from goop2.services.backup.limits import RESTART_FIRST_SECONDS, RESTART_MAX_SECONDS, STANDBY_LOOK_SECONDS, STOP_SECONDS
from goop2.services.backup.program import BackupError, complaint, environment_for, find
from goop2.services.backup.terms import Place
from goop2.storage import restore
from goop2.storage.backup_archive import open_archive
from goop2.storage.errors import StorageError

FOLDER: Final = ".standby"
STATE: Final = f"{FOLDER}/state"
LOCK: Final = f"{FOLDER}/lock"
_STATE_MAX_BYTES: Final = 64 * 1024
_STOP_LOOK_SECONDS: Final = 0.1


class StandbyState(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a standby follows: the place of the backup, the term it has seen, and the peer's id and label."""

    place: str
    term: int
    peer: str
    label: str
    join: str = ""
    """The server on which the peer's lease is, "" for a standby that is promoted by hand alone."""


class Least(msgspec.Struct, frozen=True, kw_only=True):
    """What a standby must have before it may become the peer: what the lease says had arrived at the place."""

    term: int
    txid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """What a promotion has made of a standby."""

    label: str
    tables: int
    files: int
    fresh: bool
    """Whether it is what was at the place, and not what was followed before that was gone."""
    as_of: float
    """When the database was followed last, seconds since 1970; now when it is fresh."""


def prepare(folder: Path, source: str, environment: Mapping[str, str] = os.environ, *, join: str = "") -> StandbyState:
    """Make `folder` a standby of the backup at `source`; a standby already goes on with that. Raises `BackupError`.

    `join`: the server on which the lease is by which it becomes the peer by itself.
    """
    known = _state(folder)
    if known is not None and known.place != source:
        raise BackupError(f"{shown(folder)} is a standby of {known.place}: name another folder, or remove it")
    others = {each.name for each in folder.iterdir()} - {FOLDER, "data"} if folder.is_dir() else set()
    if others:
        raise BackupError(f"{shown(folder)} is not empty, and a standby takes a folder of its own: name a new one")
    place = Place(find(environment), parse_place(source), environment)
    term = place.newest(known.term if known is not None else 0)
    if not term:
        raise BackupError(f"there is no backup at {source}")
    notes = place.notes(term)
    state = StandbyState(place=source, term=term, peer=notes.get(terms.PEER, ""), label=notes.get(terms.LABEL, ""), join=join)
    (folder / FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_whole(folder / STATE, msgspec.json.encode(state))
    return state


async def follow(folder: Path, state: StandbyState, say: Callable[[str], None], environment: Mapping[str, str] = os.environ) -> None:
    """Follow the place until cancelled; `say` gets a sentence for each trouble, and "" when it is over."""
    with locked(folder):
        await asyncio.gather(*(_follow_stream(folder, state, stream, say, environment) for stream in STREAMS))


async def _follow_stream(
    folder: Path, state: StandbyState, stream: str, say: Callable[[str], None], environment: Mapping[str, str]
) -> None:
    pause, told = RESTART_FIRST_SECONDS, ""
    while True:
        began = time.monotonic()
        try:
            why = await _follow_once(folder, state, stream, environment)
        except (BackupError, OSError) as error:
            why = str(error)
        if time.monotonic() - began > RESTART_MAX_SECONDS:
            pause, told = RESTART_FIRST_SECONDS, ""
        if why != told:
            say(f"{why}; it is tried again, and what was followed until now stays")
            told = why
        await asyncio.sleep(pause)
        pause = min(2 * pause, RESTART_MAX_SECONDS)


async def _follow_once(folder: Path, state: StandbyState, stream: str, environment: Mapping[str, str]) -> str:
    """Follow one database until Litestream ends; return why it has. What is followed takes the older one's place when it is whole."""
    place = Place(await asyncio.to_thread(find, environment), parse_place(state.place), environment)
    home = folder / FOLDER
    with tempfile.TemporaryDirectory(prefix="goop2-backup-") as temporary:
        new = home / f"new-{stream}.db"
        # What an earlier attempt has left may be half a database: it begins anew, beside the one that is whole.
        for old in home.glob(f"{new.name}*"):
            old.unlink()
        command = place.follow(state.term, stream, new, Path(temporary) / "litestream.json", every=1)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "goop2.services.backup.child", str(os.getpid()), *command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment_for(environment),
            start_new_session=True,
        )
        try:
            reading = asyncio.create_task(_last_line(process))
            while process.returncode is None and not reading.done():
                # Litestream writes this file when the first copy is complete; before, what was followed earlier is the better one.
                if (home / f"{new.name}-txid").exists():
                    _put_in_place(home, new, stream)
                await asyncio.wait({reading}, timeout=STANDBY_LOOK_SECONDS)
            return complaint(await reading)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STOP_SECONDS):
                        await process.wait()


def _put_in_place(home: Path, new: Path, stream: str) -> None:
    """Let the newest name of what is followed lead to `new`; Litestream goes on with the file it has open."""
    named = home / f"{stream}.db"
    if named.exists() and named.samefile(new):
        return
    named.unlink(missing_ok=True)
    # A second name and no move: Litestream has the file open under its own.
    os.link(new, named)


async def _last_line(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    last = b""
    while line := await process.stderr.readline():
        last = line
    await process.wait()
    return last.decode("utf-8", "replace")


def state_of(folder: Path) -> StandbyState:
    """Return what the standby in `folder` follows. Raises `BackupError` where there is none."""
    state = _state(folder)
    if state is None:
        raise BackupError(f'{shown(folder)} is no standby: "goop2 standby {shown(folder)} --from URL" makes one')
    return state


def own_writer(folder: Path) -> str:
    """Return the name of `folder` among those that write to places of backups, and keep it. Raises OSError."""
    state = states.load(folder)
    states.save(folder, state)
    return state.writer


def followed(folder: Path) -> int:
    """Return the number of the last transaction that was followed, 0 before the first."""
    with contextlib.suppress(OSError, ValueError):
        return int((folder / FOLDER / f"new-{DATA}.db-txid").read_text("ascii").strip(), 16)
    return 0


def promote(
    folder: Path,
    environment: Mapping[str, str] = os.environ,
    *,
    least: Least | None = None,
    changes: Mapping[str, object] = MappingProxyType({}),
    may_begin: Callable[[int], None] = lambda _term: None,
) -> Promoted:
    """Make a peer of the standby in `folder`, and the writer at its place. Raises `BackupError` and OSError; it is a standby still then.

    `least`: what it must have. `changes`: of its goop.json. `may_begin` is given the term that begins, before it does, and may raise.
    """
    state = state_of(folder)
    stop_following(folder)
    with locked(folder), tempfile.TemporaryDirectory(prefix="new.", dir=folder / FOLDER) as temporary:
        new = Path(temporary)
        fresh = _collect(folder, new, state, environment, least)
        as_of = time.time() if fresh else (folder / FOLDER / f"{DATA}.db").stat().st_mtime
        whole = new / "folder"
        whole.mkdir()
        try:
            with open_archive(new / f"{FILES}.db", read_only=True) as archive:
                count = files.unpack(archive, whole)
            tables = restore.restore(whole, new / f"{DATA}.db", lambda _done, _all: None).tables
        except StorageError as error:
            raise BackupError(str(error)) from None
        # Settings that cannot be read would make a peer that does not start: better a standby that stays one, and says so.
        load(whole, {})
        editing.save(whole, {"backup.to": state.place, **changes}, editing.show(whole).version, {})
        may_begin(state.term + 1)
        # Before the files are in their place: a peer that starts here finds that it is the writer of the next term.
        service.begin_own_term(folder, state.place, state.term + 1)
        _move(whole, folder)
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    return Promoted(label=state.label, tables=tables, files=count, fresh=fresh, as_of=as_of)


def _collect(folder: Path, new: Path, state: StandbyState, environment: Mapping[str, str], least: Least | None) -> bool:
    """Put both databases into `new`: what is at the place now, or what was followed when it cannot be reached; return which."""
    place = Place(find(environment), parse_place(state.place), environment)
    try:
        newest = place.newest(state.term)
        if newest > state.term:
            notes = place.notes(newest)
            who = f"{notes.get(terms.LABEL, '')} on the machine {notes.get(terms.HOST, '')}".strip()
            raise StandbyPassedError(f"{who} has taken the place over already, in the term {newest}: this standby is behind, make it anew")
        # Emptied, or another place by now: what was followed is all there is.
        if not place.exists(state.term):
            raise BackupError("the place is empty")
        if least is not None:
            _check_not_older(state.place, state.term, place.position(state.term), least)
        for stream in STREAMS:
            place.fetch(state.term, stream, new / f"{stream}.db")
    # Not by what was followed: another folder is the peer now, and this one would be a second.
    except (StandbyPassedError, OlderBackupError):
        raise
    except BackupError:
        if least is not None:
            _check_not_older("this standby", state.term, followed(folder), least)
        for stream in STREAMS:
            copy = folder / FOLDER / f"{stream}.db"
            if not copy.exists():
                raise
            shutil.copyfile(copy, new / f"{stream}.db")
        return False
    return True


def _check_not_older(where: str, term: int, txid: int, least: Least) -> None:
    """Raise `OlderBackupError` where something had arrived that is not there."""
    if term < least.term or (term == least.term and txid < least.txid):
        raise OlderBackupError(
            f"what is at {where} is older (term {term}, transaction {txid}) than what the lease says was copied (term {least.term}, "
            f'transaction {least.txid}), and rows would be lost: bring the place back, or "goop2 standby promote DIR --older" loses them'
        )


class OlderBackupError(BackupError):
    """What can be had is older than what had been copied."""


class StandbyPassedError(BackupError):
    """Another folder writes at the place since this standby began."""


def _move(whole: Path, folder: Path) -> None:
    """Put what was restored beside the key that is there; goop.json, which makes it a peer, comes last."""
    for name in sorted((each.name for each in whole.iterdir()), key=lambda name: name == files.SETTINGS):
        target = folder / name
        if name == files.DATA and target.exists():
            for each in (whole / name).iterdir():
                each.replace(target / each.name)
        else:
            (whole / name).replace(target)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a standby, with our process number in it. Raises `BackupError` when another process has it."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"a standby runs in {shown(folder)} already") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def stop_following(folder: Path) -> None:
    """End the process that follows in `folder`, if there is one. Raises `BackupError`."""
    ends = time.monotonic() + 2 * STOP_SECONDS
    told = False
    while time.monotonic() < ends:
        try:
            with locked(folder):
                return
        except BackupError:
            # Who holds the lock has written its process number there.
            holder = (folder / LOCK).read_text().strip()
            if holder.isdigit() and not told:
                told = True
                os.kill(int(holder), signal.SIGTERM)
        time.sleep(_STOP_LOOK_SECONDS)
    raise BackupError(f"the standby that runs in {shown(folder)} does not end: end it first")


def _state(folder: Path) -> StandbyState | None:
    with contextlib.suppress(OSError, InvalidJsonError):
        return decode(read_regular(folder / STATE, folder, _STATE_MAX_BYTES), StandbyState)
    return None
