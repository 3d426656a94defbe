"""The environment of py-libp2p's peer (tests/interop/python), made once into the user's cache: nothing of it is in the project's own.

`make interop` makes it. That takes minutes and a C compiler, and its peers start slowly: where it was not made, the tests against py-libp2p
skip with that reason.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).parent / "python"
FETCH_SECONDS: Final = 900


class NoEnvironmentError(Exception):
    """It cannot be made here; the message says why."""


def cache() -> Path:
    """Return where tests keep what they fetch."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "goop2-tests"


def python() -> Path:
    """Return the interpreter that has py-libp2p. Raises `NoEnvironmentError` where it was not made."""
    if not (_place() / "bin/python").exists():
        raise NoEnvironmentError("its environment was not made here: make interop")
    return _place() / "bin/python"


def make() -> Path:
    """Return the interpreter that has py-libp2p, made when there is none. Raises `NoEnvironmentError`."""
    if not (_place() / "bin/python").exists():
        sync(PROJECT, _place())
    return python()


def _place() -> Path:
    lock = hashlib.sha256((PROJECT / "uv.lock").read_bytes()).hexdigest()[:16]
    return cache() / f"python-{sys.version_info.major}.{sys.version_info.minor}-{lock}"


def sync(project: Path, place: Path, *options: str) -> None:
    """Make the environment that a project's lock describes, in its place when it is whole: several tests may make it at once.

    Raises `NoEnvironmentError`.
    """
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise NoEnvironmentError("no uv here")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as beside:
        made = Path(beside) / "environment"
        settings = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(made), "UV_PYTHON_DOWNLOADS": "never"}
        settings.pop("VIRTUAL_ENV", None)
        command = [uv, "sync", "--quiet", "--frozen", *options, "--project", str(project), "--python", sys.executable]
        done = subprocess.run(command, env=settings, timeout=FETCH_SECONDS, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoEnvironmentError(f"its packages cannot be fetched here: {done.stderr.strip()[-300:]}")
        with contextlib.suppress(OSError):  # another was first
            made.rename(place)


if __name__ == "__main__":
    try:
        print(make())
    except NoEnvironmentError as error:
        sys.exit(f"py-libp2p: {error}")
