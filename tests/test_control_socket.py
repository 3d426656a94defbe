"""The socket by which a command reaches the running peer: what a command is told. The commands over it: tests/cli/test_peers.py."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from pathlib import Path

import pytest

from goop2.control_socket import LINE_MAX_BYTES, ControlError, Request, ask, listening
from goop2.protocols import data, encrypted_payload

SECONDS = 10.0


async def echo(request: Request) -> dict[str, object]:
    return {"said": request["text"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path


async def test_a_running_peer_answers_and_one_that_does_not_run_gives_nothing(folder: Path) -> None:
    async with listening(folder, {"echo": echo}):
        assert await ask(folder, "echo", {"text": "hi"}, SECONDS) == {"ok": True, "said": "hi"}
    assert await ask(folder, "echo", {"text": "hi"}, SECONDS) is None


async def test_a_link_to_the_socket_of_another_peer_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "stranger/data").mkdir(parents=True)
    (tmp_path / "stranger/data/peer.sock").symlink_to(folder / "data/peer.sock")
    async with listening(folder, {"echo": echo}):
        assert await ask(tmp_path / "stranger", "echo", {"text": "hi"}, SECONDS) is None
        async with listening(tmp_path / "stranger", {"echo": echo}):
            pass
        assert await ask(folder, "echo", {"text": "hi"}, SECONDS) is not None, "the other peer's socket is left alone"


async def test_the_socket_is_removed_by_us_alone(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Python 3.13 would look for it at a path that may lead elsewhere by then: by the number of a descriptor, a file's now."""
    with contextlib.ExitStack() as files:
        async with listening(folder, {"echo": echo}):
            for _ in range(20):
                files.enter_context((folder / "a file").open("w"))
        assert not (folder / "data/peer.sock").exists()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


async def test_an_operation_it_does_not_know_is_refused_by_name(folder: Path) -> None:
    async with listening(folder, {}):
        with pytest.raises(ControlError, match="knows no operation 'dance'"):
            await ask(folder, "dance", {}, SECONDS)


@pytest.mark.parametrize(
    "line", [b"[" * 5000, b'{"op": "echo", "text": ' + b"[" * 500 + b"]" * 500 + b"}", b'{"op": "\xff"}', b'{"limit": 1e999}', b"7"]
)
async def test_a_line_that_is_no_request_is_answered(folder: Path, line: bytes) -> None:
    async with listening(folder, {"echo": echo}):
        reader, writer = await asyncio.open_unix_connection(folder / "data/peer.sock")
        writer.write(line + b"\n")
        assert b'"code":"bad_request"' in await asyncio.wait_for(reader.readline(), SECONDS)
        writer.close()


async def test_what_is_too_long_either_way_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.control_socket.LINE_MAX_BYTES", 1000)

    async def large(_request: Request) -> dict[str, object]:
        return {"said": "x" * 1000}

    async with listening(folder, {"echo": echo, "large": large}):
        with pytest.raises(ControlError, match=r"what is asked is 10.. bytes; the most is 1000") as refused:
            await ask(folder, "echo", {"text": "x" * 1000}, SECONDS)
        assert refused.value.code == "bad_request"
        with pytest.raises(ControlError, match="the answer is longer than 1000 bytes"):
            await ask(folder, "large", {}, SECONDS)
        assert (await ask(folder, "echo", {"text": "x" * 900}, SECONDS) or {})["said"] == "x" * 900


def test_a_command_takes_whatever_another_peer_may_answer() -> None:
    assert encrypted_payload.line_size_of(data.ANSWER_MAX_BYTES) + 1024 < LINE_MAX_BYTES


async def test_a_peer_of_somebody_else_is_said_with_its_socket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def deny(*_arguments: object, **_options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")  # as the loop raises it: without a name

    monkeypatch.setattr(asyncio, "open_unix_connection", deny)
    with pytest.raises(PermissionError, match="only the user who runs this peer may ask it") as refused:
        await ask(folder, "echo", {}, SECONDS)
    assert refused.value.filename == str(folder / "data/peer.sock")
