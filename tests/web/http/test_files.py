"""Files over HTTP: types, what is sent again and what is not, parts, compression, folders, and what is no file."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from tests.web.served import Answer, Served, served

from goop2.web.http.files import Compressed
from goop2.web.limits import CHUNK_BYTES, COMPRESSED_FROM_BYTES, COMPRESSED_TO_BYTES

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEDIA = bytes(range(256)) * 1024  # 256 KB: several pieces
LONG_TEXT = "the same line again\n" * 500


@pytest.fixture(scope="module", autouse=True)
def _site(up: Served) -> None:
    site = up.folder / "site"
    (site / "blog").mkdir()
    (site / "blog/index.html").write_text("blog")
    (site / "short.txt").write_text("0123456789")
    (site / "empty.txt").write_text("")
    (site / "long.css").write_text(LONG_TEXT)
    (site / "song.mp3").write_bytes(MEDIA)
    (site / "ä b.html").write_text("named")
    (site / "large.txt").write_bytes(b"x" * (COMPRESSED_TO_BYTES + 1))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/p/{own}/", b"<h1>Front page</h1>"),
        ("/blog/", b"blog"),
        ("/short.txt", b"0123456789"),
        ("/%C3%A4%20b.html", b"named"),
        ("/empty.txt", b""),
    ],
)
async def test_a_file_is_sent_whole(up: Served, path: str, body: bytes) -> None:
    answer = await up.ask(path.format(own=up.peer.identity.peer_id))
    assert answer.status == 200
    assert answer.body.endswith(body)
    assert answer.headers["content-length"] == str(len(answer.body))


@pytest.mark.parametrize(
    "path",
    [
        "/nosuch",
        "/lua/hello.lua",
        "/lua/functions/hello.lua",
        "/%6cua/functions/hello.lua",
        "/lua%2ffunctions%2fhello.lua",
        "/.env",
        "/..%2fgoop.json",
        "/%2e%2e/goop.json",
        "/a%00b",
    ],
)
async def test_what_is_not_served_gets_a_page_of_ours_and_nothing_of_it(up: Served, path: str) -> None:
    (up.folder / "site/.env").write_text("SECRET")
    answer = await up.ask(path)
    assert answer.status == 404
    assert b"There is nothing here" in answer.body
    assert b"SECRET" not in answer.body


async def test_a_folder_leads_to_its_slash_with_the_query_kept(up: Served) -> None:
    answer = await up.ask("/blog?page=2")
    assert (answer.status, answer.headers["location"]) == (308, "/blog/?page=2")


async def test_what_has_not_changed_is_not_sent_again(up: Served) -> None:
    etag = (await up.ask("/short.txt")).headers["etag"]
    assert (await up.ask("/short.txt", if_none_match=etag)).status == 304
    assert (await up.ask("/short.txt", if_none_match=f'"x", W/{etag}')).body == b""
    assert (await up.ask("/short.txt", if_none_match="*")).status == 304
    assert (await up.ask("/nosuch.txt", if_none_match="*")).status == 404
    assert (await up.ask("/short.txt", if_none_match='"x"')).status == 200


async def test_what_has_changed_is(up: Served) -> None:
    file = up.folder / "site/changing.txt"
    file.write_text("before")
    etag = (await up.ask("/changing.txt")).headers["etag"]
    file.write_text("after!")
    assert (await up.ask("/changing.txt", if_none_match=etag)).body == b"after!"


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=2-5", 2, 5),
        ("bytes=7-", 7, 9),
        ("bytes=-3", 7, 9),
        ("bytes=0-999", 0, 9),
        ("bytes=-999", 0, 9),
        ("Bytes=2-5", 2, 5),
    ],
)
async def test_a_part_is_sent(up: Served, asked: str, first: int, last: int) -> None:
    answer = await up.ask("/short.txt", range=asked)
    assert (answer.status, answer.body) == (206, b"0123456789"[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/10"


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-20", "bytes=-0"])
async def test_a_part_that_is_not_there_is_said(up: Served, asked: str) -> None:
    answer = await up.ask("/short.txt", range=asked)
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */10")


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,4-5", "bytes=1" + "0" * 30 + "-"])
async def test_a_part_nobody_understands_is_the_whole(up: Served, asked: str) -> None:
    assert (await up.ask("/short.txt", range=asked)).status == 200


async def test_a_part_of_another_version_is_the_whole(up: Served) -> None:
    etag = (await up.ask("/short.txt")).headers["etag"]
    assert (await up.ask("/short.txt", range="bytes=0-1", if_range=etag)).status == 206
    assert (await up.ask("/short.txt", range="bytes=0-1", if_range='"old"')).status == 200


async def test_media_come_in_pieces_and_in_parts(up: Served) -> None:
    assert len(MEDIA) > 2 * CHUNK_BYTES
    whole = await up.ask("/song.mp3", accept_encoding="gzip")
    assert whole.body == MEDIA
    assert "content-encoding" not in whole.headers
    part = await up.ask("/song.mp3", range=f"bytes={CHUNK_BYTES - 1}-{2 * CHUNK_BYTES}")
    assert part.body == MEDIA[CHUNK_BYTES - 1 : 2 * CHUNK_BYTES + 1]


@pytest.mark.parametrize("path", ["/short.txt", "/song.mp3", "/nosuch"])
async def test_head_is_get_without_the_body(up: Served, path: str) -> None:
    get, head = await up.ask(path), await up.ask(path, method="HEAD")
    assert head.body == b""
    assert (head.status, head.headers["content-length"]) == (get.status, get.headers["content-length"])
    assert (await up.ask(path, method="HEAD", range="bytes=0-1")).status == get.status, "parts are of GET alone"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_files_are_only_read(up: Served, method: str) -> None:
    answer = await up.ask("/short.txt", method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "deflate, GZIP", "*"])
async def test_long_texts_are_compressed_for_whom_takes_it(up: Served, accepted: str) -> None:
    plain, packed = await up.ask("/long.css"), await up.ask("/long.css", accept_encoding=accepted)
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body == LONG_TEXT.encode()
    assert packed.headers["etag"] != plain.headers["etag"]
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert (await up.ask("/long.css", accept_encoding=accepted, if_none_match=packed.headers["etag"])).status == 304


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0"])
async def test_and_for_nobody_else(up: Served, accepted: str) -> None:
    assert "content-encoding" not in (await up.ask("/long.css", accept_encoding=accepted)).headers


async def test_short_and_huge_texts_are_sent_as_they_are(up: Served) -> None:
    assert len("0123456789") < COMPRESSED_FROM_BYTES
    assert "content-encoding" not in (await up.ask("/short.txt", accept_encoding="gzip")).headers
    huge = await up.ask("/large.txt", accept_encoding="gzip")
    assert "content-encoding" not in huge.headers
    assert len(huge.body) == COMPRESSED_TO_BYTES + 1


async def test_compressed_texts_are_kept_within_a_bound() -> None:
    texts = Compressed(kept_bytes=100)
    made = [await texts.of(str(number), bytes([number]) * 10) for number in range(20)]
    assert await texts.of("19", b"not looked at") == made[19]
    assert await texts.of("0", b"made anew") != made[0]
    assert texts._bytes <= 100


async def test_the_sdk_is_served_on_every_site_with_an_etag(up: Served) -> None:
    first = await up.ask("/sdk/goop-data.js")
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    assert (await up.ask("/sdk/goop-data.js", if_none_match=first.headers["etag"])).status == 304
    for absent in ("/sdk/", "/sdk/nosuch.js", "/sdk/../app.py", "/sdk/__init__.py"):
        assert (await up.ask(absent)).status == 404


async def test_a_script_reads_what_anybody_may_see_and_nothing_else(up: Served) -> None:
    async def read(path: str) -> Answer:
        return await up.call("reads", {"path": path})

    assert (await read("short.txt")).json == {"text": "0123456789"}
    assert (await read("lua/functions/hello.lua")).json == {"error": "lua/functions/hello.lua is no file of the site"}
    assert (await read("../goop.json")).json == {"error": "../goop.json is no file of the site"}
    assert "the most is 1048576" in (await read("large.txt")).json["error"]


async def test_pages_reload_themselves_for_the_owner_who_asked_for_it(tmp_path: Path, up: Served) -> None:
    assert b"goop-live.js" not in (await up.ask(up.front)).body
    async with served(tmp_path, live=True) as live:
        page = await live.ask(live.front)
        assert page.body.endswith(b'<script src="/sdk/goop-live.js"></script>\n')
        assert page.headers["content-length"] == str(len(page.body))
        assert b"goop-live.js" not in (await live.ask(live.front, host=live.visitor("ann"))).body
