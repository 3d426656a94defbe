"""The scripts of a peer: files → compiled, annotated scripts, always the last good version.

    SourceFolder.read ──► Snapshot ──► _apply: what is gone goes, what is new is compiled ──► _settle: found, told, logged

Reading is quick and done for all files together. Compiling is slow (in a worker, under a deadline of its own) and done for each file
separately, so a file that takes two seconds to compile delays neither another file nor a deletion. A verdict that arrives after its file
has changed again is dropped. It must not know how sources are compiled, who calls scripts, nor what a run is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import structlog

from goop2.folder import threads
from goop2.sandbox.messages import BUILTIN, GROUP_CLOSE, HANDLE, SCHEDULE
from goop2.scripting.annotations import Annotations
from goop2.scripting.compile_groups import together
from goop2.scripting.handle_scan import HANDLE as HANDLE_NAME
from goop2.scripting.handle_scan import ON_GROUP_CLOSE, defines
from goop2.scripting.limits import COMPILE_TOGETHER_FROM, COMPILES_AT_ONCE, EMPTY_HELD_SECONDS
from goop2.scripting.printable import printable
from goop2.scripting.source_files import Kind, Snapshot, SourceFile, SourceFolder
from goop2.scripting.subscribers import Subscribers
from goop2.scripting.watch import watch_folders

__all__ = [
    "BrokenScript",
    "Catalog",
    "CatalogChange",
    "Compile",
    "CompileUnavailableError",
    "Kind",
    "Script",
    "ScriptEntry",
    "ScriptProblem",
]

Compile = Callable[[str, bytes], Awaitable[str]]
"""Name and source → "" or the compiler's message (`hello:3: …`). May raise `CompileUnavailableError`."""

