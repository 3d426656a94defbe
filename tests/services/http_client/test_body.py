"""Bodies: whole, decompressed, and never a byte too many."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest

from goop2.services.http_client.body import GzipBody, ResponseBody, body_for
from goop2.services.http_client.errors import OutboundError

MEGABYTE = 1024 * 1024


def fed(body: ResponseBody, content: bytes, size: int = 16384) -> bytes:
    for start in range(0, len(content), size):
        body.feed(content[start : start + size])
    return body.finish()


def test_a_plain_body_of_one_megabyte_is_whole() -> None:
    assert fed(ResponseBody(), b"x" * MEGABYTE) == b"x" * MEGABYTE


def test_one_byte_more_is_too_many() -> None:
    with pytest.raises(OutboundError, match=r"^response exceeds 1 MB$"):
        fed(ResponseBody(), b"x" * (MEGABYTE + 1))


@pytest.mark.parametrize("size", [1, 7, 16384])
def test_gzip_in_pieces_of_any_size(size: int) -> None:
    content = bytes(range(256)) * 10
    assert fed(GzipBody(), gzip.compress(content), size) == content


@pytest.mark.parametrize("size", [1, 16384])
def test_gzip_of_several_members_is_all_of_them(size: int) -> None:
    assert fed(GzipBody(), gzip.compress(b"one ") + gzip.compress(b"two"), size) == b"one two"


def test_a_megabyte_that_was_compressed_is_whole() -> None:
    assert len(fed(GzipBody(), gzip.compress(b"x" * MEGABYTE))) == MEGABYTE


def test_a_bomb_is_cut_before_it_takes_memory() -> None:
    bomb = gzip.compress(b"\0" * (64 * MEGABYTE))
    tracemalloc.start()
    with pytest.raises(OutboundError, match=r"^response exceeds 1 MB$"):
        fed(GzipBody(), bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * MEGABYTE


def test_gzip_that_ends_early_is_no_answer() -> None:
    with pytest.raises(OutboundError, match=r"^response is cut short$"):
        fed(GzipBody(), gzip.compress(b"hello")[:-4])


def test_nothing_at_all_is_an_empty_body() -> None:
    assert fed(GzipBody(), b"") == b""


def test_what_is_no_gzip_is_said() -> None:
    with pytest.raises(OutboundError, match=r"^response is no valid gzip$"):
        fed(GzipBody(), b"hello")


def test_an_announced_length_too_large_is_refused_before_a_byte_of_it() -> None:
    with pytest.raises(OutboundError, match=r"^response exceeds 1 MB$"):
        body_for({"content-length": str(MEGABYTE + 1)})


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "x"])
def test_an_encoding_nobody_asked_for_is_named(encoding: str) -> None:
    with pytest.raises(OutboundError, match=rf"^response is encoded as {encoding}, which was not asked for$"):
        body_for({"content-encoding": encoding})


def test_a_body_in_crumbs_is_refused() -> None:
    with pytest.raises(OutboundError, match="more than 10000 pieces"):
        fed(ResponseBody(), b"x" * 10001, 1)


def test_gzip_in_crumbs_is_refused() -> None:
    with pytest.raises(OutboundError, match="more than 10000 pieces"):
        fed(GzipBody(), gzip.compress(b"") * 10001)
