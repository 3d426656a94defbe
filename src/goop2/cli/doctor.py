"""`goop2 doctor`: report what this machine offers a peer, by starting one and calling a script in it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from goop2.cli import logs, output, session
from goop2.cli.main import EXIT_FAULT, EXIT_OK
from goop2.cli.options import FOLDER, json_option

EXAMPLE, EXPECTED = "!hello Alice", "Hello, Alice!"

LAYERS: Final = {
    "environment": ("workers see nothing of your environment", "please report it: goop2 starts them with an environment of its own"),
    "descriptors": ("workers hold their socket, the database and no other open file", "please report it"),
    "parent-death": ("workers end with the peer", "needs Linux"),
    "no-new-privileges": ("workers can never gain rights", "needs Linux 3.5 or newer"),
    "landlock": ("workers can open no file", "needs Linux 5.13 or newer with Landlock switched on (lsm=landlock,… at boot)"),
    "rlimits": ("memory, files and processes of a worker are limited", "ask whoever set this system's limits"),
    "seccomp": ("workers can make no system call beyond a short list", "install libseccomp (on Debian: apt-get install libseccomp2)"),
}
"""Layer of the wall → what it is good for, and how to get it."""

GAPS: Final = {
    "signal-scope": ("workers can signal no process, by Landlock too", "needs Linux 6.12 or newer with Landlock switched on"),
    "stat-calls": (
        "workers cannot find out which files and processes exist",
        "use a build of apsw whose SQLite needs fstat alone, such as the wheel goop2 is released with",
    ),
}
"""What layers in force may not cover on a machine → what it is good for, and how to get it."""

FLAVOURS: Final = {
    "lupa.luajit21": "LuaJIT: 5.1 semantics, goto, machine code",
    "lupa.lua51": "plain Lua 5.1: slower, without goto",
}
"""Module of lupa → what a peer has of it, the better first."""


@dataclass(frozen=True)
class Finding:
    """One result of `goop2 doctor`: a thing and its state."""

    what: str
    ok: bool
    says: str
    remedy: str = ""
    needed: bool = False
    """Without it no script answers."""


@click.command("doctor")
@click.argument("folder", metavar="[DIR]", type=FOLDER, required=False)
@json_option
def doctor(folder: Path | None, as_json: bool) -> int:
    """Say what this machine offers, and how to get the rest.

    Looks at Python and Lua, then starts a peer in a temporary folder and calls a script in it: so each layer of the wall is
    reported by a worker that stands behind it. Two lines more say what layers in force do not cover on this machine. The exit
    code is 2 when no script can run here. With DIR it also says what that peer folder, if it was made by Goop2, has that is not
    used here, and whether its backup can be made.
    """
    findings = [*_findings(), *(_of_folder(folder) if folder is not None else ())]
    if as_json:
        output.answer_json(_as_json(findings))
    else:
        _print(findings)
    return EXIT_FAULT if any(finding.needed and not finding.ok for finding in findings) else EXIT_OK


def _findings() -> Iterator[Finding]:
    import platform

    version = platform.python_version()
    yield Finding(
        "Python", sys.version_info >= (3, 11), f"{version} on {platform.system()} {platform.release()}", "needs Python 3.11", True
    )
    yield from _flavours()
    layers, gaps, script = _trial()
    yield script
    yield from (_layer(name, why) for name, why in layers.items())
    if layers and not layers.get("seccomp"):  # without the layer its gaps say nothing
        yield from (_gap(name, gaps.get(name, "")) for name in GAPS)


def _of_folder(folder: Path) -> Iterator[Finding]:
    """Say what of a peer folder, which Goop2 may have made, is not used here."""
    from goop2.config.loading import check, of_goop2, read_document, unused_keys

    _, document = read_document(folder)
    check(folder, document, {})
    unused = unused_keys(document)
    says = f"goop.json has keys that are not used here: {', '.join(unused)}" if unused else "all of goop.json is used here"
    yield Finding("settings", True, says)
    yield from _backup(folder)
    if off := of_goop2(document):
        yield Finding("scripts' means", True, off)
    yield from _of_cluster(folder)


def _of_cluster(folder: Path) -> Iterator[Finding]:
    """Say what of the cluster of a peer folder is there: the server and the machines. Nothing for a folder without one."""
    from goop2.cli.cluster import view_of
    from goop2.cluster.bus import ClusterError

    if not session.settings_of(folder).cluster.nats:
        return
    try:
        view = session.run(view_of(folder))
    except ClusterError as error:
        yield Finding("cluster", False, str(error), "docs/cluster.md says how a cluster is set up")
        return
    if not view.connected:
        yield Finding("cluster", False, view.why, "docs/cluster.md says how a cluster is set up")
        return
    slots = sum(node.slots for node in view.nodes if node.state in ("ready", "waiting"))
    machines = f"{len(view.nodes)} machine{'' if len(view.nodes) == 1 else 's'}"
    yield Finding("cluster", True, f"nats-server {view.version} at {view.server}; {machines} with {slots} slots")
    if view.lease is not None:
        from goop2.cli.cluster import lease_line, standby_line

        here = [standby for standby in view.lease.standbys if standby.is_here]
        yield Finding(
            "lease", not view.lease.trouble, lease_line(view.lease).removeprefix("lease  "), "docs/cluster.md says what a lease needs"
        )
        says = "; ".join(standby_line(standby).removeprefix("standby  ") for standby in here)
        if view.lease.held:
            yield Finding("standby", bool(here), says or "none is there", 'start "goop2 standby" on the machine that was invited for it')
    for node in view.nodes:
        if node.why:
            yield Finding(f"machine {node.name}", False, node.why, "docs/cluster.md says what the machines need")


def _backup(folder: Path) -> Iterator[Finding]:
    """Say where the backup goes, and whether the program that makes it is here."""
    from goop2.services.backup import program, state

    settings = session.settings_of(folder).backup
    if not settings.to:
        return
    yield Finding("backup", True, f"to {settings.to}, every {settings.every_seconds} s, kept for {settings.keep_days} days")
    try:
        found = program.find()
        yield Finding("Litestream", True, f"{found.version} in {found.path}")
    except program.BackupError as error:
        yield Finding("Litestream", False, str(error).partition(":")[0], program.REMEDY)
    check = state.last_check(folder)
    if check is not None:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(check.at))
        says = f"tested {when}: {check.problem or f'restored and started, {check.rows} rows'}"
        yield Finding("restoring", not check.problem, says, f'"goop2 backup {folder} --check" tests it again')


def _flavours() -> Iterator[Finding]:
    import importlib.metadata
    import importlib.util

    version = importlib.metadata.version("lupa")
    found = {module: importlib.util.find_spec(module) is not None for module in FLAVOURS}
    for module, there in found.items():
        # The plain one only stands in for the better one.
        needed = not any(found.values())
        yield Finding(module, there, f"{version}, {FLAVOURS[module]}", "reinstall lupa from a wheel that has it", needed)


def _trial() -> tuple[Mapping[str, str], Mapping[str, str], Finding]:
    """Start a worker; return what it reports of its wall and the gaps in it, and whether a script answers behind it."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="goop2-doctor-") as folder:
        try:
            layers, gaps, text = session.run(_call(Path(folder) / "peer"))
        except Exception as error:
            return {}, {}, Finding("scripts", False, output.one_line(str(error)), "please report it with what stands above", True)
    return layers, gaps, Finding("scripts", text == EXPECTED, f"{EXAMPLE} answers {text}", "please report it with what stands above", True)


