"""The environment of a peer of an earlier commit, made once into the user's cache: what its users have, whatever has changed here since.

`make old` makes it, from the repository's history. That takes a C compiler, which the library of that commit needs, and minutes. Where it
was not made the tests against it skip with that reason.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.interop.python_environment import NoEnvironmentError, cache, sync

COMMIT: Final = "9cd802dabbc50141645aeb8734ec6997df8fc8fa"
"""The last one before the network was written anew: py-libp2p on trio."""
ROOT: Final = Path(__file__).parent.parent.parent
COMPILERS: Final = ("cc", "gcc", "clang")
ARCHIVE_SECONDS: Final = 60


def goop2() -> tuple[str, ...]:
    """Return the command `goop2` of that commit. Raises `NoEnvironmentError` where it was not made."""
    python = _place() / "bin/python"
    if not python.exists():
        raise NoEnvironmentError("its environment was not made here: make old")
    return (str(python), "-m", "goop2")


def make() -> tuple[str, ...]:
    """Return the command, its environment made when there is none. Raises `NoEnvironmentError`."""
    if not (_place() / "bin/python").exists():
        if not any(map(shutil.which, COMPILERS)):
            raise NoEnvironmentError(f"no C compiler here ({', '.join(COMPILERS)})")
        with tempfile.TemporaryDirectory() as source:
            _unpack(Path(source))
            sync(Path(source), _place(), "--no-dev", "--no-editable")
    return goop2()


def _unpack(folder: Path) -> None:
    """Write the files of the commit into a folder. Raises `NoEnvironmentError` where the history does not have it."""
    archive = folder / "source.tar"
    command = ["git", "-C", str(ROOT), "archive", "--output", str(archive), COMMIT]
    try:
        done = subprocess.run(command, timeout=ARCHIVE_SECONDS, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NoEnvironmentError("no git here") from None
    if done.returncode:
        raise NoEnvironmentError(f"the history here does not have {COMMIT[:7]}; is the clone shallow? ({done.stderr.strip()[-200:]})")
    shutil.unpack_archive(archive, folder, filter="data")
    archive.unlink()


def _place() -> Path:
    return cache() / f"old-{sys.version_info.major}.{sys.version_info.minor}-{COMMIT[:16]}"


if __name__ == "__main__":
    try:
        print(*make())
    except NoEnvironmentError as error:
        sys.exit(f"the peer of {COMMIT[:7]}: {error}")
