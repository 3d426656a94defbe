"""From a declaration to a call: stubs, groups within groups, defaults, and objects with methods, in a VM of each flavour."""

from __future__ import annotations

import json

import pytest
from tests.sandbox.machines import MEMORY_BYTES, NAMES

from goop2.sandbox.answers import FAILURES, Answer, ok
from goop2.sandbox.answers import json as as_json
from goop2.sandbox.messages import FailureForm, Scalar
from goop2.sandbox.vm import Flavour, VirtualMachine
from goop2.scripting.api import FUNCTIONS, ExecutionSite, Function, Parameter
from goop2.scripting.api.docs import editor_types, reference
from goop2.scripting.api.stubs import stubs

WORKER = ExecutionSite.WORKER
NAME = Parameter("name", "string")
SHELF = Function(
    "shelf",
    (NAME,),
    gives="shelf",
    failure=FailureForm.NIL,
    place=WORKER,
    doc="Opens a shelf.",
    functions_only=True,
    methods=(
        Function(
            "shelf.put", (NAME, Parameter("row", "row")), gives="id", place=WORKER, doc="Puts a thing on it.", failure=FailureForm.NIL
        ),
        Function("shelf.size", gives="number", place=WORKER, doc="How many there are."),
    ),
)
EXAMPLES = (
    SHELF,
    Function("team.owner", gives="id", place=WORKER, doc="Whose it is."),
    Function("team.member.role", gives="role", place=WORKER, doc="The caller's role."),
    Function("team.member.secret", gives="text", place=WORKER, doc="For functions alone.", functions_only=True),
    Function(
        "look.up",
        (NAME, Parameter("limit", "whole", default=20), Parameter("order", "string", default='a"b')),
        place=WORKER,
        doc="Looks a name up.",
    ),
    Function("hidden", place=WORKER, doc="", private=True),
)


def run(flavour: str, body: str, kind: str = "function") -> tuple[object, list[tuple[Scalar, ...]]]:
    """Return the result of a script with this body, or its error, and the host calls it made."""
    asked: list[tuple[Scalar, ...]] = []

    def host(operation: bytes, *arguments: Scalar) -> Answer:
        asked.append((operation, *arguments))
        if operation == b"shelf":
            return as_json({"name": "books", "columns": []}) if arguments == (b"books",) else FAILURES[FailureForm.NIL](b"no such shelf")
        return ok(len(asked))

    machine = VirtualMachine(Flavour(flavour, stubs((*FUNCTIONS, *EXAMPLES))), host, MEMORY_BYTES)
    entry = "handle(args)" if kind == "command" else "call(request)"
    bytecode = machine.compile("f", f"function {entry}\n{body}\nend".encode())
    outcome = machine.run(kind, "f", bytecode, b"{}", ("them", "Them"), ("us", "Us"))
    return (json.loads(outcome.payload) if outcome.code == "ok" and kind == "function" else outcome.payload.decode()), asked


pytestmark = pytest.mark.parametrize("flavour", NAMES)


def test_a_function_can_give_an_object_whose_methods_are_operations(flavour: str) -> None:
    body = "local shelf = goop.shelf('books') return {shelf.name, shelf:size(), (shelf:put('x', {title = 'T'}))}"
    assert run(flavour, body) == (
        ["books", 2, 3],
        [(b"shelf", b"books"), (b"shelf.size", b"books"), (b"shelf.put", b"books", b"x", b"title", b"T")],
    )


def test_an_object_that_is_not_given_is_what_the_operation_answered(flavour: str) -> None:
    assert run(flavour, "local shelf, problem = goop.shelf('tools') return {shelf == nil, problem}")[0] == [True, "no such shelf"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("goop.shelf()", "f:2: bad argument #1 to 'goop.shelf' (string expected, got no value)"),
        ("local s = goop.shelf('books')\ns:put(nil)", "f:3: bad argument #1 to 'goop.shelf.put' (string expected, got no value)"),
        ("local s = goop.shelf('books')\ns.size()", "f:3: goop.shelf.size is called with a colon, as in handle:size(...)"),
        ("local s = goop.shelf('books')\ns.size({name = 'tools'})", "f:3: goop.shelf.size is called with a colon, as in handle:size(...)"),
        ("setmetatable(goop.shelf('books'), {})", "f:2: cannot change a protected metatable"),
    ],
)
def test_a_wrong_use_of_a_method_is_told_at_its_line(flavour: str, body: str, error: str) -> None:
    assert run(flavour, body)[0] == error


def test_what_a_script_writes_into_an_object_does_not_change_what_it_stands_for(flavour: str) -> None:
    body = "local s = goop.shelf('books') rawset(s, 'name', 'tools') s:size() return 1"
    assert run(flavour, body)[1][-1] == (b"shelf.size", b"books")


def test_groups_stand_within_groups(flavour: str) -> None:
    assert run(flavour, "return {goop.team.owner(), goop.team.member.role()}")[1] == [(b"team.owner",), (b"team.member.role",)]


def test_a_command_has_neither_functions_nor_objects_that_are_for_data_functions_only(flavour: str) -> None:
    body = "return tostring(goop.shelf) .. tostring(goop.team.member.secret) .. type(goop.team.member.role)"
    assert run(flavour, body, "command") == ("nilnilfunction", [])


def test_an_argument_that_is_left_out_is_its_default(flavour: str) -> None:
    body = "goop.look.up('x') goop.look.up('x', 5) goop.look.up('x', nil, 'z') return 1"
    assert run(flavour, body)[1] == [
        (b"look.up", b"x", 20, b'a"b'),
        (b"look.up", b"x", 5, b'a"b'),
        (b"look.up", b"x", 20, b"z"),
    ]


def test_a_private_operation_has_no_stub_and_no_docs(flavour: str) -> None:
    assert run(flavour, "return goop.hidden == nil")[0] is True
    assert "hidden" not in reference(EXAMPLES) + editor_types(EXAMPLES)


def test_authors_read_of_methods_groups_and_defaults(flavour: str) -> None:
    page, types = reference(EXAMPLES), editor_types(EXAMPLES)
    assert "### `shelf:put(name, row)` → id | nil, error\n\nPuts a thing on it. Data functions only.\n" in page
    assert '### `goop.look.up(name, [limit = 20], [order = a"b])`' in page
    assert types.index("goop.team = {}\n") < types.index("goop.team.member = {}\n") < types.index("function goop.team.member.role()")
    assert "---@class goop.shelf\nlocal shelf = {}\n" in types
    assert "function shelf:put(name, row) end" in types
    check = Flavour(flavour, {}).runtime().eval(b"function(source) return loadstring(source) ~= nil end")
    assert check(types.encode())
