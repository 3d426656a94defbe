"""A worker: one process that runs one invocation at a time, each in a fresh VM, behind the wall.

fork_server.py forks it. It confines itself before it reads a byte from the peer, builds the next VM while it is idle, and is killed from
outside at the deadline: nothing here has to stop a script.
"""

from __future__ import annotations

import mmap
import os
import socket
import time
from collections import deque
from pathlib import Path
from typing import NoReturn

import msgspec

from goop2.sandbox.confinement import (
    HOST_ALLOWANCE_BYTES,
    OOM_SCORE_WORKER,
    Ground,
    Wall,
    confine,
    file_limit,
    go_first_when_memory_ends,
    held_memory,
)
from goop2.sandbox.data_calls import QUEUE, DataCalls
from goop2.sandbox.framing import frame, to_worker
from goop2.sandbox.host_calls import HostCalls
from goop2.sandbox.messages import (
    UNKNOWN_VERSION,
    Compile,
    Compiled,
    DataAnswer,
    DataCall,
    Done,
    FromWorker,
    HostCallAnswer,
    Invoke,
    Lend,
    Ready,
    Setup,
    ToWorker,
)
from goop2.sandbox.syscalls import Descriptors
from goop2.sandbox.vm import CompileError, Flavour, VirtualMachine, VmResult
from goop2.storage import clock

RECEIVE_BYTES = 65536
COMPILED_BY_ONE_VM_BYTES = 64 * 1024
"""Sources compiled by one VM, one after the other: making one takes as long as compiling 5 KB, and a start may have 10,000 scripts."""
UNAVAILABLE = "unavailable"
"""The error class of what is nobody's mistake (engine.ErrorCode)."""
OK = "ok"
COMPILED_MAX = 128
"""Compiled scripts a worker keeps, oldest out first; it asks for a source again when it needs it."""
COMPILED_MAX_BYTES = 8 * 1024 * 1024
"""The same in bytes: 128 sources of a megabyte would leave no memory for a script."""
IDLE_MEMORY_MAX_BYTES = 48 * 1024 * 1024
"""Memory a worker may hold between two runs beyond what it started with, half of its allowance: SQLite's heap (32 MB), compiled
scripts, and what malloc keeps. One that holds more ends, so that the next script finds its whole limit and room for the host."""
RUNS_BETWEEN_LOOKS = 64
"""A look at the memory after a run that went well costs some microseconds: one run in so many has it, and each that failed."""


