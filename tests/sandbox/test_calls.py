"""What a script sees of the goop functions: arguments judged at the script's own line, results, failures."""

from __future__ import annotations

import pytest
from tests.sandbox.machines import error_of, flavour_named, reply_of, run

from goop2.sandbox.messages import HostCallAnswer, Scalar
from goop2.sandbox.vm import VirtualMachine

MEGABYTE_BYTES = 1024 * 1024

BAD_ARGUMENTS = {
    # call: what is wrong with it
    "goop.kv.get({})": "bad argument #1 to 'goop.kv.get' (string expected, got table)",
    "goop.kv.get()": "bad argument #1 to 'goop.kv.get' (string expected, got no value)",
    "goop.kv.set('k', print)": "bad argument #2 to 'goop.kv.set' (value is a function)",
    "goop.kv.set('k', {a = {print}})": "bad argument #2 to 'goop.kv.set' (value.a[1] is a function)",
    "goop.json.decode(nil)": "bad argument #1 to 'goop.json.decode' (string expected, got no value)",
    "goop.json.object('x')": "bad argument #1 to 'goop.json.object' (table expected, got string)",
    "goop.listen.seek('x')": "bad argument #1 to 'goop.listen.seek' (number expected, got string)",
    "goop.http.post('u', 'b', coroutine.create(print))": "bad argument #3 to 'goop.http.post' (table expected, got thread)",
    "goop.kv.get(('x'):rep(1048577))": "bad argument #1 to 'goop.kv.get' (1048577 bytes, the most is 1048576)",
    "goop.listen.load(true)": "bad argument #1 to 'goop.listen.load' (string expected, got boolean)",
}


@pytest.mark.parametrize("call", BAD_ARGUMENTS)
def test_a_wrong_argument_is_named_with_function_position_and_type_at_the_scripts_line(flavour: str, call: str) -> None:
    ran = run(flavour, f"function handle()\n  local x = {call}\nend")
    assert (ran.code, ran.text) == ("script_error", f"hello:2: {BAD_ARGUMENTS[call]}")


@pytest.mark.parametrize("call", BAD_ARGUMENTS)
def test_a_tail_call_shows_no_place_of_ours(flavour: str, call: str) -> None:
    assert run(flavour, f"function handle()\n  return {call}\nend").text.endswith(BAD_ARGUMENTS[call])
    caught = reply_of(flavour, f"return select(2, pcall(function() return {call} end))")
    assert caught.endswith(BAD_ARGUMENTS[call])
    assert "[goop]" not in caught
    assert "[goop]" not in run(flavour, f"return {call}").text


@pytest.mark.parametrize(
    "body",
    [
        "goop.db.query('x', {})",
        "goop.db.query('x', 1, 'a', true, nil, print)",
        "goop.db.transaction(5)",
        "goop.site.read()",
    ],
)
def test_arguments_of_data_functions_are_judged_too(flavour: str, body: str) -> None:
    message = run(flavour, f"function call() local x = {body} end", b"{}", "function").text
    assert message.startswith("hello:1: bad argument #")
    assert " to 'goop." in message


def test_a_number_does_for_a_string_as_everywhere_in_lua(flavour: str) -> None:
    assert reply_of(flavour, "return goop.json.decode(5)") == "5"


@pytest.mark.parametrize("name", ["kv", "http", "listen"])
def test_what_is_not_built_yet_says_so_at_the_scripts_line(flavour: str, name: str) -> None:
    call = {"kv": "kv.get('x')", "http": "http.get('x')", "listen": "listen.state()"}[name]
    assert run(flavour, f"function handle() local x = goop.{call} end").text == f"hello:1: goop.{name} is not available"


def test_a_command_has_no_db_schema_and_site(flavour: str) -> None:
    assert reply_of(flavour, "return tostring(goop.db) .. tostring(goop.schema) .. tostring(goop.site)") == "nilnilnil"
    kinds = "function call() return {type(goop.db.query), type(goop.schema.find), type(goop.site.read)} end"
    assert run(flavour, kinds, b"{}", "function").text == '["function","function","function"]'


