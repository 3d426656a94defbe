"""Run the tests of a folder: each in a run of its own, with the limits of a call, and the database put back after it.

    tests/*_test.lua ──► names of its tests ──► for each: run, look what differed, put everything back

A file that loops, or does not compile, fails for itself; a test that loops is ended as a call is, and the next one begins.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from goop2.folder.regular_files import FileRefusedError, read_regular
from goop2.sandbox.messages import TEST
from goop2.scripting.annotations import NO_ANNOTATIONS
from goop2.scripting.catalog import Script
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.scripting.limits import SCRIPT_MAX_BYTES
from goop2.scripting.printable import printable
from goop2.scripting.run_texts import script_shown
from goop2.services.script_tests.folder_copy import TESTS, Rollback, copy_folder
from goop2.services.script_tests.limits import FILES_MAX, RUNS_SHOWN
from goop2.services.script_tests.report import RunNote, TestReport, TestResult
from goop2.storage.run_record import Run

if TYPE_CHECKING:
    from goop2.services.peer import Peer
    from goop2.services.script_tests.operations import TestOperations

_FILE: Final = re.compile(r"([A-Za-z0-9_-]+_test)\.lua")
_TEST_NAME_MAX_CHARS: Final = 200
_SHOWN_MAX_CHARS: Final = 300

DIFFERS: Final = "expected another value (-) than it got (+)"
"""What sandbox/testing.lua raises when it has told of a difference."""

OpenPeer = Callable[[Path, "TestOperations"], "AbstractAsyncContextManager[Peer]"]
"""Opens a peer in the copied folder, with these operations (app.py)."""


class NoTestsError(Exception):
    """There is nothing to run; the message is a sentence for the owner."""

    code = "not_found"
    owner_code = "folder"


class _TestFile(msgspec.Struct, frozen=True):
    """A file of tests in the folder of the scripts, read but not run."""

    path: str
    """As shown, inside the folder."""
    script: Script | None
    problem: str = ""
    """Why it cannot be read."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names by which it can be picked."""
        path = Path(self.path)
        return self.path, path.name, path.stem, path.stem.removesuffix("_test")


class Bench:
    """A copied folder with its peer, open for tests."""

    def __init__(self, peer: Peer, operations: TestOperations, rollback: Rollback, notes: list[str]) -> None:
        self._peer = peer
        self._operations = operations
        self._rollback = rollback
        self.notes = notes
        """What is odd about the folder."""

    async def results(self, folder: Path, wanted: str = "") -> AsyncIterator[TestResult]:
        """Yield what came of each test of `folder`; `wanted` picks a file or tests by name. Raises `NoTestsError`."""
        files = await asyncio.to_thread(lambda: list(_files(folder)))
        if not files:
            raise NoTestsError(
                f"{TESTS}/ in the peer folder has no file of tests: name one …_test.lua, or make one with goop2 new test NAME"
            )
        picked = [file for file in files if wanted in file.names]
        found = False
        for file in picked or files:
            async for result in self._of_file(file, "" if picked else wanted):
                found = True
                yield result
        if not found:
            raise NoTestsError(f"no test has {printable(wanted, _SHOWN_MAX_CHARS)!r} in its name, and no file is called so")

    async def _of_file(self, file: _TestFile, wanted: str) -> AsyncIterator[TestResult]:
        if file.script is None:
            yield TestResult(file=file.path, name="", ok=False, milliseconds=0.0, message=file.problem)
            return
        named = await self._run(file, file.script, "", b"")
        names = named[1]
        if names is None:
            yield named[0]
            return
        for place, name in enumerate(names, 1):
            if wanted in name:
                result, _ = await self._run(file, file.script, name, str(place).encode())
                yield result
        if not names and not wanted:
            yield TestResult(file=file.path, name="", ok=False, milliseconds=0.0, message='it has no test("name", function() … end)')

    async def _run(self, file: _TestFile, script: Script, name: str, argument: bytes) -> tuple[TestResult, list[str] | None]:
        """Run one test, or with no argument find the names of all; everything is put back afterwards."""
        peer, operations = self._peer, self._operations
        # Nothing of the test before: no set clock and no answers.
        operations.begin_test()
        peer.engine.forget_calls()
        runs: list[Run] = []
        own: list[Run] = []
        unsubscribe = peer.runs.subscribe(runs.append)
        begun = time.monotonic()
        try:
            outcome = await peer.engine.tested(peer.owner, script, argument, own.append)
        finally:
            unsubscribe()
            missing, difference = list(operations.network.missing), operations.difference
            operations.begin_test()
            await asyncio.to_thread(self._rollback.go_back)
        took = 1000 * (time.monotonic() - begun)
        # The calls that the test has made: their runs are shown where it fails.
        others = [run for run in runs if own and run.id != own[0].id]
        log = [f"{level}: {text}" for run in own for level, text in run.log]
        if not isinstance(outcome, Failure) and not missing:
            names = (
                [printable(each, _TEST_NAME_MAX_CHARS) for each in msgspec.json.decode(outcome, type=list[str])] if not argument else None
            )
            return TestResult(file=file.path, name=name, ok=True, milliseconds=took), names
        message, line, failed_difference = _why(script.name, outcome, missing), None, None
        if isinstance(outcome, Failure):
            line, failed_difference = outcome.line, difference if DIFFERS in outcome.message else None
        result = TestResult(
            file=file.path,
            name=name,
            ok=False,
            milliseconds=took,
            message=message,
            line=line,
            difference=failed_difference,
            traceback=own[0].traceback if own else "",
            runs=[_note(run, peer.owner.id) for run in others[:RUNS_SHOWN]],
            log=log,
        )
        return result, None


