"""VMs for tests: run a piece of Lua in a fresh one, in this process, on a named flavour."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from goop2.sandbox.host_calls import HostCalls
from goop2.sandbox.messages import HostCall, HostCallAnswer, Log
from goop2.sandbox.vm import FLAVOURS, Flavour, VirtualMachine
from goop2.scripting.api import FUNCTIONS
from goop2.scripting.api.rules import rules
from goop2.scripting.api.stubs import stubs

NAMES = tuple(FLAVOURS)
MEMORY_BYTES = 10 * 1024 * 1024
NO_ANSWER = HostCallAnswer(b"v", (None,))

COMMANDS = tuple(rule for rule in rules(FUNCTIONS) if rule.name == "commands")
"""The one operation of the peer these VMs have."""

AnswerCall = Callable[[HostCall], HostCallAnswer]


@cache
def flavour_named(name: str) -> Flavour:
    return Flavour(name, stubs(FUNCTIONS))


@dataclass(frozen=True)
class Ran:
    """What came of a run."""

    code: str
    payload: bytes
    lines: tuple[tuple[str, str], ...]
    traceback: str = ""

    @property
    def text(self) -> str:
        return self.payload.decode()


def run(
    flavour: str,
    source: str | bytes,
    argument: bytes = b"",
    kind: str = "command",
    memory_bytes: int = MEMORY_BYTES,
    answer: AnswerCall = lambda call: NO_ANSWER,
) -> Ran:
    """Run `source` as the script `hello`; `goop.commands` is answered by `answer`."""
    sent: list[Log | HostCall] = []

    def reply() -> HostCallAnswer:
        call = sent.pop()
        assert isinstance(call, HostCall)
        return answer(call)

    vm = VirtualMachine(flavour_named(flavour), HostCalls(sent.append, reply, COMMANDS), memory_bytes)
    bytecode = vm.compile("hello", source.encode() if isinstance(source, str) else source)
    outcome = vm.run(kind, "hello", bytecode, argument, ("them", "Them"), ("us", "Us"))
    lines = tuple((line.level, line.text) for line in sent if isinstance(line, Log))
    return Ran(outcome.code, outcome.payload, lines, outcome.traceback)


def reply_of(flavour: str, body: str) -> str:
    """What a command with this body replies; fails unless it runs."""
    ran = run(flavour, f"function handle(args) {body} end")
    assert ran.code == "ok", ran
    return ran.text


def result_text(flavour: str, body: str, params: str = "{}") -> str:
    """The JSON text of what a data function with this body gives; fails unless it runs."""
    ran = run(flavour, f"function call(request) {body} end", params.encode(), "function")
    assert ran.code == "ok", ran
    return ran.text


def result_of(flavour: str, body: str, params: str = "{}") -> object:
    """The same, decoded."""
    result: object = json.loads(result_text(flavour, body, params))
    return result


def error_of(flavour: str, body: str, params: str = "{}") -> str:
    """The error of a data function with this body; fails when there is none."""
    ran = run(flavour, f"function call(request) {body} end", params.encode(), "function")
    assert ran.code == "script_error", ran
    return ran.text
