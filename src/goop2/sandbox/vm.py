"""One Lua VM: made for one invocation, prepared by prelude.lua, thrown away after it.

The only file that knows lupa. Nothing but scalars and bytes crosses: the prelude gives plain Lua
functions, and the host function answers tuples of scalars, so no Python object reaches a script.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from goop2.sandbox.messages import Scalar

Host = Callable[..., tuple[Scalar, ...]]
"""host(operation, *arguments) -> (shape, value...); see HOST SHAPE in prelude.lua. Must not raise."""

FLAVOURS: Final = {"luajit21": "lupa.luajit21", "lua51": "lupa.lua51"}
"""Flavour → module. The first is the one we want; the second stands in where LuaJIT is not built."""

OUR_CHUNK: Final = b"=[goop]"
"""Name of our own Lua code in error messages; prelude.lua strips it: a place in it tells an author nothing."""

MESSAGE_MAX_BYTES = 2000
"""Of a compiler's message, which quotes the source."""

SEED_BYTES = 6
_HERE = Path(__file__).parent
_DECLARATIONS_MARK = "--@declarations"
_DUMP = b"return string.dump(assert(loadstring(...)), true)"


class CompileError(Exception):
    """The source is not Lua; the message is the compiler's, `name:line: ...`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an invocation came to."""

    code: str
    payload: bytes
    memory_bytes: int


class Flavour:
    """A Lua implementation and our own Lua code compiled for it, shared by all its VMs."""

    def __init__(self, name: str, declarations: str) -> None:
        self._module: Any = importlib.import_module(FLAVOURS[name])
        before, _, after = (_HERE / "calls.lua").read_text("utf-8").partition(_DECLARATIONS_MARK)
        rest = after.partition("\n")[2]
        self.prelude = self._bytecode((_HERE / "prelude.lua").read_bytes())
        self.calls = self._bytecode(f"{before}{declarations}\n{rest}".encode())
        self.codec = self._bytecode((_HERE / "json.lua").read_bytes())
        self.memory_error: type[Exception] = self._module.LuaMemoryError

    def runtime(self, memory_bytes: int = 0) -> Any:
        """A bare Lua state that turns nothing into anything: bytes stay bytes."""
        return self._module.LuaRuntime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            max_memory=memory_bytes or None,
        )

    def _bytecode(self, source: bytes) -> bytes:
        dumped: bytes = self.runtime().execute(_DUMP, source)
        return dumped


class VirtualMachine:
    """A prepared VM. `run` is called once; `compile` before it, as often as needed."""

    def __init__(self, flavour: Flavour, host: Host, memory_bytes: int) -> None:
        self._memory_error = flavour.memory_error
        self._runtime = flavour.runtime(memory_bytes)
        prepare = self._runtime.compile(flavour.prelude, name=OUR_CHUNK)
        self._run, self._compile = prepare(host, flavour.calls, flavour.codec)

    def compile(self, name: str, source: bytes) -> bytes:
        """Bytecode of `source`. Raises `CompileError`, also when it takes more memory than allowed."""
        try:
            compiled = self._compile(name.encode(), source)
        except self._memory_error:
            raise CompileError(f"{name}:1: compiling takes more memory than the limit") from None
        if isinstance(compiled, tuple):
            raise CompileError(compiled[1][:MESSAGE_MAX_BYTES].decode("utf-8", "replace"))
        bytecode: bytes = compiled
        return bytecode

    def run(self, kind: str, script: str, bytecode: bytes, argument: bytes, caller: tuple[str, str], this: tuple[str, str]) -> Outcome:
        """Run the script's entry. `caller` and `this` peer are (id, label) pairs."""
        seed = int.from_bytes(os.urandom(SEED_BYTES), "little")
        try:
            code, payload = self._run(
                kind.encode(), script.encode(), bytecode, seed, argument, *(part.encode() for part in (*caller, *this))
            )
        except self._memory_error:
            code, payload = b"memory", b"memory limit exceeded"
        return Outcome(code.decode(), payload, self._runtime.get_memory_used() or 0)
