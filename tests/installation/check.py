"""`make install-check`: installs the built wheel with pip, pipx, uv and uvx on each Python there is, and tries it.

Each into an empty environment of its own, from empty caches, wheels only, with a compiler that fails. The table of docs/installation.md is
written anew. What cannot be tried is a row that says why.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.installation.installed import (
    ROOT,
    IndexUnavailableError,
    InstallError,
    build,
    commands,
    environment,
    megabytes,
    packages,
    ran,
    tried,
    with_pip,
)

PYTHONS: Final = ("3.11", "3.12", "3.13")
PAGE: Final = ROOT / "docs/installation.md"
BEGIN, END = "<!-- install-check -->", "<!-- /install-check -->"
HEAD: Final = ("Python", "with", "works", "seconds", "packages", "MB", "commands you get")


@dataclass
class Try:
    """One installer on one Python."""

    python: Path
    wheel: Path
    place: Path
    """An empty folder for the environment and the user's home."""
    goop2: Sequence[str | Path] = ()
    """What runs the command afterwards."""
    site: Path | None = None
    """The environment, where it can be found."""
    reached: set[str] = field(default_factory=set)
    """The commands a user can type afterwards."""

    @property
    def home(self) -> Path:
        """Return the user's home."""
        home = self.place / "home"
        home.mkdir(exist_ok=True)
        return home


def _pip(this: Try) -> None:
    this.site = this.place / "environment"
    this.goop2 = [with_pip(this.python, this.wheel, this.site, this.home)]
    this.reached = commands(this.site)


def _pipx(this: Try) -> None:
    helper = this.place / "pipx"
    ran([this.python, "-m", "venv", helper], environment(this.home))
    ran([helper / "bin/pip", "install", "--quiet", "--only-binary", ":all:", "pipx"], environment(this.home))
    ran(
        [helper / "bin/pipx", "install", "--quiet", "--python", this.python, "--pip-args=--only-binary :all:", this.wheel],
        environment(this.home),
    )
    _found_in_home(this)


def _uv_tool(this: Try) -> None:
    ran([_uv(), "tool", "install", "--quiet", "--no-build", "--python", this.python, this.wheel], environment(this.home))
    _found_in_home(this)


def _uvx(this: Try) -> None:
    this.goop2 = [_uv(), "tool", "run", "--quiet", "--no-build", "--python", this.python, "--from", this.wheel, "goop2"]
    ran([*this.goop2, "--version"], environment(this.home))
    this.reached = {"uvx --from WHEEL goop2"}


def _found_in_home(this: Try) -> None:
    """Note what an installer has put on the path of a user, which is `~/.local/bin`."""
    on_path = this.home / ".local/bin"
    this.goop2 = [on_path / "goop2"]
    this.reached = {path.name for path in on_path.iterdir()}
    this.site = (on_path / "goop2").resolve().parent.parent


INSTALLERS: Final[dict[str, Callable[[Try], None]]] = {"pip": _pip, "pipx": _pipx, "uv tool install": _uv_tool, "uvx": _uvx}


def _uv() -> Path:
    return Path(sys.executable).with_name("uv")


def _python(version: str) -> Path | None:
    """Return the interpreter of a version: from the path, or pyenv's newest."""
    places = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    usual = shutil.which(f"python{version}")
    for each in (*places[::-1], *([Path(usual)] if usual else [])):
        if subprocess.run([each, "-c", "import ensurepip, venv"], capture_output=True).returncode == 0:
            return each
    return None


def _row(version: str, name: str, wheel: Path) -> list[str]:
    python = _python(version)
    if python is None:
        return [version, name, "not tried: no such Python here", "", "", "", ""]
    with tempfile.TemporaryDirectory(prefix="goop2-install-") as place:
        this = Try(python, wheel, Path(place))
        begun = time.monotonic()
        try:
            INSTALLERS[name](this)
            seconds = time.monotonic() - begun
            tried(this.goop2, this.home)
        except IndexUnavailableError as error:
            return [version, name, f"not tried: the package index does not answer ({error})", "", "", "", ""]
        except (InstallError, subprocess.TimeoutExpired) as error:
            print(error, file=sys.stderr)
            return [version, name, "**no**", "", "", "", ""]
        count = size = ""
        if this.site is not None:
            count, size = str(len(packages(this.site / "bin/python", this.home))), f"{megabytes(this.site):.0f}"
        return [version, name, "yes", f"{seconds:.0f}", count, size, _listed(this.reached)]


def _listed(reached: set[str]) -> str:
    others = len(reached - {"goop2"})
    return "`goop2`" + (f" and {others} of dependencies" if others else "") if "goop2" in reached else f"`{min(reached)}`"


def main() -> None:
    """Try everything, print the table and write it into the page. Ends with 1 where something does not work."""
    with tempfile.TemporaryDirectory(prefix="goop2-dist-") as into:
        wheel, _ = build(Path(into))
        rows = []
        for version in PYTHONS:
            for name in INSTALLERS:
                rows.append(_row(version, name, wheel))
                print(" | ".join(rows[-1]), flush=True)
    lines = [HEAD, ("---",) * len(HEAD), *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", "utf-8")
    sys.exit(any(row[2] == "**no**" for row in rows))


if __name__ == "__main__":
    main()