def asked_of_the_host(flavour: str, body: str, refused: bytes = b"") -> tuple[str, list[bytes]]:
    """What a data function with this body gives, and which operations it asked for; `refused` of them fails."""
    asked: list[bytes] = []

    def host(operation: bytes, *_arguments: Scalar) -> tuple[Scalar, ...]:
        asked.append(operation)
        return (b"!", b"refused") if operation == refused else (b"v", None)

    vm = VirtualMachine(flavour_named(flavour), host, 10 * MEGABYTE_BYTES)
    bytecode = vm.compile("hello", f"function call()\n{body}\nend".encode())
    outcome = vm.run("function", "hello", bytecode, b"{}", ("them", "Them"), ("us", "Us"))
    return outcome.payload.decode(), asked


@pytest.mark.parametrize("write", ["print", "goop.log.info"])
def test_a_tostring_that_gives_no_string_is_told_in_the_log(flavour: str, write: str) -> None:
    ran = run(flavour, f"function handle() {write}(setmetatable({{}}, {{__tostring = function() return {{}} end}})) end")
    assert (ran.code, ran.lines) == ("ok", (("info", "(__tostring gives a table)"),))


TRANSACTIONS = {
    # what runs in it: its results, how the transaction ended
    "function() return 1, nil, 3 end": ('{"1":true,"2":1,"4":3}', b"db.commit"),
    "function() end": ("[true]", b"db.commit"),
    "os.time": ("[true,", b"db.commit"),
    "coroutine.wrap(function() return 5 end)": ("[true,5]", b"db.commit"),
    "goop.json.encode": ('[true,"null"]', b"db.commit"),
    "function() error('no', 0) end": ('[false,"no"]', b"db.rollback"),
    "function() error({code = 1}) end": ('[false,{"code":1}]', b"db.rollback"),
    "math.abs": ("[false,", b"db.rollback"),
    "function() coroutine.yield(1) end": ('[false,"hello:2: attempt to yield out of goop.db.transaction"]', b"db.rollback"),
}


@pytest.mark.parametrize("fn", TRANSACTIONS)
def test_a_transaction_that_began_is_ended_whatever_runs_in_it(flavour: str, fn: str) -> None:
    results, end = TRANSACTIONS[fn]
    run_it = f"local function keep(...) return ... end return keep(goop.db.transaction({fn}))"  # no tail call: it has a line
    text, asked = asked_of_the_host(flavour, f"return {{pcall(function() {run_it} end)}}")
    assert text.startswith(results)
    assert asked == [b"db.begin", end]


@pytest.mark.parametrize(("refused", "asked"), [(b"db.begin", [b"db.begin"]), (b"db.commit", [b"db.begin", b"db.commit"])])
def test_a_transaction_that_cannot_begin_or_end_says_so_at_the_scripts_line(flavour: str, refused: bytes, asked: list[bytes]) -> None:
    body = "local x = goop.db.transaction(function() return 1 end)"
    assert asked_of_the_host(flavour, body, refused) == ("hello:2: refused", asked)


def test_answers_of_the_host_arrive_in_their_shape(flavour: str) -> None:
    ran = run(
        flavour,
        "function handle() local names, about = goop.commands() return #names .. names[2] .. about.hello end",
        answer=lambda call: HostCallAnswer(b"jj", (b'["bye","hello"]', b'{"hello":"Greets"}')),
    )
    assert ran.text == "2helloGreets"


def test_a_failure_of_the_host_is_a_string_that_pcall_catches_with_the_scripts_line(flavour: str) -> None:
    body = "function handle() local ok, e = pcall(function() local x = goop.commands() end) return type(e) .. ' ' .. e end"
    assert run(flavour, body, answer=lambda call: HostCallAnswer(b"!", (b"no such thing",))).text == "string hello:1: no such thing"


