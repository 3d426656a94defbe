"""What a stranger gets who installs the built wheel with pip."""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from packaging.requirements import Requirement
from tests.installation import installed
from tests.installation.installed import FOREIGN_COMMANDS, MEGABYTES_MAX, OTHER_NETWORK, PACKAGES_MAX, ROOT


class Installation(NamedTuple):
    """The environment that all tests of this file look at."""

    wheel: Path
    sdist: Path
    place: Path
    home: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build the wheel and the source distribution."""
    return installed.build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def new(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Install the wheel into an empty environment."""
    wheel, sdist = built
    place, home = tmp_path_factory.mktemp("new") / "environment", tmp_path_factory.mktemp("home")
    try:
        installed.with_pip(sys.executable, wheel, place, home)
    except installed.IndexUnavailableError as error:
        pytest.skip(f"the package index does not answer: {error}")
    return Installation(wheel, sdist, place, home)


def requirements_of(metadata: bytes) -> set[str]:
    """Return the names that a package requires on this machine."""
    required = map(Requirement, message_from_bytes(metadata).get_all("Requires-Dist") or ())
    return {re.sub(r"[-_.]+", "-", each.name).lower() for each in required if each.marker is None or each.marker.evaluate({"extra": ""})}


def test_the_wheel_holds_the_whole_package_and_the_sdist_can_be_built_from(built: tuple[Path, Path]) -> None:
    wheel, sdist = built
    files = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src/goop2").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files <= set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        there = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", *(f"src/{name}" for name in files)} <= there


def test_the_new_command_checks_the_machine_makes_a_folder_answers_and_serves(new: Installation) -> None:
    installed.tried([new.place / "bin/goop2"], new.home)


def test_what_is_installed_fits_together(new: Installation) -> None:
    assert "No broken requirements" in installed.ran([new.place / "bin/pip", "check"], installed.environment(new.home))


def test_what_is_installed_is_what_requirements_lead_to_and_little(new: Installation) -> None:
    packages = installed.packages(new.place / "bin/python", new.home)
    assert len(packages) <= PACKAGES_MAX, sorted(packages)
    assert packages.keys() & OTHER_NETWORK == set()
    found: set[str] = set()
    wanted = ["goop2"]
    while wanted:
        name = wanted.pop()
        if name not in found:
            found.add(name)
            (metadata,) = (
                path
                for path in new.place.glob("lib/*/site-packages/*.dist-info/METADATA")
                if re.sub(r"[-_.]+", "-", path.parent.name.partition("-")[0]).lower() == name
            )
            wanted += requirements_of(metadata.read_bytes())
            # httpcore is wanted with its asyncio half, an extra.
            wanted += ["anyio"] if name == "httpcore" else []
    assert packages.keys() == found


def test_what_is_installed_is_small(new: Installation) -> None:
    assert installed.megabytes(new.place) <= MEGABYTES_MAX


IDLE: Final = frozenset(
    (
        "_cffi_backend",
        "anyio",
        "apsw",
        "click",
        "httptools",
        "ifaddr",
        "msgspec",
        "nacl",
        "python_multipart",
        "starlette",
        "structlog",
        "typing_extensions",
        "uvicorn",
        "uvloop",
        "zeroconf",
    )
)
"""Of others, what a peer has imported that nobody has asked anything. Each costs memory in every peer (docs/benchmarks.md)."""
ASKED_FOR: Final = frozenset(
    (
        "goop2.cli.prompt",
        "goop2.peers.discovery.rendezvous_client",
        "goop2.rendezvous.server",
        "goop2.services.http_client.client",
        "goop2.web.console.families",
        "goop2.web.console.qr_code",
    )
)
"""Modules of ours that import others, and wait until they are used."""


def test_an_idle_peer_has_imported_what_it_uses_and_no_more(new: Installation) -> None:
    (packages,) = new.place.glob("lib/*/site-packages")
    theirs = {path.name.partition(".")[0] for path in packages.iterdir() if path.suffix != ".dist-info"} - {"goop2", "_distutils_hack"}
    modules = installed.imported_by_an_idle_peer(new.place / "bin/goop2", new.home)
    assert {module.partition(".")[0] for module in modules} & theirs == IDLE
    assert {"goop2.net.host", "goop2.peers.discovery.mdns", "goop2.web.console.app"} <= modules, "it is on the network, and serves"
    assert modules & ASKED_FOR == set()


def test_no_command_comes_along_that_is_not_written_down(new: Installation) -> None:
    assert installed.commands(new.place) == {"goop2", *FOREIGN_COMMANDS}
    page = (ROOT / "docs/dependencies.md").read_text("utf-8").partition("\n## Commands that come along\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([\w-]+)`", "".join(re.findall(r"^\| (.*?) \|", page, re.MULTILINE)))) == FOREIGN_COMMANDS
