"""Every setting of goop.json: its name, type, default, bounds and reason, once.

The field's name is the key, the class's place in `Settings` the section. Checks, docs/settings.md and the environment variables come from
here. It must not read a file.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from goop2.config.types import (
    Address,
    SettingType,
    address,
    backup_place,
    boolean,
    boolean_or_list_of,
    ip_address,
    ip_network,
    line,
    list_of,
    nats_address,
    number,
    one_of,
    web_address,
    whole,
)

T = TypeVar("T")

WORKERS_PER_CORE = 4
WORKERS_BY_DEFAULT_AT_MOST = 32


def setting(kind: SettingType[T], default: T | Callable[[], T], doc: str, shown_default: str = "", *, title: str, live: bool = False) -> T:
    """Return a dataclass field that carries its own declaration.

    `shown_default` says in words what a computed default is. `title` is what people call it. `live`: a running peer takes a new value over
    when it is saved in the console (app.py); others are read when a peer starts.
    """
    metadata = {"kind": kind, "doc": doc, "shown_default": shown_default, "title": title, "live": live}
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def default_workers() -> int:
    """Return the default number of workers: more than cores, since they mostly wait; but bounded, since each has memory of its own."""
    return min(WORKERS_PER_CORE * (os.cpu_count() or 1), WORKERS_BY_DEFAULT_AT_MOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lua:
    """The owner's scripts, and what a call of one may cost."""

    enabled: bool = setting(
        boolean(), False, "Whether scripts answer. Off until the owner says so: strangers can call them.", title="Scripts answer", live=True
    )
    script_dir: str = setting(
        line(),
        "site/lua",
        "The folder of the scripts, inside the peer folder. It is never served: scripts hold keys and rules.",
        title="Folder of the scripts",
    )
    timeout_seconds: float = setting(
        number(1, 60),
        5.0,
        "Seconds from accepting a call to its end, waiting for a worker included; then the work is stopped.",
        title="Seconds a call may take",
        live=True,
    )
    max_memory_mb: int = setting(
        whole(1, 1024), 10, "Megabytes one call's Lua values may take.", title="Megabytes a call may take", live=True
    )
    rate_limit_per_peer: int = setting(
        whole(1),
        30,
        "Calls a minute of one caller to one script. `@rate_limit N` in a script replaces it there. The owner is not limited.",
        title="Calls a minute, of one caller to one script",
        live=True,
    )
    rate_limit_global: int = setting(
        whole(1),
        120,
        "Calls a minute of all callers to all scripts. The owner is not limited.",
        title="Calls a minute, of all callers to all scripts",
        live=True,
    )
    http_enabled: bool = setting(boolean(), False, "Whether scripts have `goop.http`.", title="Scripts may ask the web", live=True)
    http_allow: tuple[Address, ...] = setting(
        list_of(address(1), "host:port, each with a port from 1 to 65535"),
        (),
        "Addresses scripts may reach although they are private, such as a home-automation box.",
        title="Private addresses scripts may ask",
        live=True,
    )
    kv_enabled: bool = setting(boolean(), False, "Whether scripts have `goop.kv`.", title="Scripts may keep values", live=True)
    max_workers: int = setting(
        whole(1, 256),
        default_workers,
        "Worker processes at most: calls that run at the same time. They mostly wait, so there are more than cores; "
        "each has memory of its own, so not without end.",
        shown_default="4 × cores, at most 32",
        title="Workers at most",
    )
    isolation: str = setting(
        one_of("worker", "call"),
        "worker",
        "How calls are kept apart: `worker` runs many calls in one process, each in a fresh VM, the owner's and strangers' never in the "
        "same process; `call` gives each call a process of its own. A short call then takes about 50 times as long (8 ms instead of "
        "0.15 ms where it was measured, on two cores with other work), and about a sixtieth as many can be run a second.",
        title="How calls are kept apart",
        live=True,
    )


