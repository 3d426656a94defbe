"""The files of a cluster, all in data/cluster/ of its owner's peer folder: who belongs to it, and the server's configuration.

    nodes.json           the machines that were invited: name → public key and what it is for
    nats-server.conf     made from nodes.json, never edited: the server reads it
    server.pem, .key     the server's certificate and its private key
    keys/NAME.nk         the key of an invited machine, to be carried there
    jetstream/           what the server keeps

It must not talk to a server: it asks one to read its configuration again by a signal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from goop2.cluster.bus import ClusterError
from goop2.cluster.certificate import make_certificate
from goop2.cluster.keys import ClusterKey, checked_name, new_key, read_key, write_key
from goop2.cluster.limits import MESSAGE_MAX_BYTES, NODES_MAX
from goop2.folder.regular_files import read_regular, shown
from goop2.folder.whole_file import replace_whole
from goop2.protocols.untrusted_json import InvalidJsonError, decode

FOLDER: Final = "data/cluster"
CONFIGURATION: Final = "nats-server.conf"
NODES: Final = "nodes.json"
PID: Final = "nats-server.pid"
SERVER: Final = "nats-server"
OWNER_NAME: Final = "owner"
FILE_MAX_BYTES: Final = 1024 * 1024

Role = Literal["worker", "standby"]


class InvitedMachine(msgspec.Struct):
    """A machine that the server lets in: its public key (nkey of NATS, `U…`), and what it may do."""

    key: str
    role: Role = "worker"


class ClusterFiles(msgspec.Struct):
    """What nodes.json holds: where the server listens, and who belongs to the cluster."""

    listen_host: str
    listen_port: int
    owner: str
    """Public key of the owner."""
    hosts: list[str]
    """Names and addresses of the server, the one to be told to others first."""
    nodes: dict[str, InvitedMachine] = {}

    @property
    def url(self) -> str:
        """Return the address of the server for other machines."""
        return f"tls://{_bracketed(self.hosts[0])}:{self.listen_port}"

    @property
    def own_url(self) -> str:
        """Return the address of the server for its owner, on the same machine."""
        host = "127.0.0.1" if self.listen_host in ("0.0.0.0", "::") else self.listen_host
        return f"tls://{_bracketed(host)}:{self.listen_port}"


def set_up(folder: Path, host: str, port: int, names: tuple[str, ...], key_file: Path) -> ClusterFiles:
    """Make the files of a cluster, and the owner's key. Raises `ClusterError`, also when there is one already."""
    place = folder / FOLDER
    if (place / NODES).exists():
        raise ClusterError(f"{shown(place)} holds a cluster already; remove that folder and {shown(key_file)} to begin anew")
    hosts = list(dict.fromkeys((*names, *_own_names(host), "localhost", "127.0.0.1")))
    certificate, private = make_certificate(hosts, datetime.now(UTC))
    key = new_key(OWNER_NAME, certificate)
    files = ClusterFiles(host, port, key.public, hosts)
    with _writing(place):
        for part in (place, place / "keys", place / "jetstream"):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_whole(place / "server.pem", certificate.encode())
        replace_whole(place / "server.key", private.encode())
    write_key(key_file, key)
    _save(folder, files)
    return files


def invite(folder: Path, name: str, role: Role) -> tuple[ClusterFiles, Path]:
    """Make a key for a machine and let the server know it; return the file to be carried there. Raises `ClusterError`."""
    files = read_files(folder)
    if checked_name(name) in files.nodes:
        raise ClusterError(f"{name} is invited already; goop2 cluster remove {name} {shown(folder)} takes that back")
    if len(files.nodes) >= NODES_MAX:
        raise ClusterError(f"{NODES_MAX} machines are invited, which is the most; remove one first")
    try:
        certificate = read_regular(folder / FOLDER / "server.pem", folder, FILE_MAX_BYTES).decode("ascii", "replace")
    except OSError as error:
        raise ClusterError(f"{shown(folder / FOLDER / 'server.pem')} cannot be read: {error.strerror or error}") from None
    key = new_key(name, certificate)
    file = folder / FOLDER / "keys" / f"{name}.nk"
    write_key(file, key)
    files.nodes[name] = InvitedMachine(key.public, role)
    _save(folder, files)
    return files, file


def remove(folder: Path, name: str) -> None:
    """Let a machine in no more. Raises `ClusterError`."""
    files = read_files(folder)
    if files.nodes.pop(name, None) is None:
        known = ", ".join(sorted(files.nodes)) or "none"
        raise ClusterError(f"no machine {shown(name)!r} is invited; there are: {known}")
    # The copy here may be gone; what shuts the machine out is that nodes.json does not name it any more.
    with contextlib.suppress(OSError):
        (folder / FOLDER / "keys" / f"{name}.nk").unlink()
    _save(folder, files)


