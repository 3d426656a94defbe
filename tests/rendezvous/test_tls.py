"""The rendezvous server with a certificate of its own, which peers on other machines insist on."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import trustme
from tests.net.hosts import SECONDS, new_identity, until
from tests.wire_socket import wire_socket

from goop2.config import Address
from goop2.protocols.presence import Presence, write
from goop2.rendezvous.server import open_rendezvous
from goop2.web.http import tls as module
from goop2.web.http.tls import TlsFiles, TlsFilesError

NAME = "meet.example"
ANN = new_identity().peer_id


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def written(authority: trustme.CA, folder: Path, name: str = NAME) -> tuple[Path, Path]:
    """Write a certificate and its key."""
    issued = authority.issue_cert(name)
    certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return certificate, key


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@asynccontextmanager
async def served(files: TlsFiles) -> AsyncIterator[int]:
    async with open_rendezvous(Address("127.0.0.1", 0), tls=files) as url:
        assert url.startswith("https://127.0.0.1:")
        yield urlsplit(url).port or 0


async def test_events_and_sockets_over_tls(authority: trustme.CA, tmp_path: Path) -> None:
    trusted = trusting(authority)
    async with served(TlsFiles(*written(authority, tmp_path))) as port, httpx.AsyncClient(verify=trusted, timeout=SECONDS) as client:
        extensions = {"sni_hostname": NAME}
        said = write(Presence("online", ANN, "Ann", ts=1))
        answer = await client.post(f"https://127.0.0.1:{port}/publish", content=said, extensions=extensions)
        assert answer.status_code == 204
        async with await wire_socket(port, tls=trusted, name=NAME) as socket:
            assert socket.status == 101
            assert (await socket.next())["peerId"] == ANN
        async with client.stream("GET", f"https://127.0.0.1:{port}/events", extensions=extensions) as events:
            assert events.status_code == 200


async def test_who_speaks_no_tls_gets_nothing_and_holds_no_place(authority: trustme.CA, tmp_path: Path) -> None:
    files = TlsFiles(*written(authority, tmp_path))
    async with served(files) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 100)
        async with asyncio.timeout(SECONDS):
            assert b"HTTP" not in await reader.read()
        await until(lambda: not files._total)
        writer.close()


async def test_silent_handshakes_leave_room_for_others(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANDSHAKES_PER_NETWORK_MAX", 2)
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.3)
    files = TlsFiles(*written(authority, tmp_path))
    async with served(files) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0)) for _ in range(4)]
        async with await wire_socket(port, tls=trusting(authority), name=NAME) as other:
            assert other.status == 101
        async with asyncio.timeout(SECONDS):
            for reader, writer in silent:
                assert await reader.read() == b"", "closed: two at once, two when their time was over"
                writer.close()
        assert files._total == 0


async def test_a_renewed_certificate_is_used_without_a_restart(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEWED_SECONDS", 0.0)
    certificate, key = written(authority, tmp_path)
    async with served(TlsFiles(certificate, key)) as port:
        key.write_text("half written")
        async with await wire_socket(port, tls=trusting(authority), name=NAME) as socket:
            assert socket.status == 101, "the old one goes on"
        written(authority, tmp_path, "renewed.example")
        async with await wire_socket(port, tls=trusting(authority), name="renewed.example") as socket:
            assert socket.status == 101


def test_files_that_are_none_are_a_sentence(authority: trustme.CA, tmp_path: Path) -> None:
    certificate, key = written(authority, tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    _, foreign = written(authority, other)
    text, encrypted = tmp_path / "text.pem", tmp_path / "encrypted.pem"
    text.write_text("hello")
    encrypted.write_text(ENCRYPTED)
    for one, two, sentence in (
        (tmp_path / "no.pem", key, r"the certificate '.*no\.pem' cannot be read \(No such file or directory\): give a PEM file"),
        (certificate, tmp_path, r"the key '.*' cannot be read \(Is a directory\): give a PEM file"),
        (certificate, foreign, r"the key '.*' is not that of the certificate '.*': give the two that belong together"),
        (text, key, r"the certificate '.*text\.pem' and the key '.*' cannot be used.*: give two PEM files"),
        (certificate, text, r"cannot be used.*: give two PEM files"),
        (certificate, encrypted, r"the key '.*' is encrypted with a password: give one without"),
    ):
        with pytest.raises(TlsFilesError, match=sentence):
            TlsFiles(one, two)


ENCRYPTED = """-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAic4PEpVHBs8gICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEOXYBgSZpmGI7OHiOS1U0MMEQOlj
sUu7AjMxNMvuNhDoY0ny92YZx8ubuVo7Qrotsx/GAh/w3GZAEzMW+qhv2WKOQ1s4
n6U0NrCDtBLv4g0kfU0=
-----END ENCRYPTED PRIVATE KEY-----
"""