@dataclass(frozen=True, slots=True)
class Profile:
    """Who the owner is, to others."""

    label: str = setting(line(), "", "The name others see. Empty: the peer id.", title="Your name, as others see it", live=True)
    email: str = setting(
        line(),
        "",
        "The owner's e-mail address. Empty: none. Who is told it is said by `profile.share_email`.",
        title="Your e-mail address",
        live=True,
    )
    share_email: bool | tuple[str, ...] = setting(
        boolean_or_list_of(line(), "peer ids"),
        False,
        "Whether other peers are told the owner's e-mail address: all of them, none, or those with these ids. "
        "The console and the own site show it to the owner in any case.",
        title="Who is told your e-mail address",
        live=True,
    )

    def email_for(self, peer: str) -> str:
        """Return the e-mail address that `peer` may know; "" when it may know none. An empty id stands for everybody."""
        if isinstance(self.share_email, bool):
            return self.email if self.share_email else ""
        return self.email if peer in self.share_email else ""


@dataclass(frozen=True, slots=True)
class Viewer:
    """The web side."""

    http_addr: Address = setting(  # noqa: RUF009 (a field, not a value)
        address(0, default_host="127.0.0.1"),
        Address("127.0.0.1", 8780),
        "Where the web side listens. Port 0: any free one, printed at start. "
        "`:port` alone means loopback: opening it to a network is said with a host.",
        title="Address of the web side",
    )
    proxies: tuple[str, ...] = setting(
        list_of(ip_network(), "IPv4 and IPv6 addresses, or networks such as 10.0.0.0/8"),
        (),
        "Addresses of proxies before the opened site or the own rendezvous server. What they say of a visitor's address "
        "(`X-Forwarded-For`, the last one) and of the site's name (`Host`) is believed, and limits count that address. From anywhere else "
        "the header is ignored.",
        title="Proxies that are believed",
    )
    active_template: str = setting(
        line(),
        "",
        "The template the site has, as presence tells other peers. `goop2 template apply` and `undo` write it.",
        title="Template, as other peers are told",
        live=True,
    )


@dataclass(frozen=True, slots=True)
class P2p:
    """The network."""

    listen_port: int = setting(whole(0, 65535), 0, "TCP port for other peers. 0: any free one.", title="Port for other peers")
    listen_on: str = setting(
        ip_address(),
        "",
        "The IP address for other peers. Empty: every address of this machine; `0.0.0.0`: every IPv4 address; `::`: every IPv6 address.",
        title="Address for other peers",
    )
    mdns_tag: str = setting(
        line(),
        "goop-mdns",
        "Kept as Goop2 writes it: peers of one local network find each other as `goop-mdns`, whatever stands here.",
        title="Name on the local network",
    )


@dataclass(frozen=True, slots=True)
class PresenceSettings:
    """Finding peers beyond the local network."""

    rendezvous_wan: str = setting(web_address(), "", "A rendezvous server. Empty: none.", title="Rendezvous server")
    rendezvous_only: bool = setting(
        boolean(),
        False,
        "Kept for Goop2, where it starts a rendezvous server alone: a folder with true is not started as a peer.",
        title="A rendezvous server alone",
    )
    rendezvous_host: bool = setting(
        boolean(), False, "Whether the peer runs a rendezvous server of its own, and uses it beside that.", title="Run a rendezvous server"
    )
    rendezvous_bind: str = setting(
        line(),
        "127.0.0.1",
        "The address its own server listens on; `0.0.0.0` opens it to others.",
        title="Address of the own rendezvous server",
    )
    rendezvous_port: int = setting(
        whole(0, 65535), 8787, "The port its own server listens on. 0: any free one.", title="Port of the own rendezvous server"
    )


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """Who the peer is."""

    key_file: str = setting(
        line(),
        "data/identity.key",
        "The file of the peer's key, inside the peer folder and outside of its site. Made when it is missing.",
        title="File of the peer's key",
    )


