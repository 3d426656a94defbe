"""goop2 installed from its built wheel into an empty environment, wheels only and without a compiler, and tried as a new user tries it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
INSTALL_SECONDS: Final = 300.0
COMMAND_SECONDS: Final = 60.0
SETTLED_SECONDS: Final = 3.0
"""A peer on the network imports no more after that, unless somebody asks for something."""
MEGABYTE: Final = 2**20
MEGABYTES_MAX: Final = 90
"""What `du -sm` says of an environment, less pip and setuptools."""
PACKAGES_MAX: Final = 35
"""Beside pip and setuptools, goop2 itself among them."""
INSTALLERS: Final = frozenset(("pip", "setuptools", "wheel"))
OTHER_NETWORK: Final = frozenset(("libp2p", "py-libp2p", "trio", "multiaddr", "base58", "fastecdsa"))
"""What brought a compiler, and a second event loop."""
FOREIGN_COMMANDS: Final = frozenset(
    (
        "apsw",
        "cffi-gen-src",
        "idna",
        "markdown-it",
        "mid3cp",
        "mid3iconv",
        "mid3v2",
        "moggsplit",
        "mutagen-inspect",
        "mutagen-pony",
        "uvicorn",
    )
)
"""Commands of dependencies, which pip puts beside ours; docs/dependencies.md says why each is still there."""
NO_INDEX: Final = re.compile(
    r"connection|timed? ?out|name resolution|proxy|max retries|dns error|unreachable|error sending request", re.IGNORECASE
)
"""In what an installer writes when the package index does not answer."""


class IndexUnavailableError(Exception):
    """The package index does not answer: the message is the installer's last line about it."""


class InstallError(Exception):
    """The installation, or what was tried with it, failed: the message is the end of what was written."""


def environment(home: Path) -> dict[str, str]:
    """Return ours with an empty home and no compiler, and without what would change what is run."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("GOOP2_", "PYTHON", "XDG_", "VIRTUAL_ENV", "UV_PROJECT"))
    }
    return {**kept, "HOME": str(home), "CC": "/bin/false", "CXX": "/bin/false", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def build(into: Path) -> tuple[Path, Path]:
    """Build the wheel and the source distribution of this checkout; return both."""
    uv = Path(sys.executable).with_name("uv")
    ran([uv, "build", "--quiet", "--wheel", "--sdist", "--out-dir", into, ROOT], os.environ)
    (wheel,), (sdist,) = into.glob("*.whl"), into.glob("*.tar.gz")
    return wheel, sdist


def ran(command: Sequence[str | Path], env: Mapping[str, str], seconds: float = INSTALL_SECONDS) -> str:
    """Return what a command writes on stdout. Raises `InstallError`, and `IndexUnavailableError`."""
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        return done.stdout
    if found := [line for line in done.stderr.splitlines() if NO_INDEX.search(line)]:
        raise IndexUnavailableError(found[-1].strip())
    raise InstallError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def with_pip(python: str | Path, wheel: Path, place: Path, home: Path) -> Path:
    """Install with pip into a new environment at `place`; return its `goop2`."""
    ran([python, "-m", "venv", place], environment(home))
    ran([place / "bin/pip", "install", "--quiet", "--only-binary", ":all:", wheel], environment(home))
    return place / "bin/goop2"


def tried(goop2: Sequence[str | Path], home: Path) -> None:
    """Run `doctor`, `init`, `lua chat` and `peer` once, as a new user does. Raises `InstallError`."""
    env, folder = environment(home), home / "mysite"
    ran([*goop2, "doctor"], env, COMMAND_SECONDS)
    ran([*goop2, "init", folder], env, COMMAND_SECONDS)
    answer = ran([*goop2, "lua", "chat", folder, "!hello Alice"], env, COMMAND_SECONDS)
    if answer != "Hello, Alice!\n":
        raise InstallError(f"!hello Alice is answered with {answer!r}")
    _on_any_port(folder)
    with _peer([*goop2, "peer", folder], env) as line:
        if " is up  console: http://127.0.0.1:" not in line:
            raise InstallError(f"goop2 peer says {line!r}")


def _on_any_port(folder: Path) -> None:
    """Let the peer of a folder have its pages on a port that is free: the usual one may be somebody's."""
    settings = json.loads((folder / "goop.json").read_text("utf-8"))
    settings.setdefault("viewer", {})["http_addr"] = "127.0.0.1:0"
    (folder / "goop.json").write_text(json.dumps(settings), "utf-8")


def imported_by_an_idle_peer(goop2: Path, home: Path) -> set[str]:
    """Return the modules a peer has imported once it is on the network and nobody has asked it anything."""
    folder = home / "idle"
    ran([goop2, "init", folder], environment(home), COMMAND_SECONDS)
    _on_any_port(folder)
    said: list[str] = []
    with _peer([goop2, "peer", folder], environment(home) | {"PYTHONPROFILEIMPORTTIME": "1"}, said.append):
        end = time.monotonic() + COMMAND_SECONDS
        while not (folder / "data/peer.sock").exists():
            if time.monotonic() > end:
                raise InstallError("the peer does not come on the network")
            time.sleep(0.1)
        time.sleep(SETTLED_SECONDS)  # the rest of its imports come after the socket
    return {line.rpartition("|")[2].strip() for line in "".join(said).splitlines() if line.startswith("import time:")}


@contextmanager
def _peer(command: Sequence[str | Path], env: Mapping[str, str], hear: Callable[[str], object] = str) -> Iterator[str]:
    """Run a peer to its line, which is given, and end it. `hear` gets what it has said on stderr."""
    # A group of its own: uvx runs the command in a child.
    with (
        tempfile.TemporaryFile("w+") as stderr,
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=stderr, text=True, start_new_session=True) as peer,
    ):
        assert peer.stdout
        late = threading.Timer(COMMAND_SECONDS, os.killpg, (peer.pid, signal.SIGKILL))
        late.start()
        try:
            yield peer.stdout.readline()
        finally:
            os.killpg(peer.pid, signal.SIGTERM)
            peer.wait()
            late.cancel()
            stderr.seek(0)
            said = stderr.read()
            hear(said)
    if peer.returncode != 0:
        raise InstallError(f"goop2 peer ended with {peer.returncode}: {said[-2000:]}")


def megabytes(place: Path) -> float:
    """Return what `du` says of an environment, less pip and setuptools, in megabytes."""
    blocks = sum(path.lstat().st_blocks for path in (place, *place.rglob("*")) if not _is_of_an_installer(path.relative_to(place)))
    return blocks * 512 / MEGABYTE


def _is_of_an_installer(path: Path) -> bool:
    parts = path.parts[path.parts.index("site-packages") + 1 :] if "site-packages" in path.parts else ()
    return bool(parts) and re.split(r"[-.]", parts[0])[0] in INSTALLERS | {"pkg_resources", "_distutils_hack", "distutils"}


def packages(python: Path, home: Path) -> dict[str, str]:
    """Return name → version of what is installed beside pip and setuptools, with the Python of an environment."""
    code = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()), sep='\\n')"
    found = (line.split("==") for line in ran([python, "-c", code], environment(home), COMMAND_SECONDS).split())
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found if name not in INSTALLERS}


def commands(place: Path) -> set[str]:
    """Return the commands of an environment that are neither Python's, nor pip's, nor for a shell."""
    usual = re.compile(r"(python|pip|pip3|wheel|easy_install)[\d.]*$|activate|Activate|deactivate|pydoc")
    return {path.name for path in (place / "bin").iterdir() if not usual.match(path.name)}
