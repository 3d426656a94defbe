"""Shared files on the wire: names that are safe everywhere, requests, lists and headers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.protocols import shared_files
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.shared_files import FILE_MAX_BYTES, FILES_MAX, FileRequest, PieceHeader, SharedFile, SharingRefusedError

HASH = f"sha256:{'0' * 64}"
SAFE = ("a", "thesis.pdf", "Größe (2).odt", "文書.txt", "a b.c", "x" * 200, "fusion.con", "a'b.txt")
UNSAFE = (
    *("", ".", "..", ".x", "a/b", "a\\b", "/a", "C:x", "a\0", "a\nb", "a\x7f", "x" * 201, "ä" * 101, " a", "a ", "a.", "\ud800"),
    *("a\u202eb", "a\u200b", "con", "NUL.txt", "com1", "con.fusion", "a?b", "a*b", 'a"b', "a<b", "a|b"),
)


@pytest.mark.parametrize("name", SAFE)
def test_a_name_that_every_system_takes_is_safe(name: str) -> None:
    assert shared_files.is_safe_name(name)


@pytest.mark.parametrize("name", UNSAFE)
def test_a_path_a_dot_file_and_what_cannot_be_seen_are_no_names(name: str) -> None:
    assert not shared_files.is_safe_name(name)


@given(st.text())
def test_a_safe_name_is_one_visible_part_of_a_path(name: str) -> None:
    if shared_files.is_safe_name(name):
        assert "/" not in name
        assert name not in (".", "..")
        assert name.isprintable()


IDS = {"0123456789abcdef": True, "a-b_c": True, "": False, "..": False, "a/b": False, "-a": False}


@pytest.mark.parametrize(("group", "safe"), IDS.items())
def test_the_id_of_a_group_may_be_no_path(group: str, safe: bool) -> None:
    assert shared_files.is_safe_group(group) is safe


def test_a_request_is_read_as_it_was_written() -> None:
    asked = FileRequest("get", "g", "a.pdf", 4, 8)
    assert shared_files.requested(shared_files.request(asked).rstrip(b"\n")) == asked
    assert json.loads(shared_files.request(FileRequest("list", "g"))) == {"op": "list", "group_id": "g"}


@pytest.mark.parametrize("text", [b"", b"[]", b'{"op":1}', b'{"op":"get","offset":-1}', b'{"op":"get","length":99999999999}', b"\xff"])
def test_a_request_that_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        shared_files.requested(text)


def test_a_list_has_only_files_that_can_be_kept() -> None:
    good = {"name": "a.pdf", "size": 3, "mod_time": 1.5, "hash": HASH, "more": 1}
    bad = [{**good, "name": "../x"}, {**good, "size": -1}, {**good, "size": FILE_MAX_BYTES + 1}, {**good, "hash": "md5:1"}]
    answer = json.dumps({"ok": True, "files": [*bad, good]}).encode()
    assert [file.name for file in shared_files.listed(answer)] == ["a.pdf"]
    assert shared_files.listed(b'{"ok":true,"files":null}') == []
    assert len(shared_files.listed(json.dumps({"ok": True, "files": [good] * (FILES_MAX + 1)}).encode())) == FILES_MAX
    longest = [SharedFile("x" * 200, 1, 1, HASH)] * FILES_MAX
    assert len(shared_files.listed(shared_files.list_answer(longest).rstrip(b"\n"))) == FILES_MAX, "it fits into a line"


def test_a_refusal_is_told_apart() -> None:
    for read in (shared_files.listed, shared_files.piece):
        with pytest.raises(SharingRefusedError, match=r"^not a member$"):
            read(b'{"ok":false,"error":"not a\\n member"}')
    with pytest.raises(RemoteProtocolError, match="a list where a file"):
        shared_files.piece(b'{"ok":true,"files":[]}')


def test_a_header_is_read_as_it_was_written() -> None:
    for encrypted in (False, True):
        line = shared_files.header("text/plain; charset=utf-8", 12, encrypted=encrypted).rstrip(b"\n")
        assert shared_files.piece(line) == PieceHeader("text/plain; charset=utf-8", 12, encrypted)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"OK",
        b"OK 5",
        b"OK text/plain",
        b"OK text/plain -5",
        b"OK text/plain 5.0",
        b"ok text/plain 5",
        b"OK a/b " + b"9" * 40,
        b"OK a/b 52428801",
    ],
)
def test_a_header_that_is_none_or_promises_too_much_is_refused(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        shared_files.piece(line)
