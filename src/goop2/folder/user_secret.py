"""A secret of the user who runs peers, outside every peer folder: `$XDG_STATE_HOME/goop2/secret`, usually in `~/.local/state`.

A peer folder may come from somebody else, who then knows every key in it. Values that only this user may know are derived from a key in the
folder and this secret together. The secret is made at first use, never overwritten, and trusted only where nobody else can have written or
read it.
"""

from __future__ import annotations

import errno
import hmac
import os
import pwd
import secrets
import stat
from pathlib import Path
from typing import Final

from goop2.folder.regular_files import open_regular, shown
from goop2.folder.whole_file import make_whole

STATE_VARIABLE: Final = "XDG_STATE_HOME"
FILE: Final = "goop2/secret"
SECRET_BYTES: Final = 32
_REMEDY: Final = f"name a folder of this user's own in {STATE_VARIABLE}"
_FILE_MAX_BYTES: Final = 1024
_SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""They pass, and tell nothing of the file."""
_FOLDER_MODE: Final = 0o700
_ROOT: Final = 0
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_MAY: Final = stat.S_IRWXG | stat.S_IRWXO


class UserSecretError(Exception):
    """This user's secret cannot be read or made; the message says which file, why, and what to do, in one sentence."""


def derived_key(folder: Path, purpose: str, known: bytes) -> bytes:
    """Return a key for `purpose` that the author of the peer in `folder` cannot know, even if they know `known`.

    Raises `UserSecretError`, and OSError while the system has no room for an open file.
    """
    return hmac.digest(_secret(folder), purpose.encode() + b"\0" + known, "sha256")


def _secret(folder: Path) -> bytes:
    file = _state_folder() / FILE
    try:
        if Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder)):
            raise UserSecretError(f"{shown(file)} lies in the peer folder, which may be somebody else's work: {_REMEDY}")
        _make(file)
        return _read(file)
    except OSError as error:
        if error.errno in _SHORTAGES:
            raise
        raise UserSecretError(f"{shown(file)} cannot be made or read ({error.strerror}): {_REMEDY}") from None


def _state_folder() -> Path:
    """Return where programs of this user store their state (XDG base directory specification); a relative path does not count."""
    state = Path(os.environ.get(STATE_VARIABLE, ""))
    return state if state.is_absolute() else _home() / ".local" / "state"


def _home() -> Path:
    try:
        home = Path(os.environ.get("HOME", "") or pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:  # a container that runs as a number
        home = Path()
    if not home.is_absolute():
        raise UserSecretError(f"this user has no home folder to keep a secret in: {_REMEDY}")
    return home


def _make(file: Path) -> None:
    """Make the file and the folders to it, unless it exists."""
    missing = [each for each in (file.parent, *file.parent.parents) if not os.path.lexists(each)]
    ground = missing[-1].parent if missing else file.parent
    owner = ground.stat().st_uid
    # `sudo` keeps the caller's HOME: what root makes there would be in that user's way from then on.
    if owner not in (os.geteuid(), _ROOT):
        raise UserSecretError(f"{shown(ground)}, where {shown(file)} would be, is another user's: {_REMEDY}")
    for each in reversed(missing):
        each.mkdir(_FOLDER_MODE, exist_ok=True)
    status = file.parent.stat()
    if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_WRITE:
        raise UserSecretError(f'{shown(file.parent)} can be written by others: take that away ("chmod go-w"), or {_REMEDY}')
    if not os.path.lexists(file):
        make_whole(file, secrets.token_hex(SECRET_BYTES).encode() + b"\n")


def _read(file: Path) -> bytes:
    with open_regular(file, file.parent) as opened:
        status = os.fstat(opened.fileno())
        if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_MAY:
            raise UserSecretError(f"{shown(file)} is not this user's alone: delete it, and another one is made")
        content = opened.read(_FILE_MAX_BYTES)
    try:
        secret = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise UserSecretError(f"{shown(file)} does not hold {SECRET_BYTES} bytes in hexadecimal: delete it, and another one is made")
    return secret