@dataclass(frozen=True, slots=True)
class Paths:
    """Where in the peer folder things are."""

    site_root: str = setting(line(), "site", "The folder of the site, inside the peer folder.", title="Folder of the site")


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """Listening together."""

    media_dirs: tuple[str, ...] = setting(
        list_of(line(), "paths"), (), "Folders beside the peer folder whose audio files scripts may load.", title="Folders with audio files"
    )


SITE = "site"
LINKS_OUT = (SITE, "data.db", "goop.json")
"""What of a peer folder may be a link that leads out of it, where its owner says so."""


@dataclass(frozen=True, slots=True)
class Storage:
    """The files of the peer folder, and how large its database may become."""

    links_out: tuple[str, ...] = setting(
        list_of(one_of(*LINKS_OUT), "site, data.db and goop.json"),
        (),
        "What in the peer folder may be a link that leads out of it. The rest is refused: a folder may come from a stranger's archive, "
        "and a link in it must not open a private file of yours. goop.json itself may always be a link.",
        title="What may be a link out of the folder",
    )
    group_readable: bool = setting(
        boolean(),
        False,
        "Leave the modes of data.db, goop.json and data/ as they are, for a folder shared with another program by group. "
        "Else they are made readable for the peer's own user alone.",
        title="Leave the modes of private files",
    )
    max_mb: int = setting(whole(1), 1024, "Megabytes scripts and callers may fill the database to.", title="Megabytes of the database")
    synchronous: str = setting(
        one_of("normal", "full"),
        "normal",
        "How soon a commit is on the disk. `normal`: it survives the end of the peer in any way; a power cut may take the last ones, and "
        "never damages the database. `full`: it survives a power cut too, and each write waits for the disk.",
        title="When a write is on the disk",
    )
    shared_mb: int = setting(
        whole(1),
        500,
        "Megabytes that the files shared with one group may have in this folder (`shared/<group id>/`).",
        title="Megabytes of files shared with a group",
        live=True,
    )

    @property
    def synced(self) -> bool:
        """Return whether a commit is on the disk before it is over."""
        return self.synchronous == "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsSettings:
    """The history of what ran, in data/runs.db."""

    keep_days: int = setting(whole(1, 3650), 7, "Days a run is kept.", title="Days a run is kept", live=True)
    keep_count: int = setting(
        whole(0, 10_000_000),
        50_000,
        "Runs kept at most; the oldest successes go first. 0: none is written to disk, and the last thousand are kept in memory.",
        title="Runs kept at most",
        live=True,
    )
    keep_arguments: bool = setting(
        boolean(),
        True,
        "Whether the arguments and the answer of a run are kept, the first 2 KB of each. Callers may have put private things into them.",
        title="Keep arguments and answers",
        live=True,
    )
    max_mb: int = setting(
        whole(1, 100_000),
        200,
        "Megabytes data/runs.db may take with its write-ahead log; the oldest successes go first.",
        title="Megabytes of the history of runs",
        live=True,
    )


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """The continuous backup, which Litestream makes while the peer runs."""

    to: str = setting(
        backup_place(),
        "",
        "Where the running peer copies its database and files to, all the time: `file:///folder`, `s3://bucket/path` or "
        "`sftp://user@host/path`. Empty: nowhere. It needs the program Litestream (`goop2 doctor` looks for it).",
        title="Place of the backup",
    )
    every_seconds: int = setting(
        whole(1, 3600), 1, "Seconds between two copies of what was written: so much is lost at most.", title="Seconds between copies"
    )
    keep_days: int = setting(whole(1, 3650), 30, "Days that an older state of the backup is kept.", title="Days a backup is kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """Other machines of the owner that run scripts for this peer (docs/cluster.md)."""

    nats: str = setting(
        nats_address(), "", "The NATS server by which they are reached. Empty: scripts run on this machine alone.", title="NATS server"
    )
    key: str = setting(
        line(),
        "data/cluster.nk",
        "The file of the key this peer shows the server, inside the peer folder.",
        title="File of the cluster's key",
    )
    spill: str = setting(
        one_of("off", "auto", "all"),
        "auto",
        "What runs on other machines: `auto` only scripts that compute or wait for half a millisecond and touch no data, when no worker "
        "is idle here; `all` every script, wherever a machine has a free slot; `off` nothing.",
        title="What runs on other machines",
    )
    lease: bool = setting(
        boolean(),
        False,
        "Whether this peer serves only while it holds its lease on the NATS server, so that a standby can take its place by itself. "
        "`goop2 cluster invite NAME --standby` sets it; it needs `backup.to`.",
        title="Serves by a lease",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of a peer, checked."""

    lua: Lua = Lua()
    profile: Profile = Profile()
    viewer: Viewer = Viewer()
    p2p: P2p = P2p()
    presence: PresenceSettings = PresenceSettings()
    listen: ListenSettings = ListenSettings()
    identity: IdentitySettings = IdentitySettings()
    paths: Paths = Paths()
    storage: Storage = Storage()
    runs: RunsSettings = RunsSettings()
    backup: BackupSettings = BackupSettings()
    cluster: ClusterSettings = ClusterSettings()

    def script_dir(self, folder: Path) -> Path:
        """Return the real path of the scripts of the peer in `folder`; it need not exist."""
        # Not Path.resolve: on Python 3.11 that raises at a link that leads to itself.
        return Path(os.path.realpath(folder / self.lua.script_dir))

    def homes(self, folder: Path) -> tuple[Path, ...]:
        """Return the real paths in which files of the peer in `folder` may lie: its own, and that of its site if the owner allows it."""
        outside = (Path(os.path.realpath(folder / self.paths.site_root)),) if SITE in self.storage.links_out else ()
        return (Path(os.path.realpath(folder)), *outside)


def with_live(running: Settings, wanted: Settings) -> Settings:
    """Return `running` with those values of `wanted` that a running peer takes over."""
    sections_taken = {}
    for name in sections():
        ours, theirs = getattr(running, name), getattr(wanted, name)
        taken = {each.key: getattr(theirs, each.key) for each in declared() if each.section == name and each.live}
        sections_taken[name] = dataclasses.replace(ours, **taken)
    # Runs are in a file or in memory alone from the start on.
    if bool(running.runs.keep_count) != bool(wanted.runs.keep_count):
        sections_taken["runs"] = dataclasses.replace(sections_taken["runs"], keep_count=running.runs.keep_count)
    return Settings(**sections_taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One declaration, for the checks and the documentation."""

    section: str
    key: str
    kind: SettingType[object]
    doc: str
    shown_default: str
    title: str
    live: bool
    """A running peer takes a new value over; else it waits for the next start."""

    @property
    def path(self) -> str:
        """Return the setting's name in messages: `lua.timeout_seconds`."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """Return the environment variable that overrides it for one start."""
        return f"GOOP2_{self.section}_{self.key}".upper()


@cache
def sections() -> dict[str, type[Any]]:
    """Return section name → its dataclass, in the order of `Settings`."""
    return {field.name: type(field.default) for field in dataclasses.fields(Settings)}


@cache
def declared() -> tuple[Setting, ...]:
    """Return every setting, in the order of this file."""
    return tuple(
        Setting(
            section=section,
            key=field.name,
            kind=cast("SettingType[object]", field.metadata["kind"]),
            doc=str(field.metadata["doc"]),
            shown_default=str(field.metadata["shown_default"]) or _shown(field.default),
            title=str(field.metadata["title"]),
            live=bool(field.metadata["live"]),
        )
        for section, section_class in sections().items()
        for field in dataclasses.fields(section_class)
    )


def _shown(default: object) -> str:
    match default:
        case bool():
            return str(default).lower()
        case float():
            return f"{default:g}"
        case ():
            return "[]"
        case "":
            return '""'
        case _:
            return str(default)
