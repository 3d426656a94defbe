"""The socket in the peer's folder through which the owner's commands reach the running peer: a JSON object a line, each way.

    {"op": "send", "peer": "12D3Koo…", "text": "hi"}   →   {"ok": true, …}   or   {"ok": false, "code": "…", "message": "…"}

Only the owner's own processes can connect (mode 0600). It must not know what an operation does: whoever opens the socket passes them in.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
import structlog

from goop2.protocols.untrusted_json import InvalidJsonError, decode

FOLDER: Final = "data"
SOCKET: Final = "peer.sock"
LINE_MAX_BYTES: Final = 8 * 1024 * 1024
"""More than any answer of another peer (protocols/data.py), encrypted or not."""
CONNECT_SECONDS: Final = 2.0
_LEFT_ALONE: Final[dict[str, bool]] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""Python 3.13 removes a server's socket when it closes, by the path it was opened at, which may lead elsewhere by then. We remove it."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.control_socket")

Request = Mapping[str, object]
Answer = dict[str, object]
Operation = Callable[[Request], Awaitable[Answer]]
"""Does what a command asks. `ControlError` is told to the command."""


class ControlError(Exception):
    """What was asked could not be done; a sentence, and an error class (behaviour.md, "Data functions").

    `details`: what else is known, such as `script` and `line`.
    """

    def __init__(self, code: str, message: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.details = dict(details or {})


@contextlib.asynccontextmanager
async def listening(folder: Path, operations: Mapping[str, Operation]) -> AsyncIterator[None]:
    """Answer commands until the block is left. The caller holds the folder's lock, so a socket left behind is nobody's."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, ValueError):
                while line := await reader.readline():
                    writer.write(msgspec.json.encode(await _answer(operations, line)) + b"\n")
                    await writer.drain()
        finally:
            writer.close()

    _remove(folder)
    with _place(folder) as path:
        server = await asyncio.start_unix_server(serve, path, limit=LINE_MAX_BYTES, **_LEFT_ALONE)
        os.chmod(path, 0o600)  # noqa: PTH101 - no path of its own; the folder is closed too, where we have made it
    try:
        yield
    finally:
        server.close()
        _remove(folder)


async def ask(folder: Path, op: str, request: Request, seconds: float) -> Answer | None:
    """Return what the running peer answers; None when none runs. Raises `ControlError`, PermissionError, TimeoutError after `seconds`."""
    sent = msgspec.json.encode({**request, "op": op}) + b"\n"
    if len(sent) > LINE_MAX_BYTES:
        raise ControlError("bad_request", f"what is asked is {len(sent)} bytes; the most is {LINE_MAX_BYTES}")
    try:
        with _place(folder) as path:
            if _is_link(path):
                return None
            opening = asyncio.open_unix_connection(path, limit=LINE_MAX_BYTES)
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await opening
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return None
    except PermissionError as error:
        raise PermissionError(error.errno, "only the user who runs this peer may ask it", str(folder / FOLDER / SOCKET)) from None
    try:
        writer.write(sent)
        await writer.drain()
        async with asyncio.timeout(seconds):
            line = await reader.readline()
    except ValueError:  # of the reader, for a line beyond its limit
        raise ControlError("unavailable", f"the answer is longer than {LINE_MAX_BYTES} bytes, the most a command takes") from None
    finally:
        writer.close()
    if not line:
        raise ControlError("unavailable", "the running peer ended before it answered")
    try:
        answer: Answer = decode(line, dict[str, object])
    except InvalidJsonError as error:
        raise ControlError("unavailable", f"the running peer's answer cannot be read: {error}") from None
    if not answer.get("ok"):
        details = {name: value for name, value in answer.items() if name not in ("ok", "code", "message")}
        raise ControlError(str(answer.get("code")), str(answer.get("message")), details)
    return answer


async def _answer(operations: Mapping[str, Operation], line: bytes) -> Answer:
    try:
        request = decode(line, dict[str, object])
        operation = operations.get(str(request.get("op")))
        if operation is None:
            raise ControlError("not_found", f"this peer knows no operation {str(request.get('op'))[:40]!r}; is it an older one?")
        return {"ok": True, **await operation(request)}
    except InvalidJsonError as error:
        return {"ok": False, "code": "bad_request", "message": str(error)}
    except ControlError as error:
        return {"ok": False, "code": error.code, "message": str(error), **error.details}
    except Exception as error:
        _log.exception("a command was not carried out")
        sentence = f"the running peer made a mistake of its own, {type(error).__name__}: {error}; its log shows where, please report it"
        return {"ok": False, "code": "internal", "message": sentence}


def _remove(folder: Path) -> None:
    with _place(folder) as path, contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - no path of its own


def _is_link(path: str) -> bool:
    """Return whether a path came with the folder as a link: it may lead to the socket of another peer, or of another program."""
    return os.path.islink(path)  # noqa: PTH114 - no path of its own


@contextlib.contextmanager
def _place(folder: Path) -> Iterator[str]:
    """Return the socket's path, short whatever the folder's is: the system takes 107 bytes."""
    descriptor = os.open(folder / FOLDER, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)
