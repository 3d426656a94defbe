"""The program made of go-libp2p (tests/interop/golang), built where Go is; its modules are fetched once, through the module proxy.

Nothing here knows pytest: the benchmarks use it too.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).parent / "golang"
BUILD_SECONDS: Final = 900
"""The first time fetches and compiles; later ones take a second."""


class NoToolchainError(Exception):
    """It cannot be built here; the message says why."""


def build(folder: Path) -> Path:
    """Return the program, built into `folder`. Raises `NoToolchainError`."""
    go = shutil.which("go")
    if go is None:
        raise NoToolchainError("no Go toolchain here")
    if _run(go, "mod", "download").returncode:
        raise NoToolchainError("its modules cannot be fetched here")
    built = _run(go, "build", "-o", str(folder / "gopeer"), ".")
    assert built.returncode == 0, built.stderr
    return folder / "gopeer"


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=SOURCE, timeout=BUILD_SECONDS, capture_output=True, text=True, check=False)
