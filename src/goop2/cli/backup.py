"""`goop2 backup` and `goop2 restore`: copy a peer to the place that its settings name, test that, and bring it back."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from goop2.cli import logs, output, session
from goop2.cli.errors import CommandError
from goop2.cli.main import EXIT_FAULT, EXIT_OK
from goop2.cli.options import FOLDER, folder_argument, json_option

if TYPE_CHECKING:
    from goop2.config import Settings
    from goop2.services.backup.state import CheckResult
    from goop2.services.backup.terms import Place

COPY_SECONDS: Final = 180.0
"""For the running peer's answer: a first copy of everything may be on its way."""
NICE: Final = 10
"""A test runs once a day beside a peer that has visitors."""
PASSPHRASE_MIN_CHARS: Final = 8


@click.command("backup")
@folder_argument
@click.option("--check", "checking", is_flag=True, help="Restore it into a temporary folder, check it, start it.")
@click.option("--take-over", is_flag=True, help="Go on at a place where another folder made its backup.")
@click.option("--identity", "target", metavar="FILE", type=click.Path(path_type=Path), help="Write the peer's key alone.")
@click.option("--encrypt", is_flag=True, help="With --identity: ask for a passphrase (or read a line of stdin).")
@json_option
def backup(folder: Path, checking: bool, take_over: bool, target: Path | None, encrypt: bool, as_json: bool) -> int:
    """Copy the peer in DIR to the place of its backup, now.

    The place is "backup.to" in goop.json, and a running peer copies to it all the time, with the program Litestream. This waits until
    everything has arrived. With --check the backup is restored beside it, and what was restored is started. The peer's key is never in
    the backup: without it a restored peer has another id, so write it once with --identity, and keep that file elsewhere.
    """
    if sum((checking, take_over, target is not None)) > 1:
        raise CommandError("--check, --take-over and --identity are three different things: give one of them")
    if encrypt and target is None:
        raise CommandError("--encrypt is for --identity FILE: the backup itself is encrypted by its place, or not at all")
    settings = session.settings_of(folder)
    if target is not None:
        return _write_identity(folder, settings, target, encrypt, as_json=as_json)
    if not settings.backup.to:
        example = '"backup": {"to": "file:///backup/blog"}'
        raise CommandError(
            f'no place is named: set {example} in {folder / "goop.json"}; "goop2 data {folder} backup FILE" copies the database alone'
        )
    if checking:
        return _check(folder, settings, as_json=as_json)
    return session.run(_copy(folder, settings, take_over, as_json=as_json))


@click.command("restore")
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--from", "source", metavar="URL", required=True, help="The place of the backup, as in backup.to.")
@click.option("--identity", "key", metavar="FILE", type=click.Path(path_type=Path), help='The peer\'s key, of "goop2 backup --identity".')
@json_option
def restore(folder: Path, source: str, key: Path | None, as_json: bool) -> int:
    """Bring a peer back from its backup, into the new folder DIR.

    Says first what the backup has not. The database is checked, and DIR is there whole or not at all. Without --identity the peer gets a
    new id when it starts. The folder does not write to the place it came from before "goop2 backup DIR --take-over".
    """
    from goop2.config.replica_place import PlaceError, parse_place
    from goop2.config.types import backup_place
    from goop2.services.backup import terms
    from goop2.services.backup.program import BackupError, find
    from goop2.services.backup.restoring import check_empty
    from goop2.services.backup.terms import Place

    try:
        at = parse_place(source)
    except PlaceError:
        raise CommandError(f"--from is {source!r}; allowed is {backup_place().allowed}") from None
    check_empty(folder)
    place = Place(find(), at)
    term = place.newest()
    if not term:
        raise BackupError(f"there is no backup at {source}")
    notes = place.notes(term)
    content = read_key(key) if key is not None else None
    for sentence in _missing(notes, key):
        output.note(sentence)
    result = _restore(folder, place, term, content, notes.get(terms.PEER, ""))
    if as_json:
        output.answer_json({"ok": True, **result})
        return EXIT_OK
    output.answer(f"restored  {result['label'] or result['peer']}: {result['files']} files, {result['tables']} tables, into {folder}")
    name = shlex.quote(str(folder))
    output.note(f'next: "goop2 peer {name}"; "goop2 backup {name} --take-over" first, if the backup is to go on from here')
    return EXIT_OK


def _missing(notes: dict[str, str], key: Path | None) -> list[str]:
    """Return a sentence for each thing that the backup has not."""
    import goop2
    from goop2.services.backup import terms

    sentences = [
        f"this is the backup of {notes.get(terms.LABEL) or notes.get(terms.PEER)}, made on {notes.get(terms.HOST, 'some machine')}"
    ]
    if key is None:
        sentences.append("missing: the peer's key, which is never in a backup; without --identity the restored peer gets a new id")
    sentences += [f"missing: {line}" for line in notes.get(terms.LEFT_OUT, "").splitlines()]
    sentences.append("missing: the history of runs (data/runs.db), and what lies outside of the peer folder")
    if (made := notes.get(terms.VERSION, "")) != goop2.__version__:
        sentences.append(f"made by goop2 {made}, restored by goop2 {goop2.__version__}")
    return sentences


