"""What a stranger gets who installs from this checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from importlib import resources
from pathlib import Path

import pytest

import goop2

ROOT = Path(__file__).parent.parent


def test_the_version_is_the_same_in_the_package_and_its_metadata() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert goop2.__version__ == project["version"]


def test_the_lock_names_no_host_but_those_of_pypi() -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)", (ROOT / "uv.lock").read_text()))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def packages_without_a_wheel(interpreter: str) -> set[str]:
    """Return the names in the lock that have no wheel for an interpreter (`cp311`) on Linux."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    wheels = {
        package["name"]: [wheel["url"] for wheel in package.get("wheels", ())] for package in packages if "registry" in package["source"]
    }
    fits = re.compile(rf"-none-any\.whl$|(-{interpreter}-|-abi3-|-py3-none-).*manylinux.*x86_64.*\.whl$")
    return {name for name, urls in wheels.items() if not any(fits.search(url) for url in urls)}


def test_an_installation_needs_no_compiler_with_python_3_14_either() -> None:
    # There is no such interpreter here, so it is not said to work.
    assert packages_without_a_wheel("cp314") & installed() == set()


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_everything_in_the_lock_can_be_installed_on_linux_without_a_compiler(python: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"Programming Language :: Python :: {python}" in project["classifiers"]
    assert packages_without_a_wheel(f"cp{python.replace('.', '')}") == set()


PACKAGES_MAX = 35
"""Of an installation, beside goop2 itself, pip and setuptools."""
GIVEN_UP = {"libp2p", "trio", "multiaddr", "base58", "fastecdsa", "protobuf", "outcome", "cryptography", "coincurve"}
"""The network is goop2's own: these would bring a second event loop, a compiler, or a hundred megabytes."""


def installed() -> set[str]:
    """Return the names of all packages that an installation of the lock brings, on any system."""
    packages = {package["name"]: package for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    found: set[str] = set()
    wanted = ["goop2"]
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        found.add(name)
        for each in packages[name].get("dependencies", ()):
            wanted.append(each["name"])
            extras = packages[each["name"]].get("optional-dependencies", {})
            wanted += [more["name"] for extra in each.get("extra", ()) for more in extras.get(extra, ())]
    return found - {"goop2"}


def test_an_installation_is_small_and_brings_nothing_of_another_network() -> None:
    packages = installed()
    assert "pynacl" in packages
    assert packages & GIVEN_UP == set()
    assert len(packages) <= PACKAGES_MAX


def test_the_package_says_that_it_is_typed() -> None:
    assert resources.files("goop2").joinpath("py.typed").is_file()


def _system(tmp_path: Path, *there: str, user: int = 0, wanted: str = "") -> tuple[str, str]:
    """What tools/system.sh asks apt for, and what it says, on a Linux where only these programs are there. `wanted`: its argument."""
    told = tmp_path / "told"
    told.touch()
    programs = {"uname": "echo Linux", "id": f"echo {user}", "apt-get": f'echo "$@" >> {told}', "python": "exit 1"} | dict.fromkeys(
        there, ""
    )
    for name, does in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": str(tmp_path), "PYTHON": "python"}
    command = ["/bin/sh", str(ROOT / "tools/system.sh"), *filter(None, (wanted,))]
    ran = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return told.read_text(), ran.stderr


BROWSERS = ("chromium", "chromium-headless-shell")
ENCODERS = ("sox", "lame", "flac", "oggenc", "opusenc")


def test_what_pypi_does_not_have_is_installed_where_it_is_missing(tmp_path: Path) -> None:
    asked, said = _system(tmp_path)
    browsers = {"chromium", "chromium-headless-shell", "firefox-esr", "webkit2gtk-driver", "xvfb"}
    assert {"libseccomp2", *browsers, "sox", "lame", "flac", "vorbis-tools", "opus-tools", "iproute2", "nftables"} <= set(asked.split())
    missing = ["libseccomp", "Chromium", "The", "One", "ip", "Firefox", "WebKitGTK's"]
    assert [line.split()[0] for line in said.splitlines()] == missing, "apt did nothing, so it is said"


def test_a_peer_needs_neither_browser_nor_encoders(tmp_path: Path) -> None:
    asked, said = _system(tmp_path, wanted="peer")
    assert asked.split()[-1] == "libseccomp2"
    assert said.startswith("libseccomp is missing")
    assert said.count("\n") == 1


def test_the_demo_installs_nothing_that_only_tests_need() -> None:
    command = ["make", "--dry-run", "--always-make", "demo"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name not in ("MFLAGS", "PYTHON")}
    told = subprocess.run(command, cwd=ROOT, env=clean, check=True, capture_output=True, text=True).stdout
    (synced,) = [line for line in told.splitlines() if " sync " in line]
    assert "--no-dev" in synced
    (system,) = [line for line in told.splitlines() if "system.sh" in line]
    assert system.endswith("system.sh peer")


def test_what_is_there_is_not_installed_again(tmp_path: Path) -> None:
    asked, _ = _system(tmp_path, *BROWSERS, *ENCODERS)
    assert "libseccomp2" in asked
    assert "chromium" not in asked
    assert "sox" not in asked


def test_who_may_not_install_is_told_what_is_missing(tmp_path: Path) -> None:
    asked, said = _system(tmp_path, *BROWSERS, *ENCODERS[1:], user=1000)
    assert asked == ""
    assert "install libseccomp2" in said
    assert "tests of some audio formats are skipped" in said
    assert "Chromium" not in said


def _python(folder: Path, version: str) -> Path:
    """Make a program that answers as a Python of this version does."""
    program = folder / f"python{version}"
    program.write_text(f"#!/bin/sh\ncase $2 in *print*) echo {version} ;; esac\n")
    program.chmod(0o755)
    return program


@pytest.mark.skipif(shutil.which("make") is None, reason="make is missing")
@pytest.mark.parametrize(
    ("present", "given", "environment"),
    [
        (None, None, ".venv"),
        (None, "3.13", ".venv"),
        ("3.12", None, ".venv"),
        ("3.12", "3.12", ".venv"),
        ("3.12", "3.13", ".venv-3.13"),
    ],
)
def test_another_python_gets_an_environment_beside_the_one_that_is_there(
    present: str | None, given: str | None, environment: str, tmp_path: Path
) -> None:
    for name in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, tmp_path)
    if present:
        (tmp_path / ".venv/bin").mkdir(parents=True)
        _python(tmp_path / ".venv/bin", present)
    python = [f"PYTHON={_python(tmp_path, given)}"] if given else []
    # Without what `make test PYTHON=…` says to the programs it starts.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name not in ("MFLAGS", "PYTHON")}
    command = ["make", "--dry-run", "--always-make", "test", *python]
    told = subprocess.run(command, cwd=tmp_path, env=clean, check=True, capture_output=True, text=True).stdout
    assert f"{environment}/bin/pytest" in told
    assert set(re.findall(r"\.venv(?:-[\d.]+)?(?=/bin)", told)) == {environment}
