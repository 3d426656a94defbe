"""The configuration of Litestream, written as JSON (which is YAML) into a file for the peer's user alone.

Litestream expands `$NAME` in it before it reads it, so the sign itself is written as a variable. The only secret that cannot be passed by a
variable of Litestream's own, the password of an SFTP server, is a variable here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from goop2.config.replica_place import SSH_PORT, ReplicaPlace
from goop2.folder.regular_files import shown
from goop2.folder.whole_file import replace_whole
from goop2.services.backup.limits import ASK_SECONDS, LAST_COPY_SECONDS
from goop2.services.backup.program import DOLLAR_VARIABLE, PASSWORD_VARIABLE, BackupError

DATA: Final = "data"
FILES: Final = "files"
STREAMS: Final = (DATA, FILES)
"""What is at a place: the peer's database, and its files in a database of their own."""


def write(
    file: Path,
    place: ReplicaPlace,
    term: int,
    databases: Mapping[str, Path],
    *,
    every: int = 1,
    keep_days: int = 30,
    socket: Path | None = None,
) -> None:
    """Write the configuration for these databases, by stream. Raises `BackupError`, OSError."""
    document = {
        "logging": {"level": "info", "type": "json", "stderr": True},
        "snapshot": {"interval": "24h", "retention": f"{keep_days * 24}h"},
        "shutdown-sync-timeout": f"{LAST_COPY_SECONDS}s",
        "shutdown-sync-interval": "200ms",
        **({"socket": {"enabled": True, "path": str(socket), "permissions": 0o600}} if socket is not None else {}),
        "dbs": [
            {
                "path": str(path),
                "monitor-interval": f"{min(every, 1)}s",
                # Without it Litestream stays silent for ever when what it keeps beside the database does not fit what is at the place.
                "replica": {**_replica(place, f"{term}/{stream}"), "sync-interval": f"{every}s", "auto-recover": True},
            }
            for stream, path in databases.items()
        ],
    }
    for path in databases.values():
        if shown(path) != str(path):
            raise BackupError(f"{shown(path)} has a name that is not UTF-8, which Litestream cannot open: rename its folder")
    text = json.dumps(document, ensure_ascii=False, indent=1).replace("$", f"${{{DOLLAR_VARIABLE}}}")
    replace_whole(file, text.replace(_PASSWORD, f"${{{PASSWORD_VARIABLE}}}").encode())


_PASSWORD: Final = "\N{SYMBOL FOR UNIT SEPARATOR}password\N{SYMBOL FOR UNIT SEPARATOR}"
"""In the place of the variable until the signs are written."""


def _replica(place: ReplicaPlace, stream: str) -> dict[str, object]:
    path = f"{place.path}/{stream}" if place.path else stream
    match place.scheme:
        case "s3":
            given = {name: value for name, value in place.parameters.items() if name != "force-path-style"}
            style = place.parameters.get("force-path-style")
            forced = {"force-path-style": style == "true"} if style else {}
            return {"type": "s3", "bucket": place.host, "path": path, **given, **forced}
        case "sftp":
            host = f"[{place.host}]" if ":" in place.host else place.host
            key = {"key-path": place.parameters["key-path"]} if "key-path" in place.parameters else {"password": _PASSWORD}
            return {"type": "sftp", "host": f"{host}:{place.port}", "user": place.user, "path": path, "host-key": _host_key(place), **key}
        case _:
            return {"type": "file", "path": path}


def _host_key(place: ReplicaPlace) -> str:
    """Return the key of an SFTP server. Litestream trusts any server when it is told none."""
    if given := place.parameters.get("host-key"):
        return given
    name = place.host if place.port == SSH_PORT else f"[{place.host}]:{place.port}"
    if program := shutil.which("ssh-keygen"):
        try:
            found = subprocess.run([program, "-F", name], capture_output=True, text=True, timeout=ASK_SECONDS, check=False).stdout
        except (OSError, subprocess.TimeoutExpired):
            found = ""
        for line in found.splitlines():
            if not line.startswith(("#", "@")) and len(parts := line.split()) >= 3:
                return f"{parts[1]} {parts[2]}"
    remedy = f'connect once with "ssh -p {place.port} {place.user}@{place.host}", or name it in backup.to by ?host-key=ssh-ed25519%20AAAA…'
    raise BackupError(f"the key of the SFTP server {name} is not known, so it could be any server: {remedy}")
