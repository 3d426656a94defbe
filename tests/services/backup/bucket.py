"""A bucket of S3 in memory, as much of it as Litestream asks for; moto's server would bring sixty packages."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


class Bucket(ThreadingHTTPServer):
    """The objects of all buckets by `/bucket/key`, and who asked for them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.objects: dict[str, bytes] = {}
        self.signers: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: the second would wait for the first one's acknowledgement
    disable_nagle_algorithm = True
    server: Bucket

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Last-Modified": "Mon, 30 Nov 2026 00:00:00 GMT", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if "aws-chunked" not in self.headers.get("content-encoding", ""):
            return body
        whole, at = b"", 0
        while (end := body.find(b"\r\n", at)) >= 0 and (size := int(body[at:end].partition(b";")[0], 16)):
            whole, at = whole + body[end + 2 : end + 2 + size], end + 2 + size + 2
        return whole

    def _asked(self) -> tuple[str, dict[str, list[str]]]:
        if found := re.search(r"Credential=(\w+)/", self.headers.get("authorization", "")):
            self.server.signers.add(found[1])
        parts = urlsplit(self.path)
        return unquote(parts.path), parse_qs(parts.query, keep_blank_values=True)

    def do_PUT(self) -> None:
        path, _ = self._asked()
        self.server.objects[path] = self._body()
        self._answer(200, ETag='"0"')

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path, query = self._asked()
        if path.rstrip("/").count("/") == 1:
            self._list(path.rstrip("/"), query)
        elif (content := self.server.objects.get(path)) is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", "")):
            first, last = int(found[1]), min(int(found[2] or len(content)), len(content) - 1)
            self._answer(206, content[first : last + 1], ETag='"0"', Content_Range=f"bytes {first}-{last}/{len(content)}")
        else:
            self._answer(200, content, ETag='"0"')

    def _list(self, bucket: str, query: dict[str, list[str]]) -> None:
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        after = query.get("start-after", [""])[0]
        keys = sorted(key.removeprefix(f"{bucket}/") for key in self.server.objects if key.startswith(f"{bucket}/{prefix}"))
        folders = {
            prefix + key.removeprefix(prefix).partition(delimiter)[0] + delimiter
            for key in keys
            if delimiter and delimiter in key[len(prefix) :]
        }
        shown = [key for key in keys if key > after and not any(key.startswith(each) for each in folders)]
        listed = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.server.objects[f'{bucket}/{key}'])}</Size>"
            "<LastModified>2026-11-30T00:00:00Z</LastModified></Contents>"
            for key in shown
        ) + "".join(f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in sorted(folders))
        self._answer(
            200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>".encode(), Content_Type="application/xml"
        )

    def do_POST(self) -> None:
        path, _ = self._asked()
        for key in re.findall(r"<Key>(.*?)</Key>", self._body().decode()):
            self.server.objects.pop(f"{path.rstrip('/')}/{key}", None)
        self._answer(200, b"<DeleteResult></DeleteResult>", Content_Type="application/xml")

    def do_DELETE(self) -> None:
        path, _ = self._asked()
        self.server.objects.pop(path, None)
        self._answer(204)


@contextmanager
def open_bucket() -> Iterator[Bucket]:
    with Bucket() as bucket:
        thread = threading.Thread(target=bucket.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield bucket
        finally:
            bucket.shutdown()
            thread.join()
