"""A backup to servers: SFTP, played by AsyncSSH, and a bucket of S3, with the real Litestream on the other side."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import asyncssh
import pytest_asyncio
from tests.services.backup.bucket import open_bucket
from tests.services.backup.test_service import PEER, folder, notes_in, until, write

from goop2.config import Settings
from goop2.config.replica_place import parse_place
from goop2.config.settings import BackupSettings
from goop2.services.backup.program import PASSWORD_VARIABLE, find
from goop2.services.backup.restoring import restore_into
from goop2.services.backup.service import open_backup
from goop2.services.backup.terms import Place

__all__ = ["folder"]
USER, PASSWORD = "ann", 'a "word" for $HOME'


class SftpPlace:
    """A server with SFTP: its port, its key, and the folder it keeps."""

    def __init__(self, port: int, key: str, kept: Path) -> None:
        self.port, self.key, self.kept = port, key, kept

    def url(self, key: str = "", **more: str) -> str:
        parameters = "".join(f"&{name.replace('_', '-')}={quote(value)}" for name, value in more.items())
        return f"sftp://{USER}@127.0.0.1:{self.port}/blog?host-key={quote(key or self.key)}{parameters}"


@pytest_asyncio.fixture
async def sftp(tmp_path: Path) -> AsyncIterator[SftpPlace]:
    kept = tmp_path / "kept"
    kept.mkdir()
    host, own = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    own.write_private_key(str(tmp_path / "own_key"))

    class Door(asyncssh.SSHServer):
        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == (USER, PASSWORD)

    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=Door,
        server_host_keys=[host],
        authorized_client_keys=asyncssh.import_authorized_keys(own.export_public_key().decode()),
        sftp_factory=lambda connection: asyncssh.SFTPServer(connection, chroot=os.fsencode(kept)),
    )
    async with server:
        yield SftpPlace(server.get_port(), " ".join(host.export_public_key().decode().split()[:2]), kept)


async def copied_and_restored(folder: Path, tmp_path: Path, url: str, environment: dict[str, str]) -> Path:
    """Back up to a place, change something, and restore it elsewhere."""
    async with open_backup(folder, environment) as backup:
        backup.begin(Settings(backup=BackupSettings(to=url)), PEER, "Ann")
        write(folder, "INSERT INTO notes VALUES ('first')")
        status = await backup.copy_now()
        assert (status.problem, status.left_out) == ("", [])
        write(folder, "INSERT INTO notes VALUES ('last')")
    place = Place(find(), parse_place(url), environment)
    target = tmp_path / "target"
    target.mkdir()
    await asyncio.to_thread(lambda: restore_into(target, place, place.newest()))
    return target


async def test_to_a_server_with_sftp_by_password_and_by_key(folder: Path, tmp_path: Path, sftp: SftpPlace) -> None:
    environment = {**os.environ, PASSWORD_VARIABLE: PASSWORD}
    target = await copied_and_restored(folder, tmp_path, sftp.url(), environment)
    assert (notes_in(target), (target / "site/index.html").read_text()) == (["first", "last"], "hello")
    assert any(sftp.kept.rglob("*.ltx"))
    place = Place(find(), parse_place(sftp.url(key_path=str(tmp_path / "own_key"))), dict(os.environ))
    assert await asyncio.to_thread(place.newest)


async def test_a_server_with_another_key_or_a_wrong_password_gets_nothing(folder: Path, sftp: SftpPlace) -> None:
    strange = " ".join(asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()[:2])
    for url, password in ((sftp.url(strange), PASSWORD), (sftp.url(), "wrong")):
        async with open_backup(folder, {**os.environ, PASSWORD_VARIABLE: password}) as backup:
            backup.begin(Settings(backup=BackupSettings(to=url)), PEER, "Ann")
            await until(backup, lambda backup=backup: bool(backup.status.problem))  # type: ignore[misc]
            assert PASSWORD not in backup.status.problem
            assert "ssh" in backup.status.problem.lower()
    assert list(sftp.kept.rglob("*")) == []


async def test_to_a_bucket(folder: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "ANN", "AWS_SECRET_ACCESS_KEY": "secret"}
    with open_bucket() as bucket:
        url = f"s3://goop/blog?endpoint={quote(bucket.url, safe='')}&region=eu-1&force-path-style=true"
        target = await copied_and_restored(folder, tmp_path, url, environment)
        assert (notes_in(target), (target / "site/index.html").read_text()) == (["first", "last"], "hello")
        assert bucket.objects.keys() == {key for key in bucket.objects if key.startswith("/goop/blog/")} != set()
        assert bucket.signers == {"ANN"}
