"""Uploads as forms: the only file of one is what is stored; anything else is refused before what is there is overwritten."""

from __future__ import annotations

import pytest
from tests.web.served import Answer, Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

BINARY = bytes(range(256)) + b"\r\n--x\r--\n"


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    named = f'; filename="{filename}"' if filename is not None else ""
    return f'--edge\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"


async def uploads(up: Served, *parts: bytes, kind: str = "multipart/form-data; boundary=edge", end: bytes = b"--edge--\r\n") -> Answer:
    (up.folder / "site/kept.txt").write_text("my text")
    return await up.ask("/api/site/upload?path=kept.txt", method="POST", body=b"".join(parts) + end, content_type=kind)


@pytest.mark.parametrize(
    "more", [[], [part("title", b"A title")], [part("other", b"", "")]], ids=["alone", "with a field", "with an empty input"]
)
async def test_the_only_file_of_a_form_is_stored_byte_for_byte(up: Served, more: list[bytes]) -> None:
    answer = await uploads(up, part("file", BINARY, "a.bin"), *more)
    assert (answer.status, (up.folder / "site/kept.txt").read_bytes()) == (200, BINARY)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([part("title", b"A title")], "this one has none"),
        ([part("a", b"1", "a.txt"), part("b", b"2", "b.txt")], "this one has 2"),
        ([part("file", b"", "")], "this one has none"),
    ],
)
async def test_a_form_without_just_one_file_is_refused_and_nothing_is_overwritten(up: Served, parts: list[bytes], said: str) -> None:
    answer = await uploads(up, *parts)
    assert (answer.status, answer.json["code"]) == (400, "bad_request")
    assert said in answer.json["message"]
    assert (up.folder / "site/kept.txt").read_text() == "my text"


@pytest.mark.parametrize("kind", ["multipart/form-data", "Multipart/Form-Data; boundary=", "multipart/form-data; boundary=other"])
async def test_a_form_that_cannot_be_read_is_refused(up: Served, kind: str) -> None:
    answer = await uploads(up, part("file", b"new", "a.txt"), kind=kind)
    assert (answer.status, (up.folder / "site/kept.txt").read_text()) == (400, "my text")
    assert "send the file itself as the body" in answer.json["message"]


async def test_half_a_form_is_refused(up: Served) -> None:
    answer = await uploads(up, part("file", b"new", "a.txt")[:-2], end=b"")
    assert (answer.status, (up.folder / "site/kept.txt").read_text()) == (400, "my text")


async def test_a_body_of_any_other_type_is_the_file(up: Served) -> None:
    answer = await uploads(up, b"a=1", kind="application/x-www-form-urlencoded", end=b"")  # what curl --data-binary says of any file
    assert (answer.status, (up.folder / "site/kept.txt").read_text()) == (200, "a=1")
