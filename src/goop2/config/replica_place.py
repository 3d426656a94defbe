"""The place of a backup, as `backup.to` names it: a folder, an S3 bucket, or a folder on a server with SFTP.

    file:///backup/blog
    s3://bucket/path?endpoint=https://s3.example.org&region=eu-1
    sftp://user@host:22/path?key-path=/home/me/.ssh/id_ed25519&host-key=ssh-ed25519%20AAAA…

It holds no secret: keys of S3 and the password of an SFTP server come from the environment. It must not know what is done with a place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

PARAMETERS: Final[Mapping[str, frozenset[str]]] = {
    "file": frozenset(),
    "s3": frozenset({"endpoint", "region", "force-path-style"}),
    "sftp": frozenset({"key-path", "host-key"}),
}
"""Scheme → what may stand behind the question mark."""
SSH_PORT: Final = 22


class PlaceError(ValueError):
    """The text names no place of a backup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaPlace:
    """A place that backups are copied to."""

    text: str
    """As the owner wrote it."""
    scheme: str
    path: str
    """Absolute for `file` and `sftp`; below the bucket for `s3`."""
    host: str = ""
    """The host of SFTP, or the bucket of S3."""
    port: int = 0
    user: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_place(text: str) -> ReplicaPlace:
    """Return the place that `text` names. Raises `PlaceError`."""
    try:
        parts = urlsplit(text)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else []
        port = parts.port or 0
    except ValueError:
        raise PlaceError(text) from None
    parameters = dict(pairs)
    known = PARAMETERS.get(parts.scheme)
    if known is None or parts.fragment or parts.password is not None or len(parameters) != len(pairs) or not parameters.keys() <= known:
        raise PlaceError(text)
    path = unquote(parts.path, errors="strict") if "\0" not in unquote(parts.path) else ""
    if ".." in PurePosixPath(path).parts or "\n" in path:
        raise PlaceError(text)
    match parts.scheme:
        case "file" if not parts.netloc and PurePosixPath(path).is_absolute() and path != "/":
            return ReplicaPlace(text=text, scheme="file", path=str(PurePosixPath(path)))
        case "s3" if parts.hostname and parts.username is None and not port and parameters.get("force-path-style", "true") in _WORDS:
            return ReplicaPlace(text=text, scheme="s3", path=path.strip("/"), host=parts.netloc, parameters=parameters)
        case "sftp" if parts.hostname and parts.username and path not in ("", "/"):
            user = unquote(parts.username)
            return ReplicaPlace(
                text=text, scheme="sftp", path=path, host=parts.hostname, port=port or SSH_PORT, user=user, parameters=parameters
            )
        case _:
            raise PlaceError(text)


_WORDS: Final = ("true", "false")
