"""What follows from the declarations for host calls: nothing is forgotten, and the peer takes no call a script could not make."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from goop2.app import open_peer
from goop2.folder.creation import create
from goop2.sandbox import data_calls, vm, worker_operations
from goop2.sandbox.host_calls import LOG
from goop2.sandbox.messages import FailureForm, OperationRule, Scalar
from goop2.scripting.api import FUNCTIONS, PRIVATE, ExecutionSite, Function, Parameter
from goop2.scripting.api.declaration import LETTERS
from goop2.scripting.api.rules import PeerCall, forgotten, peer_calls, rules

VM_FUNCTIONS = Path(vm.__file__).with_name("vm_functions.lua")

TEXT, NUMBER, LIMIT = Parameter("t", "string"), Parameter("n", "number"), Parameter("limit", "whole", default=10)
IN_LUA = re.compile(r'^here\["([\w.]+)"\] =|^function here\.(\w+)', re.MULTILINE)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Mapping[ExecutionSite, set[str]]:
    """Return the operations there really are, by where they are done."""
    folder = tmp_path_factory.mktemp("peer") / "peer"
    create(folder, "Complete", "start")

    async def in_peer() -> set[str]:
        async with open_peer(folder) as peer:
            return set(peer.pool._operations.lent)

    return {
        ExecutionSite.VM: {quoted or plain for quoted, plain in IN_LUA.findall(VM_FUNCTIONS.read_text("utf-8"))},
        ExecutionSite.WORKER: {LOG.decode(), *worker_operations.operations_of(data_calls.DataCalls.__new__(data_calls.DataCalls))},
        ExecutionSite.PEER: asyncio.run(in_peer()),
    }


def test_every_declared_function_is_done_and_every_operation_declared(done: Mapping[ExecutionSite, set[str]]) -> None:
    assert all(done.values())
    assert forgotten((*FUNCTIONS, *PRIVATE), done) == []


EXAMPLE = Function("example.greet", (Parameter("name", "string"),), gives="greeting", place=ExecutionSite.PEER, doc="Greets.")


@pytest.mark.parametrize(
    ("site", "remedy"),
    [
        (ExecutionSite.VM, "write a function of that name in `here`, sandbox/vm_functions.lua"),
        (ExecutionSite.WORKER, "write an operation of that name in sandbox/data_calls.py"),
        (ExecutionSite.PEER, "write an operation of that name among those app.py lends to the pool"),
    ],
)
def test_a_function_declared_without_an_operation_is_named_with_what_to_write(
    done: Mapping[ExecutionSite, set[str]], site: ExecutionSite, remedy: str
) -> None:
    declared = Function("example.greet", (Parameter("name", "string"),), gives="greeting", place=site, doc="Greets.")
    said = forgotten((*FUNCTIONS, *PRIVATE, declared), done)
    assert said == [f"goop.example.greet is declared as done {site.value}, and nothing does it: {remedy}"]


@pytest.mark.parametrize("site", ExecutionSite)
def test_an_operation_without_a_declaration_is_named_with_where_to_declare_it(
    done: Mapping[ExecutionSite, set[str]], site: ExecutionSite
) -> None:
    said = forgotten((*FUNCTIONS, *PRIVATE), {**done, site: {*done[site], "example.greet"}})
    assert said == [
        f"the operation example.greet is done {site.value}, and no function declares it so: add it to scripting/api/functions.py"
    ]


def test_an_operation_done_elsewhere_than_declared_is_forgotten_on_both_sides() -> None:
    said = forgotten((EXAMPLE,), {ExecutionSite.WORKER: {"example.greet"}, ExecutionSite.PEER: set()})
    assert [sentence.split(",")[0] for sentence in said] == [
        "the operation example.greet is done in the worker",
        "goop.example.greet is declared as done in the peer",
    ]


def test_a_method_needs_an_operation_as_a_function_does() -> None:
    method = Function("thing.look", place=ExecutionSite.WORKER, doc="Looks.")
    thing = Function("thing", (TEXT,), place=ExecutionSite.WORKER, doc="Opens.", functions_only=True, methods=(method,))
    assert forgotten((thing,), {ExecutionSite.WORKER: {"thing"}})[0].startswith("goop.thing.look is declared")
    assert [(rule.name, rule.for_commands) for rule in rules((thing,))] == [("thing", False), ("thing.look", False)]


def test_a_worker_is_told_what_the_declaration_says() -> None:
    told = {rule.name: rule for rule in rules((*FUNCTIONS, *PRIVATE))}
    assert told["kv.set"] == OperationRule("kv.set", in_peer=False, for_commands=True, failure=FailureForm.MESSAGE)
    assert told["schema.validate"] == OperationRule("schema.validate", in_peer=False, for_commands=False, failure=FailureForm.FALSE)
    assert told["site.read"] == OperationRule("site.read", in_peer=True, for_commands=False, failure=FailureForm.NIL)
    assert {"json.encode", "print", "db.transaction"}.isdisjoint(told)


@pytest.mark.parametrize(
    ("parameters", "arguments", "breach"),
    [
        ((TEXT,), (b"x",), ""),
        ((TEXT,), (), "with 0 arguments"),
        ((TEXT,), (b"x", b"y"), "with 2 arguments"),
        ((TEXT,), (5,), "with a int as argument 1"),
        ((TEXT,), (None,), "with a NoneType as argument 1"),
        ((NUMBER,), (1.5,), ""),
        ((NUMBER,), (True,), "with a bool as argument 1"),
        ((TEXT, LIMIT), (b"x",), ""),
        ((TEXT, LIMIT), (b"x", None), ""),
        ((TEXT, LIMIT), (b"x", b"7"), ""),
        ((TEXT, LIMIT), (b"x", True), "with a bool as argument 2"),
        ((TEXT, Parameter("args", "value", repeated=True)), (b"x", 1, None, b"y"), ""),
        ((Parameter("names", "string", repeated=True),), (b"x", 1), "with an argument of a wrong type"),
    ],
)
def test_the_peer_takes_only_arguments_that_lua_lets_through(
    parameters: tuple[Parameter, ...], arguments: tuple[Scalar, ...], breach: str
) -> None:
    assert PeerCall(Function("example", parameters, place=ExecutionSite.PEER, doc="")).breach(arguments) == breach


def test_a_method_done_in_the_peer_has_the_handles_argument_before_its_own() -> None:
    method = Function("thing.look", (TEXT,), place=ExecutionSite.PEER, doc="Looks.")
    thing = Function("thing", (TEXT,), place=ExecutionSite.PEER, doc="Opens.", methods=(method,))
    calls = peer_calls((thing,))
    assert (calls["thing"].breach((b"x",)), calls["thing.look"].breach((b"key", b"x"))) == ("", "")
    assert calls["thing.look"].breach((b"x",)) == "with 1 arguments"


def test_every_type_that_can_reach_the_peer_has_a_check() -> None:
    for kind in LETTERS.keys() - {"table", "function", "row"}:
        assert PeerCall(Function("example", (Parameter("x", kind),), place=ExecutionSite.PEER, doc="")).breach(()) == "with 0 arguments"