CompileMany = Callable[[Sequence[tuple[str, bytes]]], Awaitable[list[str] | None]]
"""Names and sources → as `Compile`, for each; None when it is not known of all: then each is to be asked about."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.scripting")

_FAULT_MAX_CHARS = 500


class CompileUnavailableError(Exception):
    """Nobody could say whether a source compiles. That is our fault, or the machine's, not the script's; it is tried again later."""


class Script(msgspec.Struct, frozen=True, gc=False):
    """A version of a script that compiles. An invocation ends with the version with which it began."""

    kind: Kind
    name: str
    path: str
    """Relative to the peer folder, with `/`, as shown to people."""
    source: bytes
    version: bytes
    """Digest of kind, name and source, 16 bytes."""
    annotations: Annotations
    builtin: bool = False
    """Ours, for sites that have no script of that name; it has an operation of the peer of its own."""
    of_function: bool = False
    """A command that is the `handle` of a data function's file."""

    event: Literal["", "group_close", "schedule", "test"] = ""
    """The event for which a data function is called, by an entry of its own that no caller reaches; `test` for a file of tests."""

    @property
    def invoked_as(self) -> str:
        """Return the kind of its `Invoke`."""
        if self.event:
            return self.event
        return BUILTIN if self.builtin else HANDLE if self.of_function else self.kind

    @property
    def file(self) -> str:
        """Return what rates are counted by: the kind of its file, and its name."""
        return f"{'function' if self.of_function else self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class ScriptProblem:
    """Why the newest file does not run."""

    line: int | None
    """None when no line is to blame: the file is too large, not UTF-8, cannot be read."""
    message: str

    def located(self, name: str) -> str:
        """Return the message with script and line in front, as a caller sees it: `hello:3: unexpected symbol near 'x'`."""
        return self.message if self.line is None else f"{name}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class BrokenScript:
    """A script none of whose versions compiled since the peer started."""

    kind: Kind
    name: str
    path: str
    fault: ScriptProblem

    @property
    def line(self) -> int | None:
        """Return the line of the fault, or None if it has none."""
        return self.fault.line

    @property
    def message(self) -> str:
        """Return what a caller is told: `hello:3: unexpected symbol near 'x'`."""
        return self.fault.located(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptEntry:
    """A script in a list of scripts."""

    kind: Kind
    name: str
    path: str
    description: str
    """Of the version that runs; of the file when none does."""
    rate_limit: int | None
    schedule: str
    """When it runs by itself, as its file says it; "" when it does not."""
    state: Literal["ok", "broken"]
    """Of the newest file."""
    fault: ScriptProblem | None
    """What is wrong with the newest file; None when its state is ok."""
    warnings: tuple[str, ...]
    older_runs: bool
    """The newest file is broken, and an older good version answers."""


class CatalogChange(msgspec.Struct, frozen=True, gc=False):
    """A change of one script in the catalog."""

    what: Literal["loaded", "broken", "removed"]
    kind: Kind
    name: str
    path: str
    fault: ScriptProblem | None = None
    """Given with "broken"."""


@dataclass(slots=True)
class _CatalogRecord:
    """A file, and its state in the catalog."""

    file: SourceFile
    running: Script | None = None
    fault: ScriptProblem | None = None
    compiling: bytes | None = None
    """The version being compiled now."""
    undecided: bool = True
    """The file's version has no verdict yet."""

    held: asyncio.TimerHandle | None = None
    """When the empty file is judged."""

    def cancel_hold(self) -> None:
        """Stop treating the file as an empty one: it has changed."""
        if self.held is not None:
            self.held.cancel()
            self.held = self.compiling = None

    def awaits(self, version: bytes) -> bool:
        """Return whether there is a verdict about `version`, or one is being found."""
        return self.file.version == version and (self.compiling == version or not self.undecided)


class Catalog:
    """The commands and functions of the peer folder `folder`, read from its `script_dir`.

    Empty until `scan` or `watch` has run. To be used from one event loop.
    """

    def __init__(
        self,
        folder: Path,
        script_dir: Path,
        compile: Compile,
        *,
        builtins: Iterable[Script] = (),
        homes: Sequence[Path] = (),
        compile_many: CompileMany | None = None,
    ) -> None:
        """Remember where scripts are; nothing is read yet.

        `script_dir` is relative to `folder`. `compile(name, source)` answers "" or the compiler's message. `builtins` are scripts
        of ours, found where the site has none of their name. `homes`: folders outside of `folder` that its links may lead to.
        `compile_many` compiles several sources at once, or answers None when that was not possible.
        """
        self._builtins = {script.name: script for script in builtins}
        self._folder = SourceFolder(folder, script_dir, homes)
        self._compile = compile
        self._compile_many = compile_many
        self._to_compile: list[_CatalogRecord] = []
        self._snapshot = Snapshot({})
        self._placed: Snapshot | None = None
        """The snapshot `_folders` was made from."""
        self._folders: list[Path] = []
        self._linked = False
        self._entries: dict[str, _CatalogRecord] = {}
        self._found: dict[Kind, dict[str, Script | BrokenScript]] = {"command": {}, "function": {}, "library": {}}
        self._commands: tuple[tuple[str, str], ...] | None = ()
        """None when a script has changed since they were asked for."""
        self._handles: dict[str, Script] | None = {}
        """Lower-case name → the `handle` of a data function's file; None when a script has changed."""
        self._without_handle: set[bytes] = set()
        """Versions of functions that a run has shown to have no `handle`."""
        self._reading = asyncio.Lock()
        self._compilers = asyncio.Semaphore(COMPILES_AT_ONCE)
        self._compilations: set[asyncio.Task[None]] = set()
        self._watched = False
        self._subscribers: Subscribers[CatalogChange] = Subscribers()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what was ignored in the script folder and why. A script's own warnings stand in `listing`."""
        return self._snapshot.warnings

    def command(self, name: str) -> Script | BrokenScript | None:
        """Return the chat command `name`, in whatever case it is written: its own file, else a data function's that has a `handle`."""
        return self._found["command"].get(name.lower()) or self._handled().get(name.lower())

    def lacks_handle(self, script: Script) -> None:
        """Note that a run of a data function's file as a command has found no `handle` in it."""
        self._without_handle.add(script.version)
        self._commands = self._handles = None

    def _handled(self) -> dict[str, Script]:
        if self._handles is None:
            functions = [script for script in self._found["function"].values() if isinstance(script, Script)]
            self._without_handle &= {script.version for script in functions}
            having = [script for script in functions if script.version not in self._without_handle and defines(script.source, HANDLE_NAME)]
            self._handles = {script.name.lower(): msgspec.structs.replace(script, kind="command", of_function=True) for script in having}
        return self._handles

    def function(self, name: str) -> Script | BrokenScript | None:
        """Return the data function `name`; ours where the site has none."""
        return self._found["function"].get(name) or self._builtins.get(name)

    def library(self, name: str) -> Script | BrokenScript | None:
        """Return the shared code `name`, which scripts load by goop.use."""
        return self._found["library"].get(name)

    def commands(self) -> tuple[tuple[str, str], ...]:
        """Return names and descriptions of the chat commands that answer, by name; of data functions with a `handle` too."""
        if self._commands is None:
            scripts = {**self._handled(), **self._found["command"]}.values()
            named = ((script.name, script.annotations.description) for script in scripts if isinstance(script, Script))
            self._commands = tuple(sorted(named))
        return self._commands

    def listeners(self, event: Literal["group_close", "schedule"]) -> list[Script]:
        """Return the data functions that have an entry for this event, by name."""
        functions = (script for script in self._found["function"].values() if isinstance(script, Script))
        wanting = [msgspec.structs.replace(script, event=event) for script in functions if _LISTENS[event](script)]
        return sorted(wanting, key=lambda script: script.name)

    def listing(self) -> list[ScriptEntry]:
        """Return every script, broken or not: commands first, each kind by name."""
        entries = [entry for entry in self._entries.values() if entry.running or entry.fault]
        return sorted(map(_listed, entries), key=lambda listed: (listed.kind, listed.name))

    def subscribe(self, callback: Callable[[CatalogChange], None]) -> Callable[[], None]:
        """Call `callback` with every change from now on; return the function that unsubscribes."""
        return self._subscribers.add(callback)

    async def scan(self, compiler: asyncio.Future[Any] | None = None) -> None:
        """Bring everything up to date: when it returns, every file has its verdict.

        Reading needs no compiler: one that is still starting is awaited after it. Raises what `compiler` does.
        """
        await self._refresh(compiler)
        while self._compilations:
            await asyncio.wait(self._compilations)

    async def watch(self, stop: asyncio.Event) -> None:
        """Keep everything up to date until `stop` is set; it scans at the start itself."""
        self._watched = True
        try:
            await watch_folders(self._places, self._refresh, stop, self._is_settled)
        finally:
            for compilation in self._compilations:
                compilation.cancel()

    def _is_settled(self) -> bool:
        """Return whether the next reading of the folder is the same unless something changes in its places."""
        if self._linked or self._snapshot.warnings or self._compilations:
            return False
        return not any(entry.undecided for entry in self._entries.values())

    def _places(self) -> list[Path]:
        """Return the folders to watch; asked again and again, and made anew only when the snapshot is another."""
        if self._placed is not self._snapshot:
            # Links are followed once a snapshot, not at each of the looks, which come several times a second.
            self._placed, self._folders = self._snapshot, self._folder.places(self._snapshot)
            self._linked = self._folder.has_links(self._folders)
        return self._folders

    async def _refresh(self, compiler: asyncio.Future[Any] | None = None) -> None:
        """Read the folder, drop missing scripts, and have new ones compiled, without waiting for that."""
        async with self._reading:
            snapshot = await threads.WATCH.run(self._folder.read, self._snapshot)
            if compiler is not None:
                await compiler
            self._apply(snapshot)

    def _apply(self, snapshot: Snapshot) -> None:
        for warning in snapshot.warnings:
            if warning not in self._snapshot.warnings:
                _log.warning("script folder", warning=warning)
        self._snapshot = snapshot
        for path in self._entries.keys() - snapshot.files.keys():
            self._remove(path)
        for file in snapshot.files.values():
            self._update(file)
        waiting, self._to_compile = self._to_compile, []
        if self._compile_many is None or len(waiting) < COMPILE_TOGETHER_FROM:
            for entry in waiting:
                self._start(self._compile_file(entry, entry.file))
        else:
            for group in together(waiting, lambda entry: len(entry.file.source)):
                self._start(self._compile_group(self._compile_many, [(entry, entry.file) for entry in group]))

    def _remove(self, path: str) -> None:
        file = self._entries.pop(path).file
        self._index(file, None)
        _log.info("script removed", kind=file.kind, script=file.name, path=path)
        self._notify(CatalogChange("removed", file.kind, file.name, path))

    def _update(self, file: SourceFile) -> None:
        entry = self._entries.setdefault(file.path, _CatalogRecord(file))
        # The same version as before: compiled already, or on its way.
        known = entry.awaits(file.version)
        entry.file = file
        if known:
            return
        entry.undecided = True
        entry.cancel_hold()
        if file.is_empty and self._watched:
            self._hold(entry, file)
        elif file.problem:
            self._settle(entry, ScriptProblem(None, file.problem))
        elif entry.running is not None and entry.running.version == file.version:
            self._settle(entry, None)
        else:
            entry.compiling = file.version
            self._to_compile.append(entry)

    def _hold(self, entry: _CatalogRecord, file: SourceFile) -> None:
        """Judge an empty file later: some programs empty a file when they begin to save it, and write it a moment later."""
        entry.compiling = file.version

        def judge() -> None:
            if not self._overtaken(entry, file):
                entry.running = entry.compiling = entry.held = None
                self._settle(entry, ScriptProblem(None, file.problem))

        entry.held = asyncio.get_running_loop().call_later(EMPTY_HELD_SECONDS, judge)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        compilation = asyncio.create_task(work)
        self._compilations.add(compilation)
        compilation.add_done_callback(self._compilations.discard)

    async def _compile_group(self, compile_many: CompileMany, group: Sequence[tuple[_CatalogRecord, SourceFile]]) -> None:
        messages = None
        try:
            async with self._compilers:
                messages = await compile_many([(file.name, file.source) for _, file in group])
        except Exception:
            _log.exception("compiling failed", path=group[0][1].path)
        if messages is None:  # one of them may be to blame: each for itself
            for entry, file in group:
                self._start(self._compile_file(entry, file))
            return
        log = _log.bind()  # once for them all
        for (entry, file), message in zip(group, messages, strict=True):
            if entry.compiling == file.version:
                entry.compiling = None
            self._decide(entry, file, message, log)

    async def _compile_file(self, entry: _CatalogRecord, file: SourceFile) -> None:
        try:
            async with self._compilers:
                message = await self._compile(file.name, file.source)
        except CompileUnavailableError as error:
            self._postpone(entry, file, error)
        except Exception:
            _log.exception("compiling failed", path=file.path)
            self._postpone(entry, file, CompileUnavailableError("an error of ours, see the log"))
        else:
            self._decide(entry, file, message)
        finally:
            if entry.compiling == file.version:
                entry.compiling = None

    def _overtaken(self, entry: _CatalogRecord, file: SourceFile) -> bool:
        """Return whether the file has changed, or gone, since this version of it was read."""
        return self._entries.get(file.path) is not entry or entry.file.version != file.version

    def _decide(self, entry: _CatalogRecord, file: SourceFile, message: str, log: structlog.typing.FilteringBoundLogger = _log) -> None:
        # The file changed while its old version was compiled: that verdict is about a text nobody has any more.
        if self._overtaken(entry, file):
            return
        if not message:
            entry.running = Script(file.kind, file.name, file.path, file.source, file.version, file.annotations)
        self._settle(entry, _fault(file.name, message) if message else None, log)

    def _postpone(self, entry: _CatalogRecord, file: SourceFile, error: CompileUnavailableError) -> None:
        """Leave things as they are, report that, and try again at the next look."""
        if self._overtaken(entry, file):
            return
        fault = ScriptProblem(None, f"{Path(file.path).name} could not be compiled: {error}; it is tried again in a few seconds")
        if fault != entry.fault:
            self._settle(entry, fault)
        entry.undecided = True

    def _settle(self, entry: _CatalogRecord, fault: ScriptProblem | None, log: structlog.typing.FilteringBoundLogger = _log) -> None:
        """Record the verdict about the file of `entry`: `fault`, or None when it runs; notify subscribers."""
        was_broken = entry.fault is not None
        entry.fault, entry.undecided = fault, False
        self._index(entry.file, _answer(entry))
        file = entry.file
        for warning in file.annotations.warnings:
            log.warning("script annotation", warning=warning)
        if fault is None:
            if was_broken:
                log.info("script repaired", kind=file.kind, script=file.name, path=file.path)
            else:
                log.info("script loaded", kind=file.kind, script=file.name, path=file.path)
            self._notify(CatalogChange("loaded", file.kind, file.name, file.path))
        else:
            log.error("script broken", path=file.path, line=fault.line, message=fault.message, older_runs=entry.running is not None)
            self._notify(CatalogChange("broken", file.kind, file.name, file.path, fault))

    def _index(self, file: SourceFile, answer: Script | BrokenScript | None) -> None:
        """Have look-ups of the script of `file` find `answer`. No two files are of one kind and name."""
        if answer is None:
            self._found[file.kind].pop(file.name, None)
        else:
            self._found[file.kind][file.name] = answer
        self._commands = self._handles = None

    def _notify(self, change: CatalogChange) -> None:
        if self._subscribers:
            self._subscribers.notify(change)


_LISTENS: dict[str, Callable[[Script], bool]] = {
    GROUP_CLOSE: lambda script: defines(script.source, ON_GROUP_CLOSE),
    SCHEDULE: lambda script: script.annotations.schedule is not None,
}


def _answer(entry: _CatalogRecord) -> Script | BrokenScript | None:
    """Return what a look-up finds; None while the first verdict is awaited."""
    if entry.running is not None or entry.fault is None:
        return entry.running
    return BrokenScript(entry.file.kind, entry.file.name, entry.file.path, entry.fault)


def _listed(entry: _CatalogRecord) -> ScriptEntry:
    file, fault = entry.file, entry.fault
    annotations = entry.running.annotations if entry.running is not None else file.annotations
    return ScriptEntry(
        kind=file.kind,
        name=file.name,
        path=file.path,
        description=annotations.description,
        rate_limit=annotations.rate_limit,
        schedule=annotations.schedule.text if annotations.schedule else "",
        state="ok" if fault is None else "broken",
        fault=fault,
        warnings=file.annotations.warnings,
        older_runs=fault is not None and entry.running is not None,
    )


def _fault(name: str, message: str) -> ScriptProblem:
    """Return the compiler's message with its line apart."""
    match = re.fullmatch(rf"{re.escape(name)}:(\d{{1,9}}): (.*)", message, re.DOTALL)
    line, text = (int(match[1]), match[2]) if match else (None, message)
    return ScriptProblem(line, printable(text, _FAULT_MAX_CHARS))
