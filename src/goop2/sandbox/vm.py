"""One Lua VM: made for one invocation, prepared by prelude.lua, thrown away after it.

It is the only file that knows lupa. Only scalars and bytes cross: the prelude gives plain Lua functions, and the host function answers
tuples of scalars, so no Python object reaches a script.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from goop2.sandbox.messages import Scalar

Host = Callable[..., tuple[Scalar, ...]]
"""host(operation, *arguments) -> (shape, value...); see HOST SHAPE in prelude.lua. Must not raise."""

FLAVOURS: Final = {"luajit21": "lupa.luajit21", "lua51": "lupa.lua51"}
"""Flavour → module. The first is the one we want; the second stands in where LuaJIT is not built."""

SUPPLEMENTS: Final = {"lua51": "lua51.lua"}
"""Flavour → our Lua code that adds what it lacks."""

OUR_CHUNK: Final = b"=[goop]"
"""Name of our own Lua code in error messages; prelude.lua strips it: a place in it tells an author nothing."""

MESSAGE_MAX_BYTES = 2000
"""Of a compiler's message, which quotes the source."""

TRACEBACK_MAX_CHARS = 2000
"""Of a trace: more than Lua's own, which leaves out the middle of a deep one."""

_OUR_FRAME: Final = re.compile(
    r"stack traceback:|\[goop\]|\[builtin|\(tail call\)|\[C\]: (?:\?|in function (?:''|'error'|'xpcall'|'pcall'|\[C\]|<))"
)
"""A line of a trace that names no place in a script: our own code, and functions of the language without a name."""

_SHARED: Final = re.compile(rb"lib/[A-Za-z0-9_-]+:\d+: ")
"""How the message of an error in shared code begins (goop.use)."""
_PLACE: Final = re.compile(r"(?P<script>[^:]*):\d+:")
"""The place in front of a message. LuaJIT does not know the line of the innermost frame when the VM itself raised the error."""

PART: Final = b"part"
"""The operation by which prelude.lua asks for one of `Flavour.parts`, whose bytes most VMs never need."""

CLOCK: Final = b"clock"
"""In the place of a part's name: what the time is, as text."""

SEED_BYTES = 6
SEEDS_AT_ONCE = 64
"""Seeds of math.random that are asked of the kernel at a time: one by one, that was a hundredth of a short call."""
_HERE = Path(__file__).parent
_PART = re.compile(rb"--@(\w+\.lua)")
_MEMBERS_MARK = b"--@members"
_MEMBER = b"local call, call_here, handles, here, pass, is_command = ... return "
"""In front of what makes a member of the goop table."""
_DUMP = b"local source = ... return string.dump(assert(loadstring(source, '%s')), true)" % OUR_CHUNK
_OUT_OF_MEMORY = b"not enough memory"


_seeds: list[int] = []
os.register_at_fork(after_in_child=_seeds.clear)  # no two workers have the same


def _new_seed() -> int:
    if not _seeds:
        drawn = os.urandom(SEED_BYTES * SEEDS_AT_ONCE)
        _seeds.extend(int.from_bytes(drawn[at : at + SEED_BYTES], "little") for at in range(0, len(drawn), SEED_BYTES))
    return _seeds.pop()


class CompileError(Exception):
    """The source is not Lua; the message is the compiler's, `name:line: ...`."""


class VmResult(msgspec.Struct, frozen=True, gc=False):
    """The result of an invocation inside a VM."""

    code: str
    payload: bytes
    memory_bytes: int
    error_code: str = ""
    """`code` of the error object the script raised."""
    traceback: str = ""
    """Where the script was when it failed, a line a frame, the innermost first."""


def preferred_flavour() -> str:
    """Return the first of `FLAVOURS` this machine has."""
    return next(name for name, module in FLAVOURS.items() if importlib.util.find_spec(module))


