r"""`/goop/site/1.0.0`: a file of a peer's site.

    GET /path\n  →  OK <mime> <bytes>\n + body        the mime may hold blanks, so the size is the last word
                    EOK <mime> <bytes>\n + body       to an encrypted request (encrypted_payload.py): the body is one box of so many bytes
                    ERR <reason>\n                    not found, forbidden, bad request, site disabled; ours besides: unavailable, for now

States of a reader of answers: header → body → done; header → refused. A path is bytes between the first blank and the newline, as they
are: nothing is decoded or resolved here, that is for whoever owns the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from goop2.protocols import encrypted_payload
from goop2.protocols.errors import LocalProtocolError, RemoteProtocolError
from goop2.protocols.line import LineReader, line

PROTOCOL: Final = "/goop/site/1.0.0"
REQUEST_MAX_BYTES: Final = 4096
"""A path, longer than any file system's names allow to be useful."""
HEADER_MAX_BYTES: Final = 1024
BODY_MAX_BYTES: Final = 50 * 1024 * 1024
"""What every peer of the network refuses to read beyond (network.md)."""
ENCRYPTED_BODY_MAX_BYTES: Final = encrypted_payload.size_of(BODY_MAX_BYTES)
"""The box of such a body, in base64: 70 MB, where other peers read up to 100."""
INDEX: Final = "/index.html"

NOT_FOUND: Final = "not found"
FORBIDDEN: Final = "forbidden"
BAD_REQUEST: Final = "bad request"
DISABLED: Final = "site disabled"
UNAVAILABLE: Final = "unavailable"
"""The file may be there, and cannot be read now; others show the word."""


@dataclass(frozen=True, slots=True)
class FileHeader:
    """The header of an answer with a file: its type, and the number of bytes that follow."""

    mime: str
    size: int
    encrypted: bool = False
    """Then what follows is a box, and the size its."""


@dataclass(frozen=True, slots=True)
class BodyChunk:
    """A piece of the file's content."""

    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The end of a file that came whole."""


@dataclass(frozen=True, slots=True)
class FileRefusal:
    """An answer without a file, and why."""

    reason: str


class FileTooLargeError(RemoteProtocolError):
    """The file is larger than any peer of the network reads."""


Event = FileHeader | BodyChunk | End | FileRefusal


def request(path: str) -> bytes:
    """Return the request for a path that begins with `/`. Raises `LocalProtocolError`."""
    encoded = path.encode("utf-8", "surrogateescape")
    if not encoded.startswith(b"/"):
        raise LocalProtocolError(f"the path {path!r} does not begin with /")
    return line("the request", b"GET " + encoded, REQUEST_MAX_BYTES)


def request_reader() -> LineReader:
    """Return a reader for the request, encrypted or not; then `requested`."""
    return LineReader("the request", encrypted_payload.line_size_of(REQUEST_MAX_BYTES))


def requested(content: bytes) -> str | None:
    """Return the path of a request, `/index.html` for `/`; None for a bad request."""
    method, _, path = content.rstrip(b"\r").partition(b" ")
    if method != b"GET" or not path.startswith(b"/") or b"\0" in path:
        return None
    try:
        text = path.decode()
    except UnicodeDecodeError:
        return None
    return INDEX if text == "/" else text


def header(mime: str, size: int, *, encrypted: bool = False) -> bytes:
    """Return the header in front of a body of `size` bytes. Raises `LocalProtocolError` for a size that no peer reads."""
    if size > (ENCRYPTED_BODY_MAX_BYTES if encrypted else BODY_MAX_BYTES):
        raise LocalProtocolError(f"the file is {size} bytes; peers read at most {BODY_MAX_BYTES}")
    return line("the header", f"{'EOK' if encrypted else 'OK'} {mime} {size}".encode(), HEADER_MAX_BYTES)


def refusal(reason: str) -> bytes:
    """Return the answer without a file."""
    return line("the header", f"ERR {reason}".encode(), HEADER_MAX_BYTES)


class AnswerReader:
    """Reads one answer; `done` once nothing more is expected. It stores no body: every piece is returned as it comes.

    The answer to a plain request may be encrypted too: some peers encrypt everything for a peer whose key they know.
    """

    def __init__(self) -> None:
        self._line = LineReader("the header", HEADER_MAX_BYTES)
        self._missing: int | None = None
        self.done = False

    def receive(self, data: bytes) -> list[Event]:
        """Return the events in `data`; bytes after the end are dropped. Raises `RemoteProtocolError`."""
        if self.done:
            return []
        if self._missing is not None:
            return self._body(data)
        content = self._line.receive(data)
        if content is None:
            return []
        first = _header(content)
        if isinstance(first, FileRefusal):
            self.done = True
            return [first]
        self._missing = first.size
        return [first, *self._body(self._line.rest())]

    def end(self) -> None:
        """Note that the other side sends no more. Raises `RemoteProtocolError` when something is missing: a killed peer looks like a
        finished one.
        """
        if self.done:
            return
        if self._missing is None:
            self._line.end()
        raise RemoteProtocolError(f"the file ended {self._missing} bytes early")

    def _body(self, data: bytes) -> list[Event]:
        assert self._missing is not None
        piece = data[: self._missing]
        self._missing -= len(piece)
        events: list[Event] = [BodyChunk(piece)] if piece else []
        if self._missing == 0:
            self.done = True
            events.append(End())
        return events


def _header(content: bytes) -> FileHeader | FileRefusal:
    text = content.rstrip(b"\r").decode("utf-8", "replace")
    status, _, rest = text.partition(" ")
    if status == "ERR":
        return FileRefusal(rest.strip())
    mime, _, size = rest.rpartition(" ")
    # isdecimal alone lets through digits of other scripts.
    if status not in ("OK", "EOK") or not mime.strip() or not (size.isascii() and size.isdecimal()):
        raise RemoteProtocolError(f"the header is {text[:80]!r} where OK <mime> <bytes> or ERR <reason> is expected")
    # Never int() of a number of a thousand digits.
    most = BODY_MAX_BYTES if status == "OK" else ENCRYPTED_BODY_MAX_BYTES
    if len(size) > len(str(most)) or int(size) > most:
        raise FileTooLargeError(f"the file is {size[:20]} bytes; the most is {most}")
    return FileHeader(mime.strip(), int(size), status != "OK")
