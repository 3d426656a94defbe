"""Finding Litestream: missing, old, silent; what it is given of the environment, and how its errors are told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from goop2.services.backup import limits, program
from goop2.services.backup.program import BackupError


def fake(folder: Path, script: str) -> dict[str, str]:
    """Put a program of that name into PATH; return the environment."""
    file = folder / "litestream"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_the_real_one_is_new_enough() -> None:
    found = program.find(os.environ)
    assert tuple(map(int, found.version.split("."))) >= limits.OLDEST_VERSION


def test_a_missing_one_is_told_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(
        BackupError, match=r"the program Litestream is missing: install Litestream 0\.5\.17 or newer from https://litestream\.io"
    ):
        program.find({"PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo v0.3.13", r"is Litestream v0\.3\.13, which is too old"),
        ("echo 0.5.16", "too old"),
        ("echo hello", "does not tell a version, only 'hello'"),
        ("exit 1", "does not tell a version"),
    ],
)
def test_an_old_or_odd_one_is_told(tmp_path: Path, script: str, told: str) -> None:
    with pytest.raises(BackupError, match=told):
        program.find(fake(tmp_path, script))


def test_one_that_never_answers_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "VERSION_SECONDS", 0.05)
    with pytest.raises(BackupError, match="it does not answer"):
        program.find(fake(tmp_path, "exec sleep 5"))


def test_it_gets_the_keys_of_its_servers_and_nothing_else() -> None:
    given = program.environment_for(
        {
            "AWS_ACCESS_KEY_ID": "a",
            "LITESTREAM_SECRET_ACCESS_KEY": "b",
            "LITESTREAM_CONFIG": "/x",
            "GOOP2_SFTP_PASSWORD": 'a"b$c',
            "SECRET": "s",
        }
    )
    assert given == {
        "AWS_ACCESS_KEY_ID": "a",
        "LITESTREAM_SECRET_ACCESS_KEY": "b",
        "GOOP2_SFTP_PASSWORD": 'a\\"b$c',
        "GOOP2_DOLLAR": "$",
    }
    assert json.loads(f'"{given["GOOP2_SFTP_PASSWORD"]}"') == 'a"b$c'


def test_a_bundle_of_certificates_is_passed_by_the_name_that_works() -> None:
    given = program.environment_for({"AWS_CA_BUNDLE": "/bundle.pem"})
    assert (given.get("AWS_CA_BUNDLE"), given["SSL_CERT_FILE"]) == (None, "/bundle.pem")


def test_its_last_error_is_told_with_what_helps() -> None:
    text = "time=… level=INFO msg=x\nError: write /mnt/a: no space left on device\n"
    assert program.complaint(text) == (
        "Litestream says: write /mnt/a: no space left on device; the disk at the place of the backup is full"
    )
    assert program.complaint("") == "Litestream says: no reason"
    assert "\x1b" not in program.complaint("Error: \x1b[31mred")


def test_a_place_that_never_answers_is_told(tmp_path: Path) -> None:
    environment = fake(tmp_path, "[ $1 = version ] && echo 9.0.0 || exec sleep 5")
    with pytest.raises(BackupError, match=r"did not answer within 0\.05 s"):
        program.run(program.find(environment), ["ltx"], environment, seconds=0.05)