async def _call(folder: Path) -> tuple[Mapping[str, str], Mapping[str, str], str]:
    from goop2.app import open_peer
    from goop2.folder.creation import create

    logs.set_up()
    create(folder, "doctor")
    async with open_peer(folder, {}) as peer:
        return dict(peer.confinement), dict(peer.pool.gaps), (await peer.engine.command(peer.owner, EXAMPLE)).text


def _layer(name: str, why: str) -> Finding:
    good_for, remedy = LAYERS.get(name, (name, "please report it"))
    return Finding(name, not why, why or good_for, remedy)


def _gap(name: str, why: str) -> Finding:
    good_for, remedy = GAPS[name]
    return Finding(name, not why, why or good_for, remedy)


def _as_json(findings: list[Finding]) -> dict[str, object]:
    checks = [
        {"what": finding.what, "ok": finding.ok, "says": finding.says, **({} if finding.ok else {"remedy": finding.remedy})}
        for finding in findings
    ]
    return {"ok": all(finding.ok for finding in findings), "checks": checks}


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        remedy = "" if finding.ok else f". To get it: {finding.remedy}"
        print(output.one_line(f"{'ok ' if finding.ok else 'no '} {finding.what.ljust(width)}", 80).ljust(width + 4), end="  ")
        print(output.one_line(finding.says + remedy))
    missing = [finding.what for finding in findings if not finding.ok]
    output.note(f"missing: {', '.join(missing)}" if missing else "everything a peer can use is here")