def read_files(folder: Path) -> ClusterFiles:
    """Return who belongs to the cluster of the peer in `folder`. Raises `ClusterError`."""
    file = folder / FOLDER / NODES
    try:
        return decode(read_regular(file, folder, FILE_MAX_BYTES), ClusterFiles)
    except FileNotFoundError:
        raise ClusterError(f"{shown(folder)} has no cluster; goop2 cluster init {shown(folder)} makes one") from None
    except OSError as error:
        raise ClusterError(f"{shown(file)} cannot be read: {error.strerror or error}") from None
    except InvalidJsonError as error:
        raise ClusterError(f"{shown(file)} is damaged: {error}") from None


class NodeNames:
    """The names of invited machines by their keys, read again when a key is not known."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, str] = {}

    def __call__(self, key: str) -> str:
        """Return the name of a machine, or the begin of its key for one that nodes.json does not know."""
        if key not in self._names:
            with contextlib.suppress(ClusterError):
                self._names = {member.key: name for name, member in read_files(self._folder).nodes.items()}
        return self._names.setdefault(key, key[:12])


def ask_to_reload(folder: Path) -> bool:
    """Have the server on this machine read its configuration again; return whether there is one."""
    try:
        pid = int((folder / FOLDER / PID).read_text("ascii"))
        # The file may be left from a server that ended, and the number may be another program's by now.
        if Path(f"/proc/{pid}/comm").read_text("ascii").strip() != SERVER:
            return False
        os.kill(pid, signal.SIGHUP)
    except (OSError, ValueError):
        return False
    return True


def owner_key(folder: Path, key_file: str) -> ClusterKey:
    """Return the key of the owner. Raises `ClusterError`."""
    return read_key(folder / key_file)


def _save(folder: Path, files: ClusterFiles) -> None:
    place = folder / FOLDER
    with _writing(place):
        replace_whole(place / NODES, msgspec.json.format(msgspec.json.encode(files)) + b"\n")
        replace_whole(place / CONFIGURATION, configuration(Path(os.path.realpath(place)), files).encode())


@contextlib.contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ClusterError(f"{shown(place)} cannot be written: {error.strerror or error}") from None


def configuration(place: Path, files: ClusterFiles) -> str:
    """Return the configuration of the server: encrypted, and each machine may say and hear nothing but its own."""
    users = [_user("owner", files.owner, _OWNER_SAYS, _OWNER_HEARS)]
    for name, member in sorted(files.nodes.items()):
        says, hears = (
            # A standby becomes the owner when it is promoted, so it may say and hear what the owner may.
            (_OWNER_SAYS, _OWNER_HEARS)
            if member.role == "standby"
            else ((f"goop2-cluster.owner.{member.key}.>",), (f"goop2-cluster.node.{member.key}.>",))
        )
        users.append(_user(name, member.key, says, hears))
    return f"""\
# Written by goop2 cluster; changes are lost. nats-server 2.11 or newer: nats-server -c {_quoted(place / CONFIGURATION)}
server_name: goop2
listen: "{_bracketed(files.listen_host)}:{files.listen_port}"
max_payload: {MESSAGE_MAX_BYTES >> 20}MB
pid_file: {_quoted(place / PID)}

tls {{
  cert_file: {_quoted(place / "server.pem")}
  key_file: {_quoted(place / "server.key")}
}}

jetstream {{
  store_dir: {_quoted(place / "jetstream")}
  # What is acknowledged is on the disk: a lease must not be forgotten by a loss of power.
  sync_interval: always
}}

authorization {{
  timeout: 5
  users: [
{"".join(users)}  ]
}}
"""


_OWNER_SAYS: Final = ("goop2-cluster.node.>", "goop2-cluster.owner.self.>", "$JS.>", "$KV.>", "$O.>", "_INBOX.>")
_OWNER_HEARS: Final = ("goop2-cluster.owner.>", "$KV.>", "$O.>", "_INBOX.>")


def _user(name: str, key: str, says: tuple[str, ...], hears: tuple[str, ...]) -> str:
    return f"    # {name}\n    {{ nkey: {key}, permissions: {{ publish: [{_list(says)}], subscribe: [{_list(hears)}] }} }}\n"


def _list(subjects: tuple[str, ...]) -> str:
    return ", ".join(f'"{subject}"' for subject in subjects)


def _quoted(path: Path) -> str:
    return msgspec.json.encode(os.fspath(path)).decode()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _own_names(host: str) -> Iterator[str]:
    """Yield by which names and addresses others may reach a server that listens at `host`."""
    if host not in ("0.0.0.0", "::"):
        yield host
        return
    yield socket.gethostname()