def _why(script: str, outcome: bytes | Failure, missing: list[str]) -> str:
    """Return what failed, without the place, which stands beside it."""
    unset = f"it asked for what nothing was set for: {', '.join(missing[:3])} (http.stub)" if missing else ""
    if not isinstance(outcome, Failure):
        return unset
    message = re.sub(rf"^{re.escape(script)}(?::\d+)?: ", "", outcome.message)
    if outcome.code is not ErrorCode.SCRIPT_ERROR:
        message = f"{outcome.code}: {message}"
    return f"{message}; {unset}" if unset else message


def _note(run: Run, owner: str) -> RunNote:
    def shown(text: bytes) -> str:
        return printable(text.decode("utf-8", "replace"), _SHOWN_MAX_CHARS)

    return RunNote(
        script=script_shown(run.kind, run.script),
        caller="the owner" if run.caller == owner else run.caller,
        status=str(run.status),
        message=run.message,
        milliseconds=run.milliseconds,
        argument=shown(run.argument),
        answer=shown(run.answer),
        calls=[f"{call.operation} {printable(call.detail, _SHOWN_MAX_CHARS)}".rstrip() for call in run.calls],
        log=[f"{level}: {text}" for level, text in run.log],
    )


def _files(folder: Path) -> Iterator[_TestFile]:
    place = folder / TESTS
    try:
        names = sorted(name for name in os.listdir(place) if _FILE.fullmatch(name))  # noqa: PTH208 - names alone
    except OSError:
        return
    for name in names[:FILES_MAX]:
        shown = f"{TESTS}/{name}"
        try:
            source = read_regular(place / name, folder, SCRIPT_MAX_BYTES)
            source.decode()
        except FileRefusedError as error:
            yield _TestFile(shown, None, f"it cannot be read: {error.strerror}")
        except OSError as error:
            yield _TestFile(shown, None, f"it cannot be read: {error.strerror or error}")
        except UnicodeDecodeError:
            yield _TestFile(shown, None, "it is not UTF-8")
        else:
            # Not the version of a function with the same text: a worker keeps what it compiled by its version.
            version = hashlib.blake2b(b"test\0" + name.encode() + b"\0" + source, digest_size=16).digest()
            yield _TestFile(shown, Script("function", name.removesuffix(".lua"), shown, source, version, NO_ANNOTATIONS, event=TEST))


@asynccontextmanager
async def open_bench(folder: Path, open_peer: OpenPeer) -> AsyncIterator[Bench]:
    """Copy `folder`, open a peer in the copy, and give both until the block is left; then the copy is gone. Raises `TestFolderError`."""
    with tempfile.TemporaryDirectory(prefix="goop2-test-", ignore_cleanup_errors=True) as name:
        copy = Path(name)
        notes = await asyncio.to_thread(copy_folder, folder, copy)
        from goop2.services.script_tests.operations import TestOperations  # with all of goop.http, which a peer at rest does not use

        operations = TestOperations()
        async with open_peer(copy, operations) as peer:
            operations.attach(peer)
            rollback = await asyncio.to_thread(Rollback, copy)
            try:
                yield Bench(peer, operations, rollback, notes)
            finally:
                rollback.close()


class TestDesk:
    """Runs the tests of a peer's folder for its owner, one run at a time."""

    __test__ = False

    def __init__(self, folder: Path, open_peer: OpenPeer) -> None:
        self._folder = folder
        self._open_peer = open_peer
        self._running = asyncio.Lock()

    async def run(self, wanted: str = "", seconds: float | None = None) -> TestReport:
        """Return what came of the tests; those beyond `seconds` are not run, and the report says so. Raises `NoTestsError`."""
        async with self._running:
            begun, results, notes = time.monotonic(), [], []
            async with open_bench(self._folder, self._open_peer) as bench:
                notes += bench.notes
                async for result in bench.results(self._folder, wanted):
                    results.append(result)
                    if seconds is not None and time.monotonic() - begun > seconds:
                        notes.append(f"not all tests were run: {seconds:.0f} seconds are over; goop2 lua test runs all")
                        break
            return TestReport(results=results, seconds=time.monotonic() - begun, notes=notes)