def _frames(trace: bytes, message: str) -> str:
    """Return the frames of a trace that are the script's, or functions of the language called there; ours tell an author nothing."""
    lines = (line.strip() for line in trace.decode("utf-8", "replace").split("\n"))
    kept = [line for line in lines if line and not _OUR_FRAME.match(line)]
    place = _PLACE.match(message)
    if kept and place and kept[0].startswith(f"{place['script']}: in "):
        kept[0] = place[0] + kept[0][len(place["script"]) + 1 :]
    return "\n".join(kept)[:TRACEBACK_MAX_CHARS]


def _place_of(script: str, trace: bytes) -> bytes:
    """Return the place in a script from which it came to its error in shared code, "" where the trace does not tell."""
    match = re.search(rb"^\s*(%b:\d+: )" % re.escape(script.encode()), trace, re.MULTILINE)
    return match[1] if match else b""


class Flavour:
    """A Lua implementation and our own Lua code compiled for it, shared by all its VMs."""

    def __init__(self, name: str, declarations: Mapping[str, str]) -> None:
        """`declarations`: member of the goop table → the Lua expression that makes it (scripting/api/stubs.py)."""
        self._module: Any = importlib.import_module(FLAVOURS[name])
        self.supplement = self._bytecode((_HERE / SUPPLEMENTS[name]).read_bytes()) if name in SUPPLEMENTS else None
        self.prelude = self._bytecode((_HERE / "prelude.lua").read_bytes())
        self.parts: dict[bytes, bytes] = {
            b"calls": self._bytecode(self._calls(declarations)),
            b"vm_functions": self._bytecode((_HERE / "vm_functions.lua").read_bytes()),
            b"handles": self._bytecode((_HERE / "handles.lua").read_bytes()),
            b"testing": self._bytecode((_HERE / "testing.lua").read_bytes()),
            b"test_clock": self._bytecode((_HERE / "test_clock.lua").read_bytes()),
            b"config": self._bytecode((_HERE / "config.lua").read_bytes()),
            b"library": self._bytecode((_HERE / "library.lua").read_bytes()),
            b"codec": self._bytecode(_PART.sub(_part, (_HERE / "json.lua").read_bytes())),
        }
        self.memory_error: type[Exception] = self._module.LuaMemoryError

    def runtime(self, memory_bytes: int = 0) -> Any:
        """Return a bare Lua state that converts nothing: bytes stay bytes."""
        return self._module.LuaRuntime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            max_memory=memory_bytes or None,
        )

    def _calls(self, declarations: Mapping[str, str]) -> bytes:
        """Return the source of calls.lua with each member of the goop table as bytecode, a text: what is not used is not read."""
        members = b"".join(
            b"%s = %s,\n" % (name.encode(), _literal(self._bytecode(_MEMBER + expression.encode())))
            for name, expression in declarations.items()
        )
        before, _, after = (_HERE / "calls.lua").read_bytes().partition(_MEMBERS_MARK)
        return before + members + after.partition(b"\n")[2]

    def _bytecode(self, source: bytes) -> bytes:
        dumped: bytes = self.runtime().execute(_DUMP, source)
        return dumped


def _literal(text: bytes) -> bytes:
    """Return `text` as Lua writes it, whatever its bytes."""
    return b'"%s"' % b"".join(b"\\%03d" % byte for byte in text)


def _part(mark: re.Match[bytes]) -> bytes:
    """Return the file that a line of json.lua names."""
    return (_HERE / mark[1].decode()).read_bytes()


