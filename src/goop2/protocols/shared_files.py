r"""`/goop/docs/1.0.0`: the files that a peer shares with the members of a group of type `files`.

    {"op":"list","group_id"}\n         →  {"ok":true,"files":[{"name","size","mod_time" (unix seconds),"hash" (sha256:<hex>)}]}\n
    {"op":"get","group_id","file"}\n   →  OK <mime> <bytes>\n + the file
    anything refused                   →  {"ok":false,"error"}\n
    ENC:<box>\n                        →  ENC:<box>\n for a list or an error; EOK <mime> <bytes>\n + one box of so many bytes for a file

Ours adds to `get` `offset` and `length`, in bytes, so that a broken transfer goes on where it stopped, and a large file needs no box of its
own size. Peers that do not know these send the whole file; the number of bytes tells. Names of files are other people's: `is_safe_name`
decides. No I/O.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from goop2.protocols import encrypted_payload, tolerant_json
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.line import LineReader, line
from goop2.protocols.untrusted_json import InvalidJsonError

PROTOCOL: Final = "/goop/docs/1.0.0"
APP_TYPE: Final = "files"
"""The type of a group whose members share files."""
FILE_MAX_BYTES: Final = 50 * 1024 * 1024
"""What peers of the network give and take at most (network.md)."""
FILES_MAX: Final = 1000
"""In one list: a person looks through it."""
NAME_MAX_BYTES: Final = 200
"""Of a file's name: file systems take 255, and ours put a hash behind it while a file comes."""
REQUEST_MAX_BYTES: Final = 4096
ANSWER_MAX_BYTES: Final = 1024 * 1024
"""A list: a thousand files with the longest names there may be."""

SIZE_MAX_CHARS: Final = 9
"""Of a number of bytes; what is larger than FILE_MAX_BYTES is refused by its value."""

_REQUEST: Final = "the request"
_ANSWER: Final = "the answer"
_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}")
_GROUP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_NEVER_IN_NAMES: Final = frozenset('/\\:*?"<>|')
"""Paths, and what some file systems do not take: a shared file goes to other people's machines."""
_DEVICES: Final = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
"""Names that open a device on Windows."""


class FileRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request; `length` 0 asks for the rest of the file."""

    op: str
    group_id: str = ""
    file: str = ""
    offset: int = 0
    length: int = 0


class SharedFile(msgspec.Struct, frozen=True):
    """A file in the list of a group; `size` in bytes."""

    name: str
    size: int
    mod_time: int | float = 0
    """Seconds since 1970."""
    hash: str = ""
    """`sha256:<hex>`."""


class PieceHeader(msgspec.Struct, frozen=True):
    """The header of an answer with a file, or a piece of it: its type, and the number of bytes that follow."""

    mime: str
    size: int
    encrypted: bool = False


class _ListAnswer(msgspec.Struct, omit_defaults=True):
    ok: bool = False
    files: list[SharedFile] = []
    error: str = ""


class SharingRefusedError(RemoteProtocolError):
    """The peer says why it gives nothing."""


def is_safe_name(name: str) -> bool:
    """Return whether a name can be a shared file's: one file's name, visible, the same for everybody who reads it."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return (
        0 < size <= NAME_MAX_BYTES
        and not name.startswith(".")
        and name == name.strip()
        and not name.endswith(".")
        and name.isprintable()
        and not _NEVER_IN_NAMES.intersection(name)
        and not _DEVICES.fullmatch(name)
    )


def is_safe_group(group: str) -> bool:
    """Return whether the id of a group can be the name of a folder; its host chose it."""
    return bool(_GROUP.fullmatch(group))


def is_hash(text: str) -> bool:
    """Return whether a text is a hash as lists have it."""
    return bool(_HASH.fullmatch(text))


def request(asked: FileRequest) -> bytes:
    """Return a request as a line. Raises `LocalProtocolError`."""
    return line(_REQUEST, msgspec.json.encode(asked), REQUEST_MAX_BYTES)


def request_reader() -> LineReader:
    """Return a reader for a request, encrypted or not; then `requested`."""
    return LineReader(_REQUEST, encrypted_payload.line_size_of(REQUEST_MAX_BYTES))


def requested(content: bytes) -> FileRequest:
    """Return the request in a line. Raises `RemoteProtocolError`."""
    try:
        asked = tolerant_json.decode(content, FileRequest)
    except InvalidJsonError as error:
        raise RemoteProtocolError(f"the request is invalid: {error}") from None
    if not (0 <= asked.offset <= FILE_MAX_BYTES and 0 <= asked.length <= FILE_MAX_BYTES):
        raise RemoteProtocolError(f"offset and length are 0 to {FILE_MAX_BYTES}")
    return asked


def list_answer(files: list[SharedFile]) -> bytes:
    """Return the answer to `list`."""
    return line(_ANSWER, msgspec.json.encode({"ok": True, "files": files[:FILES_MAX]}), ANSWER_MAX_BYTES)


def refusal(error: str) -> bytes:
    """Return the answer that gives nothing, and why."""
    return line(_ANSWER, msgspec.json.encode({"ok": False, "error": error}), ANSWER_MAX_BYTES)


def header(mime: str, size: int, *, encrypted: bool = False) -> bytes:
    """Return the header in front of `size` bytes."""
    return line("the header", f"{'EOK' if encrypted else 'OK'} {mime} {size}".encode(), REQUEST_MAX_BYTES)


def answer_reader() -> LineReader:
    """Return a reader for the first line of any answer; then `listed` or `piece`."""
    return LineReader(_ANSWER, encrypted_payload.line_size_of(ANSWER_MAX_BYTES))


def listed(content: bytes) -> list[SharedFile]:
    """Return the files in an answer, as plain text. Names nobody can keep are left out. Raises `RemoteProtocolError`."""
    answer = _answer(content)
    return [file for file in answer.files if is_safe_name(file.name) and 0 <= file.size <= FILE_MAX_BYTES and is_hash(file.hash)][
        :FILES_MAX
    ]


def piece(content: bytes) -> PieceHeader:
    """Return the header in the first line of an answer to `get`. Raises `RemoteProtocolError`, `SharingRefusedError` for a refusal."""
    if content.startswith(b"{"):
        _answer(content)
        raise RemoteProtocolError("the answer is a list where a file was asked for")
    text = content.rstrip(b"\r").decode("utf-8", "replace")
    status, _, rest = text.partition(" ")
    mime, _, size = rest.rpartition(" ")
    # isdecimal alone lets through digits of other scripts; never int() of a number of a thousand digits.
    if (
        status not in ("OK", "EOK")
        or not mime.strip()
        or not (size.isascii() and size.isdecimal())
        or len(size) > len(str(FILE_MAX_BYTES)) + 1
    ):
        raise RemoteProtocolError(f"the header is {text[:80]!r} where OK <mime> <bytes> or an error is expected")
    encrypted = status == "EOK"
    most = encrypted_payload.size_of(FILE_MAX_BYTES) if encrypted else FILE_MAX_BYTES
    if int(size) > most:
        raise RemoteProtocolError(f"the file is {size} bytes; the most is {most}")
    return PieceHeader(mime.strip(), int(size), encrypted)


def _answer(content: bytes) -> _ListAnswer:
    try:
        answer = tolerant_json.decode(content, _ListAnswer)
    except InvalidJsonError as error:
        raise RemoteProtocolError(f"the answer is invalid: {error}") from None
    if not answer.ok:
        raise SharingRefusedError("".join(letter for letter in answer.error[:200] if letter.isprintable()) or "it says no more than no")
    return answer
