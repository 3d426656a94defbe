"""Litestream as a child of the peer: started, asked how far it is, and ended. One at a time for a folder, whatever ends how.

A file lock is held for the folder by the peer and passed on to the child: the next Litestream begins only after the last one has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from goop2.config.replica_place import ReplicaPlace
from goop2.services.backup import configuration
from goop2.services.backup.limits import ASK_SECONDS, SOCKET_ANSWER_MAX_BYTES, STOP_SECONDS
from goop2.services.backup.program import BackupError, Program, environment_for, explained

LOCK: Final = "data/backup.lock"
_SOCKET: Final = "litestream.sock"
_SOCKET_NAME_MAX_BYTES: Final = 100
"""The system's names of sockets have 107 bytes."""
_LOG_LINE_MAX_BYTES: Final = 64 * 1024
_LOCK_SECONDS: Final = 2 * STOP_SECONDS
_LOCK_LOOK_SECONDS: Final = 0.1


class _ListedDatabase(msgspec.Struct, frozen=True):
    path: str
    last_sync_at: str | None = None


class _DatabaseList(msgspec.Struct, frozen=True):
    databases: list[_ListedDatabase]


class _Position(msgspec.Struct, frozen=True):
    txid: int = 0


class _LogLine(msgspec.Struct, frozen=True):
    msg: str = ""
    error: str = ""


class _SyncAnswer(msgspec.Struct, frozen=True):
    status: str = ""
    error: str = ""


class Litestream:
    """A Litestream that runs: its process, what it said on stderr, and the socket on which it answers."""

    def __init__(self, process: asyncio.subprocess.Process, socket: Path, databases: Mapping[str, Path]) -> None:
        self._process = process
        self._socket = socket
        self._databases = databases
        self.began = time.time()
        self.complaint = ""
        """What it complained of last."""
        self.ended = asyncio.create_task(self._follow())

    @property
    def pid(self) -> int:
        """Return its process id, for doctor, the status and tests."""
        return self._process.pid

    async def copied_at(self) -> float | None:
        """Return when everything that was written had last arrived, None before the first time. Raises `BackupError`, OSError."""
        answer = await self._ask(b"GET /list HTTP/1.0\r\n\r\n")
        try:
            listed = msgspec.json.decode(answer, type=_DatabaseList).databases
            times = [datetime.fromisoformat(each.last_sync_at).timestamp() for each in listed if each.last_sync_at]
        except ValueError:
            raise BackupError("Litestream's answer cannot be read") from None
        # The older of the two: only what both have copied can be restored together.
        return min(times) if times and len(times) == len(self._databases) else None

    async def position(self) -> int:
        """Return the number of the last transaction of data.db that it has seen, 0 before the first. Raises `BackupError`, OSError."""
        answer = await self._ask(b"GET /txid?path=%s HTTP/1.0\r\n\r\n" % quote(str(self._databases[configuration.DATA])).encode())
        try:
            return msgspec.json.decode(answer, type=_Position).txid
        except ValueError:
            raise BackupError("Litestream's answer cannot be read") from None

    async def copy_now(self) -> None:
        """Copy what is written until now, and wait until it has arrived. Raises `BackupError`, OSError."""
        for path in self._databases.values():
            body = msgspec.json.encode({"path": str(path), "wait": True, "timeout": int(ASK_SECONDS)})
            head = b"POST /sync HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            answer = await self._ask(head + body)
            # An answer that is no JSON is a refusal in plain text.
            said = msgspec.json.decode(answer, type=_SyncAnswer) if answer.startswith(b"{") else _SyncAnswer()
            if not said.status:
                why = explained(said.error or "no reason")
                raise BackupError(f"not everything was copied: Litestream says: {why}")

    async def stop(self) -> None:
        """Have it copy what is left, and end. Idempotent."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            try:
                # Shielded: the time-out must not cancel what reads its last words, which is awaited below.
                async with asyncio.timeout(STOP_SECONDS):
                    await asyncio.shield(self.ended)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
        await self.ended

    async def _ask(self, request: bytes) -> bytes:
        async def asked() -> bytes:
            reader, writer = await asyncio.open_unix_connection(str(self._socket), limit=SOCKET_ANSWER_MAX_BYTES)
            try:
                writer.write(request)
                await writer.drain()
                return await reader.read(SOCKET_ANSWER_MAX_BYTES)
            finally:
                writer.close()

        try:
            async with asyncio.timeout(ASK_SECONDS + 1.0):
                answer = await asked()
        except TimeoutError:
            raise BackupError("Litestream does not answer") from None
        return answer.partition(b"\r\n\r\n")[2]

    async def _follow(self) -> int:
        """Read what it logs until it ends; return its exit code."""
        assert self._process.stderr is not None
        while True:
            try:
                line = await self._process.stderr.readline()
            except ValueError:  # longer than a line may be
                continue
            if not line:
                break
            self._note(line)
        return await self._process.wait()

    def _note(self, line: bytes) -> None:
        try:
            said = msgspec.json.decode(line, type=_LogLine)
        except msgspec.ValidationError:
            return
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # before it has read its configuration it writes plain text
            text = line.decode("utf-8", "replace").strip()
            self.complaint = explained(text.removeprefix("Error: ")) or self.complaint
            return
        if said.error:  # its level stands twice in some lines, once as a number
            self.complaint = explained(f"{said.msg}: {said.error}")


@contextlib.asynccontextmanager
async def open_litestream(
    program: Program,
    place: ReplicaPlace,
    term: int,
    databases: Mapping[str, Path],
    lock: int,
    environment: Mapping[str, str],
    *,
    every: int,
    keep_days: int,
) -> AsyncIterator[Litestream]:
    """Run Litestream until the block is left. `lock`: the descriptor of `locked`, which it holds too. Raises `BackupError`, OSError."""
    with tempfile.TemporaryDirectory(prefix="goop2-backup-") as folder:
        file, socket = Path(folder) / "litestream.json", Path(folder) / _SOCKET
        if len(os.fsencode(socket)) > _SOCKET_NAME_MAX_BYTES:
            raise BackupError(f"{folder} has a name that is too long for a socket: set TMPDIR to a shorter folder")
        await asyncio.to_thread(configuration.write, file, place, term, databases, every=every, keep_days=keep_days, socket=socket)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "goop2.services.backup.child", str(os.getpid())),
            *(str(program.path), "replicate", "-config", str(file)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=_LOG_LINE_MAX_BYTES,
            env=environment_for(environment),
            pass_fds=(lock,),
            start_new_session=True,  # a Ctrl-C in the terminal is the peer's to handle
        )
        litestream = Litestream(process, socket, databases)
        try:
            yield litestream
        finally:
            await litestream.stop()


@contextlib.asynccontextmanager
async def locked(folder: Path) -> AsyncIterator[int]:
    """Hold the lock of the folder's backup; yield its descriptor. Raises `BackupError` when a Litestream of it does not end."""
    (folder / LOCK).parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        ends = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > ends:
                    raise BackupError("an earlier Litestream of this folder still runs: end it, or wait for it") from None
            await asyncio.sleep(_LOCK_LOOK_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)