def _restore(folder: Path, place: Place, term: int, key: bytes | None, peer: str) -> dict[str, object]:
    """Restore beside `folder`, then put the whole there."""
    import shutil

    from goop2.config import load
    from goop2.services.backup import terms
    from goop2.services.backup.identity_copy import put_in_place
    from goop2.services.backup.program import BackupError
    from goop2.services.backup.restoring import restore_into

    target = folder.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        restored = restore_into(new, place, term)
        settings = load(new, {}).settings
        if key is not None:
            identity = put_in_place(new, settings.identity.key_file, key)
            if peer and identity.peer_id != peer:
                raise BackupError(f"the key is that of {identity.peer_id}, and the backup that of {peer}: name the key of this peer")
        new.chmod(0o755)
        new.replace(target)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return {
        "peer": peer,
        "label": restored.notes.get(terms.LABEL, ""),
        "files": restored.files,
        "tables": restored.tables,
        "identity": key is not None,
        "folder": str(folder),
    }


def read_key(source: Path) -> bytes:
    """Return the key in a copy, for which the passphrase is asked when it needs one."""
    from goop2.services.backup.identity_copy import is_sealed, read_copy

    return read_copy(source, _passphrase(confirm=False) if is_sealed(source) else None)


def _passphrase(*, confirm: bool) -> str:
    """Return the passphrase, typed at the terminal or as the first line of stdin; never an argument, which others could read."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    passphrase: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return passphrase


def _write_identity(folder: Path, settings: Settings, target: Path, encrypt: bool, *, as_json: bool) -> int:
    from goop2.services.backup.identity_copy import write_copy

    passphrase = _passphrase(confirm=True) if encrypt else None
    if passphrase is not None and len(passphrase) < PASSPHRASE_MIN_CHARS:
        raise CommandError(f"the passphrase has {len(passphrase)} characters: take at least {PASSPHRASE_MIN_CHARS}")
    peer = write_copy(folder, settings.identity.key_file, target, passphrase)
    if as_json:
        output.answer_json({"ok": True, "id": peer, "file": str(target), "encrypted": encrypt})
        return EXIT_OK
    output.answer(f"made  {target}")
    output.note("whoever has this file is this peer" + (", with the passphrase" if encrypt else "") + ": keep it apart from the backup")
    return EXIT_OK


async def _copy(folder: Path, settings: Settings, take_over: bool, *, as_json: bool) -> int:
    """Copy now, by the running peer or in its place."""
    from goop2.control_socket import ControlError, ask
    from goop2.folder.identity import load_or_create
    from goop2.services.backup import service
    from goop2.services.backup.once import copy_once
    from goop2.services.backup.program import BackupError

    try:
        answer = await ask(folder, "backup", {"take_over": take_over}, COPY_SECONDS)
    except ControlError as error:
        raise BackupError(str(error)) from None
    except TimeoutError:
        raise BackupError(f"the running peer has not copied everything within {COPY_SECONDS:g} s; it goes on with it") from None
    if answer is None:
        with await session.own(folder, passing=True):
            if take_over:
                await asyncio.to_thread(service.begin_next_term, folder, settings.backup.to)
            peer = load_or_create(folder, settings.identity.key_file).peer_id
            left_out = await asyncio.to_thread(copy_once, folder, settings, peer)
        answer = {"place": settings.backup.to, "copied_at": time.time(), "left_out": left_out}
    if as_json:
        output.answer_json({**answer, "ok": True})
        return EXIT_OK
    output.answer(f"copied  to {answer['place']}")
    left = answer["left_out"]
    for each in left if isinstance(left, list) else ():
        output.warn(f"not copied: {each}")
    return EXIT_OK


def _check(folder: Path, settings: Settings, *, as_json: bool) -> int:
    """Test whether the backup can be restored, remember the result, and print it."""
    from goop2.services.backup import state

    os.nice(NICE)
    with tempfile.TemporaryDirectory(prefix="goop2-check-") as place:
        result = session.run(_checked(folder, settings, Path(place)))
    state.save_check(folder, result)
    if as_json:
        output.answer_json({"ok": not result.problem, **{name: getattr(result, name) for name in result.__struct_fields__}})
    elif result.problem:
        output.fail(result.problem)
    else:
        output.answer(f"restored, checked and started: {result.rows} rows, in {result.seconds:.1f} s")
    return EXIT_FAULT if result.problem else EXIT_OK


async def _checked(folder: Path, settings: Settings, restored: Path) -> CheckResult:
    from goop2.config.replica_place import parse_place
    from goop2.services.backup.program import BackupError, find
    from goop2.services.backup.restoring import restore_into
    from goop2.services.backup.state import CheckResult
    from goop2.services.backup.terms import Place

    began = time.time()
    rows, problem = 0, ""
    try:
        place = Place(find(), parse_place(settings.backup.to))
        term = await asyncio.to_thread(place.newest)
        if not term:
            raise BackupError(f"there is no backup at {settings.backup.to}")
        await asyncio.to_thread(restore_into, restored, place, term)
        rows = await _started(restored)
    except Exception as error:  # whatever it is, the backup is not good
        problem = f"the backup at {settings.backup.to} was not restored: {error}"
    return CheckResult(at=began, problem=problem, seconds=time.time() - began, rows=rows)


async def _started(folder: Path) -> int:
    """Start the peer in a restored folder, without a network or pages; return how many rows its tables have."""
    from goop2.storage.owner_reader import open_reading

    logs.set_up()
    async with session.open_for(folder):
        pass
    with open_reading(folder) as reading:
        return sum(table.rows or 0 for table in reading.tables())
