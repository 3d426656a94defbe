"""The peer that runs the Lua of the documentation: one for all examples, with the wall, the tables and the files they speak of."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.services.listen.sounds import wav
from tests.web.served import Served, served

from goop2.app import join

POSTS = {"name": "posts", "columns": [{"name": "title", "type": "text", "required": True}, {"name": "likes", "type": "integer"}]}
OPTIONS = {"name": "options", "columns": [{"name": "key", "type": "text", "required": True}, {"name": "value", "type": "text"}]}
LOOKS = {"name": "looks", "columns": [{"name": "colour", "type": "text"}, {"name": "size", "type": "integer"}]}
PEOPLE = {
    "description": "Names of people",
    "fields": [{"target": "name", "sources": ["first", "last"], "transform": "concat", "args": [" "]}],
}
ANSWERS = {"/weather": {"text": "sunny"}, "/scores": {"stored": True}}
TABLES = (POSTS, OPTIONS, LOOKS)
FEED = """<rss><channel><title>News</title><item><title>First</title><link>https://example.com/1</link></item>
<item><title>Second</title><link>https://example.com/2</link></item></channel></rss>"""


class _Service(BaseHTTPRequestHandler):
    """A web service that the examples call api.example.com."""

    def do_GET(self) -> None:
        """Answer a request."""
        path = self.path.partition("?")[0]
        body = FEED.encode() if path == "/feed.xml" else json.dumps(ANSWERS.get(path, {})).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Answer a request after its body."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@contextmanager
def service() -> Iterator[str]:
    """Serve on loopback what the examples get from api.example.com; give its host and port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@asynccontextmanager
async def reference_peer(folder: Path, functions: Mapping[str, str]) -> AsyncIterator[Served]:
    """Open a peer with these data functions and with everything the examples use."""
    for table in TABLES:
        (folder / "schemas").mkdir(exist_ok=True)
        (folder / f"schemas/{table['name']}.json").write_text(json.dumps(table))
    for path in ("transformations", "site/lua/lib", "music"):
        (folder / path).mkdir(parents=True)
    (folder / "transformations/people.json").write_text(json.dumps(PEOPLE))
    (folder / "site/lua/lib/words.lua").write_text('return { shout = function(text) return text:upper() .. "!" end }')
    (folder / "site/lua/hello.lua").write_text('--- Says hello\nfunction handle(args) return "Hello!" end')
    wav(folder / "music/song.wav", 2)
    with service() as host:
        here = {name: source.replace("https://api.example.com", f"http://{host}") for name, source in functions.items()}
        lua = {"http_enabled": True, "http_allow": [host], "kv_enabled": True, "timeout_seconds": 10, "max_workers": 2}
        async with served(folder, functions=here, lua=lua) as up, join(up.peer, 0, listen_on="127.0.0.1", near_by=False):
            yield up


async def reset(up: Served) -> None:
    """Bring tables back to what every example starts with."""
    await asyncio.to_thread(_reset, up.folder / "data.db")


def _reset(database: Path) -> None:
    with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
        connection.executescript(
            "DELETE FROM posts; DELETE FROM sqlite_sequence WHERE name = 'posts';"
            "INSERT INTO posts (_id, _owner, title, likes) VALUES (1, 'ann', 'Hello', 3), (2, 'ann', 'Second', 5);"
            "DELETE FROM options; DELETE FROM looks; INSERT INTO looks (_owner, colour, size) VALUES ('ann', 'red', 1);"
        )
