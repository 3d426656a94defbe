"""How values cross the wall (behaviour.md, "Values across the wall"), in both directions and on both flavours.

Python's own json is the second opinion.
"""

from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from tests.sandbox.machines import error_of, reply_of, result_of, result_text, run

EXACT = 2**53

TO_JSON = {
    # Lua: JSON
    "nil": "null",
    "true": "true",
    "false": "false",
    "5": "5",
    "5.0": "5",
    "10 / 2": "5",
    "-0.0": "0",
    "0 * -1": "0",
    "1.5": "1.5",
    "0.1": "0.1",
    "0.1 + 0.2": "0.30000000000000004",
    "2 ^ 53": "9007199254740992",
    "-2 ^ 53": "-9007199254740992",
    "2 ^ 53 + 2": "9007199254740994.0",
    "1e100": "1e+100",
    "2 ^ -44": "5.684341886080802e-14",
    "5e-324": "5e-324",
    "''": '""',
    "'x'": '"x"',
    "'é€😀'": '"é€😀"',
    r"""'"\\/\b\f\n\r\t'""": r'"\"\\/\b\f\n\r\t"',
    r"'\0\1\31'": r'"\u0000\u0001\u001f"',
    "'5'": '"5"',
    "{}": "[]",
    "{{}}": "[[]]",
    "{1, 2, 3}": "[1,2,3]",
    "{1, {2, 'x'}, true}": '[1,[2,"x"],true]',
    "{a = 1}": '{"a":1}',
    "{[1] = 'a', [3] = 'c'}": {"1": "a", "3": "c"},
    "{[0] = 'a', 'b'}": {"0": "a", "1": "b"},
    "{[-1] = 1}": '{"-1":1}',
    "{[1.5] = 1}": '{"1.5":1}',
    "{[2 ^ 60] = 1}": '{"1.152921504606847e+18":1}',
    "{1, 2, n = 2}": {"1": 1, "2": 2, "n": 2},
    "{[''] = 1}": '{"":1}',
    "goop.json.null": "null",
    "{goop.json.null, 1}": "[null,1]",
    "{a = goop.json.null}": '{"a":null}',
    "goop.json.object({})": "{}",
    "goop.json.object({1, 2})": {"1": 1, "2": 2},
    "goop.json.array({})": "[]",
    "goop.json.array({1})": "[1]",
    "{a = goop.json.object({})}": '{"a":{}}',
    "(function() local t = {} return {t, t} end)()": "[[],[]]",
    "(function() local t = {1, 2, 3} t[2] = nil return t end)()": {"1": 1, "3": 3},
    "(function() local t = {} for i = 1, 3 do t[i] = i end return t end)()": "[1,2,3]",
}

FROM_JSON = {
    # JSON: (Lua expression over v, its tostring)
    "null": ("tostring(rawequal(v, goop.json.null))", "true"),
    "true": ("type(v)", "boolean"),
    "5": ("v", "5"),
    "5.0": ("v", "5"),
    "-0": ("v == 0", "true"),
    "1e2": ("v", "100"),
    "0.1": ("v == 0.1", "true"),
    "9007199254740992": ("type(v)", "number"),
    "9007199254740993": ("type(v) .. v", "string9007199254740993"),
    "-9007199254740993": ("type(v) .. v", "string-9007199254740993"),
    "123456789012345678901234567890": ("v", "123456789012345678901234567890"),
    "1e20": ("type(v)", "number"),
    "[1, null, 3]": ("#v .. tostring(v[2])", "3null"),
    "[null]": ("#v", "1"),
    '{"a": null, "b": 1}': ("tostring(v.a) .. tostring(next(v))", "nilb"),
    '{"1": "x"}': ("tostring(v[1]) .. tostring(v['1'])", "nilx"),
    '{"a": 1, "a": 2}': ("v.a", "2"),
    "{}": ("next(v) == nil", "true"),
    '"\\u00e9\\u20ac\\ud83d\\ude00"': ("v", "é€😀"),
    '"\\ud83d"': ("v", "\ufffd"),
    '"\\ude00x"': ("v", "\ufffdx"),
    '"\\ud83d\\u0041"': ("v", "\ufffdA"),
    '"\\u0000"': ("#v .. v:byte()", "10"),
    '"\\"\\\\\\/\\b\\f\\n\\r\\t"': ("v == '\"\\\\/\\b\\f\\n\\r\\t'", "true"),
    '"\x7f"': ("v:byte()", "127"),
    " \t\r\n1 \n": ("v", "1"),
    "\ufeff [1]": ("v[1]", "1"),
}

