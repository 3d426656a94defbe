"""Litestream, the program: find it, ask its version, and run one of its commands to the end.

Secrets reach it by its environment alone, never on a command line, which every user of the machine can read.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from goop2.scripting.printable import printable
from goop2.services.backup.limits import ASK_SECONDS, OLDEST_VERSION, SHOWN_MAX_CHARS, VERSION_SECONDS

NAME: Final = "litestream"
REMEDY: Final = "install Litestream {} or newer from https://litestream.io/install and put it into the PATH of the peer".format(
    ".".join(map(str, OLDEST_VERSION))
)
PASSWORD_VARIABLE: Final = "GOOP2_SFTP_PASSWORD"
"""Of the environment of the peer: the password of an SFTP server."""
DOLLAR_VARIABLE: Final = "GOOP2_DOLLAR"
"""Of Litestream's environment, since its configuration has no other way to write the sign."""
_PASSED: Final = frozenset({"PATH", "HOME", "USER", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "NO_PROXY"})
_PASSED_PREFIXES: Final = ("AWS_", "LITESTREAM_")
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


class BackupError(Exception):
    """No backup can be made or restored; the message is a sentence for the owner that says why."""

    owner_code: ClassVar = "backup"


@dataclass(frozen=True, slots=True)
class Program:
    """Litestream where it is installed."""

    path: Path
    version: str


def find(environment: Mapping[str, str] = os.environ) -> Program:
    """Return the program, from PATH or beside this Python. Raises `BackupError` when it is missing or too old."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which(NAME, path=os.pathsep.join((environment.get("PATH", os.defpath), beside)))
    if found is None:
        raise BackupError(f"the program Litestream is missing: {REMEDY}")
    try:
        said = subprocess.run(
            [found, "version"], capture_output=True, timeout=VERSION_SECONDS, env=environment_for(environment), check=False, text=True
        ).stdout.strip()
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        why = "it does not answer" if isinstance(error, subprocess.TimeoutExpired) else str(error)
        raise BackupError(f"{found} cannot be run ({why}): {REMEDY}") from None
    match = _VERSION.search(said)
    if match is None:
        raise BackupError(f"{found} does not tell a version, only {printable(said, 40)!r}: {REMEDY}")
    if tuple(map(int, match.groups())) < OLDEST_VERSION:
        raise BackupError(f"{found} is Litestream {match[0]}, which is too old: {REMEDY}")
    return Program(Path(found), match[0].removeprefix("v"))


def environment_for(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what of the peer's environment Litestream gets."""
    passed = {name: value for name, value in environment.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)}
    passed.pop("LITESTREAM_CONFIG", None)
    # Litestream 0.5.17 does not start with it ("unable to add custom RootCAs HTTPClient"); Go's own variable does the same.
    if bundle := passed.pop("AWS_CA_BUNDLE", ""):
        passed.setdefault("SSL_CERT_FILE", bundle)
    # It is put between quotes of the configuration, which is JSON.
    password = json.dumps(environment.get(PASSWORD_VARIABLE, ""), ensure_ascii=False)[1:-1]
    return {**passed, PASSWORD_VARIABLE: password, DOLLAR_VARIABLE: "$"}


def run(program: Program, arguments: list[str], environment: Mapping[str, str] = os.environ, seconds: float = ASK_SECONDS) -> str:
    """Run a command of Litestream to its end; return what it printed. Raises `BackupError` with its own words when it fails."""
    try:
        done = subprocess.run(
            [program.path, *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=seconds,
            env=environment_for(environment),
            umask=0o077,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BackupError(f"the place of the backup did not answer within {seconds:g} s: is its server reached?") from None
    except OSError as error:
        raise BackupError(f"{program.path} cannot be run ({error.strerror}): {REMEDY}") from None
    if done.returncode:
        raise BackupError(complaint(done.stderr.decode("utf-8", "replace") or done.stdout.decode("utf-8", "replace")))
    return done.stdout.decode("utf-8", "replace")


def complaint(text: str) -> str:
    """Return the last thing Litestream complained of, as one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = next(
        (line.partition("Error: ")[2] for line in reversed(lines) if line.startswith("Error: ")), lines[-1] if lines else "no reason"
    )
    return f"Litestream says: {explained(said)}"


def explained(said: str) -> str:
    """Return an error of Litestream as one line, with what helps where that is known."""
    line = printable(said, SHOWN_MAX_CHARS)
    return next((f"{line}; {remedy}" for sign, remedy in _REMEDIES.items() if sign in said.lower()), line)


_REMEDIES: Final[Mapping[str, str]] = {
    "no space left on device": "the disk at the place of the backup is full",
    "disk quota exceeded": "the quota at the place of the backup is used up",
    "permission denied": "the peer's user may not write there",
    "read-only file system": "the disk at the place of the backup can only be read",
    "accessdenied": "the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY may not do that",
    "no ec2 imds role found": "put the keys into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "unable to authenticate": f"give a key by ?key-path=… or a password in {PASSWORD_VARIABLE}",
    "host key mismatch": "another server answers than the one whose key is known",
    "connection refused": "nothing listens there",
    "no such host": "that name leads nowhere",
}