class MemoryGate:
    """The host function as one VM has it. While values are pushed into the VM its limit is off.

    A push that failed would end the process, or jump over Python's frames and never give the
    interpreter lock back. So the limit is lifted before every push, and Lua puts it on again, where
    a failure is an error like any other, by calling host() without an operation. Both calls are made in a
    coroutine of ours (calls.lua): on a script's own stack an overflow between them would leave the limit off.
    """

    __slots__ = ("_host", "_memory_bytes", "_parts", "asked", "runtime")

    def __init__(self, host: Host, parts: dict[bytes, bytes], memory_bytes: int, runtime: Any) -> None:
        self._host = host
        self._parts = parts
        self._memory_bytes = memory_bytes
        self.asked: list[bytes] = []
        """Names of the parts this VM asked for."""
        self.runtime = runtime

    def __call__(self, operation: bytes | None = None, *arguments: Scalar) -> tuple[Scalar, ...] | bytes | None:
        """Answer a host call of Lua, with the memory limit lifted."""
        # Lua's sign that everything is pushed: from here on an allocation may fail again.
        if operation is None:
            self.runtime.set_max_memory(self._memory_bytes)
            return None
        answer = self._part(arguments[0]) if operation == PART else self._host(operation, *arguments)
        self.lift()
        return answer

    def _part(self, name: Scalar) -> bytes:
        assert isinstance(name, bytes)
        self.asked.append(name)
        return self._parts[name]

    def lift(self) -> None:
        """Lift the limit, so that nothing pushed from now on fails."""
        self.runtime.set_max_memory(0)


class VirtualMachine:
    """A prepared VM. Call `run` once; `compile` before it, as often as needed."""

    def __init__(self, flavour: Flavour, host: Host, memory_bytes: int) -> None:
        self._memory_error = flavour.memory_error
        self._parts = flavour.parts
        self._runtime = flavour.runtime(memory_bytes)
        self._gate = MemoryGate(host, flavour.parts, memory_bytes, self._runtime)
        self.asked_parts = self._gate.asked
        """Names of the parts of our Lua code (`Flavour.parts`) that were asked for so far."""
        self._gate.lift()
        if flavour.supplement is not None:
            self._runtime.compile(flavour.supplement, name=OUR_CHUNK)()
        prepare = self._runtime.compile(flavour.prelude, name=OUR_CHUNK)
        self._run, self._compile = prepare(self._gate, memory_bytes)

    def __del__(self) -> None:
        self._gate.runtime = None  # Lua holds the door, the door held Lua: else it would stay until a collection

    def compile(self, name: str, source: bytes) -> bytes:
        """Return the bytecode of `source`. Raises `CompileError`, also when it needs more memory than allowed."""
        self._gate.lift()
        try:
            compiled = self._compile(name.encode(), source)
        except self._memory_error:
            compiled = None, _OUT_OF_MEMORY
        if isinstance(compiled, tuple):
            if compiled[1] == _OUT_OF_MEMORY:
                raise CompileError(f"{name}:1: compiling takes more memory than the limit")
            raise CompileError(compiled[1][:MESSAGE_MAX_BYTES].decode("utf-8", "replace"))
        bytecode: bytes = compiled
        return bytecode

    def run(
        self,
        kind: str,
        script: str,
        bytecode: bytes,
        argument: bytes,
        caller: tuple[str, str],
        this: tuple[str, str],
        email: str = "",
        parts: tuple[bytes, ...] = (),
        clock: float | None = None,
    ) -> VmResult:
        """Run the script's entry. `caller` and `this` peer are (id, label) pairs; `email` is the caller's.

        `parts`: names of parts that come with the script, since it is likely to ask for them. `clock`: what the time is for it, in
        seconds since 1970; None for the real one.
        """
        # Without a seed of its own every VM would give the same numbers, and strangers could foretell them.
        seed = _new_seed()
        texts = [text.encode() for text in (*caller, *this, email)]
        for name in parts:
            texts += (name, self._parts[name])
        if clock is not None:
            texts += (CLOCK, repr(clock).encode())
        self._gate.lift()
        try:
            code, payload, *more = self._run(kind.encode(), script.encode(), bytecode, seed, argument, *texts)
        # Only where no Lua code of ours could catch it, as when the call itself is pushed.
        except self._memory_error:
            code, payload, more = b"memory", b"memory limit exceeded", []
        error_code, trace = (*more, None, None)[:2]
        if code == b"script_error" and trace and _SHARED.match(payload):
            payload = _place_of(script, trace) + payload
        own_code = error_code.decode("utf-8", "replace") if error_code is not None else ""
        frames = _frames(trace, payload.decode("utf-8", "replace")) if trace else ""
        return VmResult(code.decode(), payload, self._runtime.get_memory_used() or 0, own_code, frames)