ENCODE_ERRORS = {
    # result: the error that names its place
    "{items = {1, 2, {score = 0 / 0}}}": "result.items[3].score is not a finite number",
    "1 / 0": "result is not a finite number",
    "{-1 / 0}": "result[1] is not a finite number",
    "{f = print}": "result.f is a function",
    "function() end": "result is a function",
    "{[1] = coroutine.create(print)}": "result[1] is a thread",
    "{1, [5] = print}": "result[5] is a function",
    "{[1.5] = {print}}": "result[1.5][1] is a function",
    "'\\255'": "result is a string that is not UTF-8",
    "{a = {'\\237\\160\\128'}}": "result.a[1] is a string that is not UTF-8",
    "{a = '\\192\\128'}": "result.a is a string that is not UTF-8",
    "{a = 'x\\226\\130'}": "result.a is a string that is not UTF-8",
    "{a = '\\244\\144\\128\\128'}": "result.a is a string that is not UTF-8",
    "{['\\255'] = 1}": "result has a key that is not UTF-8",
    "{['a b'] = {print}}": 'result["a b"][1] is a function',
    "{[true] = 1}": "result has a boolean as a key",
    "{x = {[{}] = 1}}": "result.x has a table as a key",
    "{[1 / 0] = 1}": "result has a key that is not a finite number",
    "{[1] = 'a', ['1'] = 'b', x = 1}": 'result has both the number 1 and the string "1" as keys',
    "{t = {[1.5] = 'a', ['1.5'] = 'b'}}": 'result.t has both the number 1.5 and the string "1.5" as keys',
    "(function() local t = {} t.me = t return t end)()": "result.me is inside itself",
    "(function() local t = {} t[1] = {{t}} return t end)()": "result[1][1][1] is inside itself",
    "goop.json.array({a = 1})": "result is marked as an array but its keys are not 1 to n",
    "(function() local t = 1 for _ = 1, 101 do t = {t} end return t end)()": "result" + "[1]" * 100 + " is nested deeper than 100",
}

DECODE_ERRORS = {
    "\ufeff": "line 1 column 4: unexpected end",
    "1\ufeff": "line 1 column 2: unexpected text after the value",
    "\ufeff\ufeff1": "line 1 column 4: not a JSON value",
    "": "line 1 column 1: unexpected end",
    "{": "line 1 column 2: expected a key in double quotes",
    '{"a" 1}': "line 1 column 6: expected : after the key",
    '{"a": 1,}': "line 1 column 9: expected a key in double quotes",
    "[1, 2\n,, 3]": "line 2 column 2: not a JSON value",
    "[1 2]": "line 1 column 4: expected , or ] in an array",
    '{"a": 1\n\n  "b"}': "line 3 column 3: expected , or } in an object",
    "1 x": "line 1 column 3: unexpected text after the value",
    "01": "line 1 column 1: not a JSON value",
    "1.": "line 1 column 1: not a JSON number",
    "-": "line 1 column 1: not a JSON value",
    "1e400": "line 1 column 1: number out of range",
    "NaN": "line 1 column 1: not a JSON value",
    "tru": "line 1 column 1: not a JSON value",
    "'x'": "line 1 column 1: not a JSON value",
    '"x': "line 1 column 1: string without an end",
    '"\n"': "line 1 column 2: control character in a string",
    '"\\x"': "line 1 column 2: unknown escape \\x",
    '["\\u12"]': "line 1 column 3: \\u needs four hexadecimal digits",
    "[" * 101 + "]" * 101: "line 1 column 101: nested deeper than 100",
}


