"""Programs in Go, such as that of go-libp2p (tests/interop/golang), built where Go is, once into the user's cache.

Their modules are fetched through the module proxy.

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


def build(source: Path = SOURCE, package: str = ".") -> Path:
    """Return the program of `package` in the module at `source`, built when there is none of these sources. Raises `NoToolchainError`."""
    go = shutil.which("go")
    if go is None:
        raise NoToolchainError("no Go toolchain here")
    sources = b"".join(path.read_bytes() for path in sorted(source.rglob("*")) if path.is_file())
    place = cache() / f"go-{hashlib.sha256(sources + package.encode()).hexdigest()[:16]}"
    if not place.exists():
        _build(go, source, package, place)
    return place


def _build(go: str, source: Path, package: str, place: Path) -> None:
    """In its place when it is whole: several tests may build it at once."""
    if _run(source, go, "mod", "download").returncode:
        raise NoToolchainError("its modules cannot be fetched here")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as beside:
        made = Path(beside) / "made"
        built = _run(source, go, "build", "-o", str(made), package)
        assert built.returncode == 0, built.stderr
        made.replace(place)


def _run(source: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=source, timeout=BUILD_SECONDS, capture_output=True, text=True, check=False)