def test_print_and_log_write_lines_of_their_level(flavour: str) -> None:
    ran = run(
        flavour,
        "function handle() print('a', 1, nil) goop.log.info('b', 2.5, {x = {1}}) goop.log.warn('c') goop.log.error(nil) print() end",
    )
    assert ran.lines == (("info", "a\t1\tnil"), ("info", 'b 2.5 {"x":[1]}'), ("warn", "c"), ("error", "nil"), ("info", ""))


def test_a_table_with_a_metatable_is_logged_as_it_describes_itself(flavour: str) -> None:
    source = "function handle() goop.log.info(setmetatable({}, {__tostring = function() return 'me' end})) end"
    assert run(flavour, source).lines == (("info", "me"),)


def test_a_log_line_that_is_not_utf8_is_mended(flavour: str) -> None:
    assert run(flavour, "function handle() print('x\\255y') end").lines == (("info", "x\ufffdy"),)
    assert run(flavour, "function handle() print('rows', {{id = 1}}, nil) end").lines == (("info", 'rows\t[{"id":1}]\tnil'),)


def test_a_flood_of_lines_stays_in_the_worker_but_for_the_one_that_marks_the_cut(flavour: str) -> None:
    ran = run(flavour, "function handle() for i = 1, 5000 do print(i) end return 'done' end")
    assert (ran.text, len(ran.lines)) == ("done", 201)


def test_a_huge_line_is_sent_once_and_cut(flavour: str) -> None:
    ran = run(flavour, "function handle() for i = 1, 5 do print(('x'):rep(2e6)) end return 'done' end")
    assert (ran.text, [len(text) for _, text in ran.lines]) == ("done", [MEGABYTE_BYTES])


WRONG_ARGUMENTS = {
    # call: what its error says
    "goop.orm()": "bad argument #1 to 'goop.orm' (string expected, got no value)",
    "goop.orm({})": "bad argument #1 to 'goop.orm' (string expected, got table)",
    "goop.config(true)": "bad argument #1 to 'goop.config' (string expected, got boolean)",
    "goop.config('t', 'red')": "bad argument #2 to 'goop.config' (table expected, got string)",
    "goop.route()": "bad argument #1 to 'goop.route' (table expected, got no value)",
    "goop.route(function() end)": "bad argument #1 to 'goop.route' (table expected, got function)",
    "goop.owner('list')": "bad argument #1 to 'goop.owner' (function expected, got string)",
    "goop.expr({'1'})": "bad argument #1 to 'goop.expr' (string expected, got table)",
    "goop.group.create()": "bad argument #1 to 'goop.group.create' (string expected, got no value)",
    "goop.group.create('n', 't', 'c', 'many')": "bad argument #4 to 'goop.group.create' (number expected, got string)",
    "goop.group.set_role('id', 'peer')": "bad argument #3 to 'goop.group.set_role' (string expected, got no value)",
    "goop.group.members({})": "bad argument #1 to 'goop.group.members' (string expected, got table)",
    "goop.group.send('id', print)": "bad argument #2 to 'goop.group.send'",
    "goop.transform.apply('t')": "bad argument #2 to 'goop.transform.apply' (table expected, got no value)",
    "goop.transform.apply_many('t', 'x')": "bad argument #2 to 'goop.transform.apply_many' (table expected, got string)",
    "goop.schema.seed('t', 5)": "bad argument #2 to 'goop.schema.seed' (table expected, got number)",
    "goop.schema.count()": "bad argument #1 to 'goop.schema.count' (string expected, got no value)",
}


@pytest.mark.parametrize("call", WRONG_ARGUMENTS)
def test_a_wrong_argument_of_a_helper_is_told_with_function_and_place(flavour: str, call: str) -> None:
    error = error_of(flavour, call)
    assert error.startswith("hello:1: ")
    assert WRONG_ARGUMENTS[call] in error