@pytest.mark.parametrize("expression", TO_JSON)
def test_from_lua(flavour: str, expression: str) -> None:
    expected = TO_JSON[expression]
    text = result_text(flavour, f"return {expression}")
    assert (text if isinstance(expected, str) else json.loads(text)) == expected


@pytest.mark.parametrize("text", FROM_JSON)
def test_to_lua(flavour: str, text: str) -> None:
    expression, expected = FROM_JSON[text]
    source = f"function handle(text) local v = assert(goop.json.decode(text)) return tostring({expression}) end"
    assert run(flavour, source, text.encode()).text == expected


@pytest.mark.parametrize("expression", ENCODE_ERRORS)
def test_what_cannot_cross_is_named_with_its_place(flavour: str, expression: str) -> None:
    assert error_of(flavour, f"return {expression}") == ENCODE_ERRORS[expression]


def test_a_table_a_hundred_deep_crosses(flavour: str) -> None:
    assert result_text(flavour, "local t = 1 for _ = 1, 100 do t = {t} end return t") == "[" * 100 + "1" + "]" * 100


def test_a_cdata_number_of_luajit_does_not_cross() -> None:
    assert error_of("luajit21", "return {n = 1LL}") == "result.n is a cdata"


@pytest.mark.parametrize("text", DECODE_ERRORS)
def test_bad_json_is_told_with_line_and_column(flavour: str, text: str) -> None:
    source = "function handle(text) local v, message = goop.json.decode(text) return tostring(v) .. ' ' .. message end"
    assert run(flavour, source, text.encode()).text == f"nil invalid JSON at {DECODE_ERRORS[text]}"


def test_json_that_is_not_utf8_is_refused(flavour: str) -> None:
    body = r"return select(2, goop.json.decode('[1,\n\"\255\"]'))"
    assert reply_of(flavour, body) == "invalid JSON at line 2 column 1: string that is not UTF-8"


def test_bad_parameters_are_the_callers_fault(flavour: str) -> None:
    ran = run(flavour, "function call() end", b"{nope}", "function")
    assert (ran.code, ran.text) == ("bad_request", "params: invalid JSON at line 1 column 2: expected a key in double quotes")


@pytest.mark.parametrize(("params", "kind"), [("5", "number"), ('"x"', "string"), ("true", "boolean")])
def test_parameters_are_a_table(flavour: str, params: str, kind: str) -> None:
    ran = run(flavour, "function call() end", params.encode(), "function")
    assert (ran.code, ran.text) == ("bad_request", f"params must be an object or an array, not a {kind}")


@pytest.mark.parametrize("params", ["null", "{}", "[]"])
def test_request_params_is_always_a_table(flavour: str, params: str) -> None:
    assert result_text(flavour, "return type(request.params) .. tostring(next(request.params))", params) == '"tablenil"'


def test_encode_gives_nil_and_the_error_instead_of_raising(flavour: str) -> None:
    assert reply_of(flavour, "local text, message = goop.json.encode({f = print}) return tostring(text) .. ' ' .. message") == (
        "nil value.f is a function"
    )


def test_a_result_of_more_than_a_megabyte_is_an_error_that_says_so(flavour: str) -> None:
    assert error_of(flavour, "return ('x'):rep(1048575)") == "result is 1048577 bytes of JSON, the most is 1048576"
    assert len(result_text(flavour, "return ('x'):rep(1048574)")) == 1048576


ORDERED = {
    "{b = 1, a = {d = 1, c = 2}, B = 3, [''] = 4}": '{"":4,"B":3,"a":{"c":2,"d":1},"b":1}',
    "{[10] = 1, [9] = 2, [-1] = 3, [1.5] = 4, b = 5, a = 6, ['8'] = 7}": '{"-1":3,"1.5":4,"9":2,"10":1,"8":7,"a":6,"b":5}',
    "{{b = 1, a = 2}, {a = 1, b = 2}, {a = 1}, {c = 1, a = 2}, {b = 1, c = 3, a = 2}, {b = 1, a = 2}}": (
        '[{"a":2,"b":1},{"a":1,"b":2},{"a":1},{"a":2,"c":1},{"a":2,"b":1,"c":3},{"a":2,"b":1}]'
    ),
    "{b = {b = {b = 1, a = 2}, a = goop.json.object({})}, a = 1}": '{"a":1,"b":{"a":{},"b":{"a":2,"b":1}}}',
}