class Channel:
    """The worker's socket as messages; when the peer ends, the worker ends."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._reader = to_worker()
        self._waiting: deque[ToWorker] = deque()

    def send(self, message: FromWorker) -> None:
        """Send one whole message to the peer."""
        self._socket.sendall(frame(message))

    def receive(self) -> ToWorker:
        """Return the next message; exit the process when the peer is gone."""
        while not self._waiting:
            # Blocks: a worker has nothing to do until the peer asks.
            data = self._socket.recv(RECEIVE_BYTES)
            if not data:
                os._exit(0)
            self._waiting.extend(self._reader.feed(data))
        return self._waiting.popleft()

    def receive_answer(self) -> HostCallAnswer:
        """Return the answer to a host call just sent."""
        answer = self.receive()
        if not isinstance(answer, HostCallAnswer):
            os._exit(1)
        return answer


class CompiledScript(msgspec.Struct):
    """A script as one worker keeps it."""

    bytecode: bytes
    parts: tuple[bytes, ...] = ()
    """The parts of our own Lua code it asked for in its runs so far; the next one gets them at once."""


class Worker:
    """Runs what comes over `channel`."""

    def __init__(self, channel: Channel, flavour: Flavour, setup: Setup) -> None:
        self._channel = channel
        self._flavour = flavour
        self._memory_bytes = setup.memory_bytes
        self._this = (setup.self_id, setup.self_label)
        if setup.stubs_clock:
            clock.install()
        path = Path(os.fsdecode(setup.database)) if setup.database else None
        self.data = (
            DataCalls(
                path,
                kv_enabled=setup.kv_enabled,
                max_bytes=setup.storage_max_bytes,
                synced=setup.storage_synced,
                rules=setup.operations,
            )
            if path
            else None
        )
        self._host = HostCalls(channel.send, channel.receive_answer, setup.operations, self.data)
        self._scripts: dict[bytes, CompiledScript] = {}
        self._bytecode_bytes = 0
        self._runs = 0
        self._pending: Invoke | Lend | None = None
        """What came while a VM had compiled."""

    def serve(self) -> NoReturn:
        """Answer messages until the peer closes the socket."""
        while True:
            vm = VirtualMachine(self._flavour, self._host, self._memory_bytes)
            message = self._compile_until_invoke(vm)
            if message is None:
                del vm  # before the next one is built: two would count double
                continue
            done = self._serve_data(message.run) if isinstance(message, Lend) else self._invoke(vm, message)
            self._runs += 1
            if done.code != OK or self._runs % RUNS_BETWEEN_LOOKS == 0:
                del vm  # what it held does not count
                self._channel.send(msgspec.structs.replace(done, spent=self._is_spent()))
                continue
            self._channel.send(done)
            del vm

    def _compile_until_invoke(self, vm: VirtualMachine) -> Invoke | Lend | None:
        """Return the next invocation or lease when it is the first message; else compile what comes with one VM, in which nothing runs.

        A script never runs in a VM that has compiled others, and one that failed to compile leaves none to the next source.
        """
        compiled_bytes = 0
        while True:
            message = self._pending or self._channel.receive()
            self._pending = None
            if isinstance(message, Invoke | Lend):
                if not compiled_bytes:
                    return message
                self._pending = message
                return None
            if isinstance(message, Compile):
                problem = _compile_message(vm, message)
                self._channel.send(Compiled(problem))
                compiled_bytes += len(message.source) or 1
                if problem or compiled_bytes > COMPILED_BY_ONE_VM_BYTES:
                    return None

    def _is_spent(self) -> bool:
        """Return whether the memory left below the process bound (RLIMIT_DATA) is less than a script may need."""
        try:
            mmap.mmap(-1, self._memory_bytes + HOST_ALLOWANCE_BYTES - IDLE_MEMORY_MAX_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
        except (OSError, MemoryError):
            return True
        return False

    def _invoke(self, vm: VirtualMachine, invoke: Invoke) -> Done:
        self._host.begin(invoke)
        clock.use(invoke.clock)
        try:
            script = self._compiled(vm, invoke)
            if script is None:
                return Done(UNKNOWN_VERSION, b"", 0)
        except CompileError as error:
            return Done("script_error", str(error).encode(), 0)
        caller = (invoke.caller_id, invoke.caller_label)
        outcome = vm.run(
            invoke.kind,
            invoke.script,
            script.bytecode,
            invoke.argument,
            caller,
            self._this,
            invoke.caller_email,
            script.parts,
            invoke.clock,
        )
        if vm.asked_parts:
            script.parts += tuple(vm.asked_parts)
        self._host.end()
        code = UNAVAILABLE if self._met_lock(outcome) else outcome.code
        fault = self.data.file_fault if self.data else ""
        return Done(
            code,
            outcome.payload,
            outcome.memory_bytes,
            self._host.calls,
            fault,
            error_code=outcome.error_code,
            traceback=outcome.traceback,
        )

    def _serve_data(self, run: Invoke) -> Done:
        """Do the operations of a run on another machine until it is over. No script runs here."""
        self._host.begin(run)
        data = self.data
        while isinstance(message := self._channel.receive(), DataCall):
            shape, *values = self._host.stored(message.operation, message.arguments)
            answer = DataAnswer(shape, tuple(values), False)
            if data is not None:
                answer = DataAnswer(shape, tuple(values), data.transaction, data.busy, data.file_fault)
            self._channel.send(answer)
        self._host.end()
        return Done(OK, b"null", 0, file_fault=data.file_fault if data else "")

    def _met_lock(self, outcome: VmResult) -> bool:
        """Return whether the run failed because somebody else held the write lock."""
        busy = self.data.busy if self.data else b""
        return bool(busy) and outcome.code == "script_error" and busy in outcome.payload

    def _compiled(self, vm: VirtualMachine, invoke: Invoke) -> CompiledScript | None:
        """Return the script's bytecode; None if neither this worker nor the message has it."""
        script = self._scripts.get(invoke.version)
        if script is None and invoke.source is not None:
            script = CompiledScript(vm.compile(invoke.script, invoke.source))
            self._store_script(invoke.version, script)
        return script

    def _store_script(self, version: bytes, script: CompiledScript) -> None:
        """Keep a compiled script for later runs, at the cost of the oldest ones."""
        self._scripts[version] = script
        self._bytecode_bytes += len(script.bytecode)
        # Oldest out first: a dict keeps the order in which keys came.
        while len(self._scripts) > COMPILED_MAX or self._bytecode_bytes > COMPILED_MAX_BYTES:
            self._bytecode_bytes -= len(self._scripts.pop(next(iter(self._scripts))).bytecode)


def _compile_message(vm: VirtualMachine, compile_: Compile) -> str:
    try:
        vm.compile(compile_.script, compile_.source)
    except CompileError as error:
        return str(error)
    return ""


def run_worker(sock: socket.socket, flavour: Flavour, setup: Setup, ground: Ground, parent: int) -> NoReturn:
    """Run a forked child to its end: confine it, report, serve. It never returns."""
    go_first_when_memory_ends(OOM_SCORE_WORKER)
    channel = Channel(sock)
    worker = Worker(channel, flavour, setup)
    time.localtime()  # reads the time zone while files can still be opened
    files = worker.data.descriptors if worker.data else {}
    wall = Wall(
        keep_descriptors=(sock.fileno(), *files.values()),
        memory_bytes=setup.memory_bytes,
        parent=parent,
        held=held_memory(),
        skip=setup.skip_layers,
        descriptors=Descriptors(sock.fileno(), files.get(""), files.get("-wal"), files.get("-shm"), files.get(QUEUE)),
        file_max_bytes=file_limit(setup.storage_max_bytes, files.values()),
    )
    channel.send(Ready(confine(wall, ground), dict(ground.gaps)))
    worker.serve()
