"""The picture of a peer on the wire, and what is taken for a picture."""

from __future__ import annotations

import struct

import pytest
from nacl.public import PrivateKey
from tests.go_pictures import PNG

from goop2.protocols import avatar
from goop2.protocols.avatar import PICTURE_MAX_BYTES, SIDE_MAX_PIXELS, AvatarHeader
from goop2.protocols.encrypted_payload import PayloadBox
from goop2.protocols.errors import RemoteProtocolError

TOO_LARGE = b"OK %d" % (PICTURE_MAX_BYTES + 1)
TOO_LARGE_SEALED = b"EOK %d" % (2 * PICTURE_MAX_BYTES)


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06\0\0\0"


def jpeg(width: int, height: int) -> bytes:
    return b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc2\x00\x11\x08" + struct.pack(">HH", height, width) + b"rest"


def webp(width: int, height: int) -> bytes:
    return b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"".join((side - 1).to_bytes(3, "little") for side in (width, height))


def test_an_answer_is_read_as_it_was_written() -> None:
    keys = PrivateKey.generate(), PrivateKey.generate()
    box = PayloadBox(bytes(keys[0]), bytes(keys[1].public_key))
    for sealed in (None, box):
        header, _, body = avatar.answer(PNG, sealed).partition(b"\n")
        found = avatar.header(header)
        assert (found.size, found.encrypted) == (len(body), sealed is not None)
        assert (body if sealed is None else box.open(body)) == PNG
    assert avatar.answer(b"") == b"NONE\n"
    assert avatar.header(b"NONE") == AvatarHeader(0)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"OK",
        b"OK -1",
        b"OK 1.5",
        b"OK x",
        "OK ٣".encode(),
        b"ok 5",
        b"GET / HTTP/1.1",
        b"OK " + b"9" * 50,
        TOO_LARGE,
        TOO_LARGE_SEALED,
    ],
)
def test_a_header_that_is_none_or_promises_too_much_is_refused(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        avatar.header(line)


def test_a_picture_is_known_by_its_bytes() -> None:
    endings = {"png": png(640, 480), "jpg": jpeg(640, 480), "webp": webp(640, 480)}
    for ending, content in endings.items():
        picture = avatar.picture_of(content)
        assert picture is not None
        assert (picture.ending, picture.mime) == (ending, f"image/{ending.replace('jpg', 'jpeg')}")


@pytest.mark.parametrize(
    "content",
    [b"", b"<svg onload='alert(1)'/>", b"<!doctype html><script>alert(1)</script>", b"GIF89a", b"RIFF\0\0\0\0WAVE", b"\x89PN"],
)
def test_anything_else_is_no_picture(content: bytes) -> None:
    assert avatar.picture_of(content) is None


@pytest.mark.parametrize("make", [png, jpeg, webp])
def test_a_picture_that_unpacks_to_gigabytes_is_none(make: object) -> None:
    assert callable(make)
    assert avatar.picture_of(make(SIDE_MAX_PIXELS, 1)) is not None
    assert avatar.picture_of(make(SIDE_MAX_PIXELS + 1, 1)) is None
    assert avatar.picture_of(make(1, SIDE_MAX_PIXELS + 1)) is None
    assert avatar.picture_of(png(1, 1) + b"x" * PICTURE_MAX_BYTES) is None


@pytest.mark.parametrize("text", ["", "0123456789abcde", "0123456789ABCDEF", "../../etc/passwd", "0123456789abcdef\n", "x" * 16])
def test_a_name_that_is_no_hash_is_never_a_files_name(text: str) -> None:
    assert not avatar.is_hash(text)
    assert avatar.is_hash(avatar.hash_of(PNG))
