"""The program made of go-libp2p (tests/interop/golang), built where Go is, once into the user's cache: to link it takes seconds.

Its modules are fetched through the module proxy.

Nothing here knows pytest: the benchmarks use it too.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.interop.python_environment import cache

SOURCE: Final = Path(__file__).parent / "golang"
BUILD_SECONDS: Final = 900
"""The first time fetches and compiles; later ones take a second."""


class NoToolchainError(Exception):
    """It cannot be built here; the message says why."""


def build() -> Path:
    """Return the program, built when there is none of these sources. Raises `NoToolchainError`."""
    go = shutil.which("go")
    if go is None:
        raise NoToolchainError("no Go toolchain here")
    sources = b"".join(path.read_bytes() for path in sorted(SOURCE.iterdir()))
    place = cache() / f"go-{hashlib.sha256(sources).hexdigest()[:16]}"
    if not place.exists():
        _build(go, place)
    return place


def _build(go: str, place: Path) -> None:
    """In its place when it is whole: several tests may build it at once."""
    if _run(go, "mod", "download").returncode:
        raise NoToolchainError("its modules cannot be fetched here")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as beside:
        made = Path(beside) / "gopeer"
        built = _run(go, "build", "-o", str(made), ".")
        assert built.returncode == 0, built.stderr
        made.replace(place)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=SOURCE, timeout=BUILD_SECONDS, capture_output=True, text=True, check=False)
