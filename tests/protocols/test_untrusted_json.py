"""JSON of others, decoded in one place.

Invariant: whatever the bytes are, the decoder gives a value or raises `InvalidJsonError`.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import goop2
from goop2.protocols.untrusted_json import NESTING_MAX, Decoder, InvalidJsonError, UnexpectedJsonError, decode

TRUSTED_READERS = {
    "services/rest_api/resources.py": "the owner's api.json: mistakes are shown with line and column",
    "cli/demo.py": "the demo's own rows",
    "config/types.py": "the owner's environment",
    "config/loading.py": "the owner's goop.json: mistakes are shown with line and column",
    "folder/creation.py": "the template's goop.json",
    "protocols/tolerant_json.py": "halves of characters, which the strict decoder refuses; the result goes through the strict one",
    "sandbox/call_details.py": "what this worker's own peer has just said of an answer, in the worker",
    "sandbox/orm_calls.py": "what this worker's own VM has just written, in the worker",
    "sandbox/transforms.py": "a definition as this worker's own peer has just written it, in the worker",
    "sandbox/worker_operations.py": "what this worker's own VM has just written, in the worker",
    "web/http/plain_errors.py": "what we have just written",
    "storage/registry_schema.py": "the registry, written by us",
    "storage/schema_declarations.py": "the owner's schema files",
    "storage/typed_tables.py": "the registry",
    "web/console/controls/scripts.py": "what our own storage has just written",
    "web/console/places.py": "what our own storage has just written",
    "services/script_keys.py": "the table of goop.kv, written by us",
    "cli/kv.py": "the table of goop.kv, written by us",
    "web/remote/listen.py": "what we have just written",
    "folder/file_switch.py": "a journal that is believed by its seal alone; whatever else it is, is refused",
    "storage/template_tables.py": "what we have written, in a file with our seal",
    "web/http/languages.py": "files of this package",
    "services/backup/litestream.py": "what the program that we started says of itself",
    "services/backup/terms.py": "what the program that we started lists",
    "services/script_tests/runner.py": "names of tests, as our own harness lists them in the worker",
    "services/script_tests/stubs.py": "a part of what the strict decoder has taken",
}
"""Module → why it decodes JSON by itself."""
_BY_ITSELF = re.compile(r"(?:(?<![.\w])|msgspec\.)json\.(?:decode|loads|load|Decoder)\(|\.json\(\)")


class Place(msgspec.Struct):
    function: str = ""
    limit: int = 0
    params: msgspec.Raw = msgspec.Raw(b"{}")


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "truncated"),
    "cut": (b'{"a', "truncated"),
    "nested without end": (b"[" * 100_000, "nested more than 128"),
    "nested without end, closed": (b"[" * 100_000 + b"]" * 100_000, "nested more than 128"),
    "nested a little too deep": (b"[" * (NESTING_MAX + 1) + b"]" * (NESTING_MAX + 1), "nested more than 128"),
    "objects": (b'{"a":' * 200 + b"1" + b"}" * 200, "nested more than 128"),
    "deep after many shallow ones": (b"[" + b"[]," * 500 + b"[" * 128 + b"]" * 128 + b"]", "nested more than 128"),
    "a number out of range": (b'{"limit": 1e999}', "out of range"),
    "a whole number out of range": (b"9" * 5000, "out of range"),
    "no UTF-8": (b'"a\xff"', r"not UTF-8 \(byte 2\)"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
    "not a number": (b"NaN", "malformed"),
    "half a character": (rb'"\ud83d"', "truncated"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_json_is_one_kind_of_error_that_says_why(name: str) -> None:
    content, why = REFUSED[name]
    with pytest.raises(InvalidJsonError, match=why):
        decode(content)


@pytest.mark.parametrize(
    "content", [b'{"params": "\xff"}', b'{"params":' + b"[" * 128 + b"]" * 128 + b"}", b'{"x": {"y":' + b"[" * 500 + b"]" * 500 + b"}}"]
)
def test_a_part_that_is_taken_as_it_is_is_looked_at_too(content: bytes) -> None:
    with pytest.raises(InvalidJsonError):
        Decoder(Place).decode(content)


@pytest.mark.parametrize("content", [b"[]", b'{"function": 5}', b'{"limit": 1e999}', b'{"limit": 5.5}'])
def test_json_of_another_form_is_told_apart(content: bytes) -> None:
    with pytest.raises(UnexpectedJsonError):
        Decoder(Place).decode(content)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * NESTING_MAX + b"]" * NESTING_MAX,
        b"[" + b",".join([b"[[]]"] * 1000) + b"]",
        b'["' + b"[" * 1000 + b'"]',
        rb'["' + b"[" * 200 + rb"\"" + b"[" * 200 + rb'\\"]',
    ],
    ids=["as deep as allowed", "many shallow ones", "brackets in a text", "brackets in a text with quotes"],
)
def test_what_is_not_too_deep_is_taken(content: bytes) -> None:
    assert decode(content) == msgspec.json.decode(content)


@given(st.binary(max_size=200) | st.text(alphabet='[]{}":,\\u0123ade.-', max_size=60).map(str.encode))
def test_nothing_but_its_own_error_leaves_it(content: bytes) -> None:
    for decoder in (Decoder(Place), Decoder(dict[str, msgspec.Raw]), Decoder(object)):
        with contextlib.suppress(InvalidJsonError):
            decoder.decode(content)


def test_every_room_decodes_what_others_wrote_here() -> None:
    """A module that decodes JSON by itself says in the table above whose JSON it is."""
    root = Path(goop2.__file__).parent
    found = {
        str(file.relative_to(root))
        for file in root.rglob("*.py")
        if file.name != "untrusted_json.py" and _BY_ITSELF.search(file.read_text())
    }
    assert found == set(TRUSTED_READERS)


@pytest.mark.parametrize("text", [b'\xef\xbb\xbf{"a": 1}', '\ufeff{"a": 1}'])
def test_a_byte_order_mark_is_no_part_of_the_text(text: bytes | str) -> None:
    assert decode(text) == {"a": 1}