@pytest.mark.parametrize("expression", ORDERED)
def test_the_same_value_is_always_the_same_text(flavour: str, expression: str) -> None:
    for _ in range(3):
        assert result_text(flavour, f"return {expression}") == ORDERED[expression]


@pytest.mark.parametrize("keys", [100, 101, 5000])
def test_an_object_of_many_keys_is_whole_and_in_order_and_so_is_the_next(flavour: str, keys: int) -> None:
    body = (
        f"local function make() local t = {{}} for i = 1, {keys} do t['k' .. i] = i end return t end return {{make(), make(), {{a = 1}}}}"
    )
    text = result_text(flavour, body)
    same = json.dumps({f"k{i}": i for i in range(1, keys + 1)}, sort_keys=True, separators=(",", ":"))
    assert text == f'[{same},{same},{{"a":1}}]'


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        "local s, t = ('x'):rep(1e6), {} for i = 1, 600 do t[i] = s end return {here = t}",
        "local t = {} for i = 1, 6 do t[i] = ('x'):rep(1e6) end return t",
        "local s, t = ('x'):rep(1000), {} for i = 1, 20000 do t[i] = {a = s} end return t",
        "local t = {1} for _ = 1, 60 do t = {t, t} end return t",
    ],
)
def test_a_result_far_too_large_is_told_as_that_and_not_as_memory_or_time_that_ran_out(flavour: str, body: str) -> None:
    assert error_of(flavour, body) == "result is more than 1048576 bytes of JSON"


NEARLY_A_MEGABYTE = {
    "t[i] = 1000000000 + i": 95_000,
    "t[i] = 'a'": 250_000,
    "t[i] = true": 190_000,
    "t[i] = {id = i, name = 'user number ' .. i}": 24_000,
    "t[i] = {_id = i, body = ('x'):rep(50), n = {i, {i}}}": 10_000,
}


@pytest.mark.parametrize("each", NEARLY_A_MEGABYTE)
def test_a_result_of_a_megabyte_fits_into_the_usual_memory_whatever_it_is_made_of(flavour: str, each: str) -> None:
    count = NEARLY_A_MEGABYTE[each]
    text = result_text(flavour, f"local t = {{}} for i = 1, {count} do {each} end return t")
    assert 900_000 < len(text) <= 1_048_576
    assert len(json.loads(text)) == count


def test_a_large_value_is_written_whole_and_in_order(flavour: str) -> None:
    value = {"rows": [{"id": i, "tags": ["a", "b"], "at": {"x": i, "y": [i] * (i % 3)}} for i in range(1, 2001)], "total": 2000}
    text = json.dumps(value, separators=(",", ":"), sort_keys=True)
    assert result_text(flavour, "return request.params", json.dumps(value)) == text


# ── Python's json as a second opinion ────────────────────────────────────────────────────────

ECHO = "return request.params[1]"

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

numbers = st.integers() | st.integers(-(EXACT + 2), EXACT + 2) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)


EMPTIES = {
    # body of a function that is called with {"empty": {}, "list": [], "nulls": {"a": null}}: its result
    "return request.params": '{"empty":{},"list":[],"nulls":{}}',
    "return goop.json.decode('{}')": "{}",
    "return {goop.json.decode('[{}, [], {\"a\": null}]'), {}}": "[[{},[],{}],[]]",
    "local t = request.params.empty t[1] = 'x' return t": '["x"]',
    "local t = request.params.empty t.a = 1 return t": '{"a":1}',
    "local t = request.params.empty t[1] = 'x' t[1] = nil return t": "{}",
    "local t = request.params.empty return goop.json.array(t)": "[]",
    "local t = request.params.list return goop.json.object(t)": "{}",
    "return goop.json.encode(request.params.empty)": '"{}"',
    "local t = {} for k, v in pairs(request.params.empty) do t[k] = v end return t": "[]",
}


@pytest.mark.parametrize("body", EMPTIES)
def test_an_empty_object_that_came_in_goes_out_as_one(flavour: str, body: str) -> None:
    params = '{"empty": {}, "list": [], "nulls": {"a": null}}'
    assert result_text(flavour, body, params) == EMPTIES[body]


def test_empty_params_go_out_as_an_object(flavour: str) -> None:
    assert result_text(flavour, "return request.params", "{}") == "{}"
    assert result_text(flavour, "return request.params", "[]") == "[]"
    assert result_text(flavour, "request.params[1] = 5 return request.params", "{}") == "[5]"


def through_lua(value: object) -> object:
    """What becomes of a JSON value that is decoded into Lua and encoded again."""
    if isinstance(value, list):
        return [through_lua(item) for item in value]
    if isinstance(value, dict):
        return {_text(name): through_lua(item) for name, item in value.items() if item is not None}
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return value if abs(value) <= EXACT else str(value)
    assert isinstance(value, float)
    return int(value) if value == int(value) and abs(value) <= EXACT else value


def _text(value: str) -> str:
    """Halves of a surrogate pair alone become U+FFFD."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def same(one: object, other: object) -> bool:
    """Equal, and of one type all the way down: 1 is neither 1.0 nor True."""
    return (
        repr(one) == repr(other)
        if not isinstance(one, dict | list)
        else json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    )


@pytest.mark.slow
@QUICK
@given(value=values)
@example(value=[{"a": [{}]}, {}, [], None])
@example(value="\x7f\x00\u2028\U0001f600")
def test_any_value_comes_through_lua_as_python_sees_it(flavour: str, value: object) -> None:
    assert same(result_of(flavour, ECHO, json.dumps([value])), through_lua(value))
    assert same(result_of(flavour, ECHO, json.dumps([value], ensure_ascii=False)), through_lua(value))


@QUICK
@given(number=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1074, 1023).map(lambda power: math.ldexp(1.0, power)))
def test_a_number_is_written_in_as_few_digits_as_python_needs_and_reads_back_the_same(flavour: str, number: float) -> None:
    assume(abs(number) > EXACT or number != int(number))
    text = result_text(flavour, ECHO, json.dumps([number]))
    assert struct.pack("<d", float(text)) == struct.pack("<d", number)
    assert _digits(text) <= _digits(repr(number))


def _digits(text: str) -> int:
    return len(text.lower().partition("e")[0].replace(".", "").strip("-0"))


json_like = st.text(alphabet='{}[]:,"\\ -+.eE0123456789truefalsnNaI\n\tué\x7f', max_size=30)
nearly_json = st.builds(
    lambda value, at, what: (text := json.dumps(value))[: at % (len(text) + 1)] + what + text[at % (len(text) + 1) + len(what) :],
    values,
    st.integers(0, 500),
    st.text(alphabet='{}[]:,"\\ -.e01n\n', max_size=2),
)


@pytest.mark.slow
@QUICK
@given(text=json_like | nearly_json)
@example(text='"\\ud800\\udc00"')
@example(text="[1e5, 1E+05, -0.0]")
def test_lua_takes_the_json_texts_that_python_takes_and_no_others(flavour: str, text: str) -> None:
    source = "function call(r) local v, m = goop.json.decode(r.params[1]) if m then return {refused = m} end return {v} end"
    answer = json.loads(run(flavour, source, json.dumps([text]).encode(), "function").text)
    try:
        expected = json.loads(text, parse_constant=_refuse)
        assume("Infinity" not in repr(expected) and "inf" not in json.dumps(expected, allow_nan=True).lower())
    except ValueError:
        assert isinstance(answer, dict), f"Lua took {text!r}"
        assert answer["refused"].startswith("invalid JSON at line ")
    else:
        assert same(answer, [through_lua(expected)])


def _refuse(constant: str) -> None:
    raise ValueError(constant)
