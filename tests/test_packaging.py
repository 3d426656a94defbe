"""What a stranger gets who installs from this checkout."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path

import goop2

ROOT = Path(__file__).parent.parent


def test_the_version_is_the_same_in_the_package_and_its_metadata() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert goop2.__version__ == project["version"]


def test_the_lock_names_no_host_but_those_of_pypi() -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)", (ROOT / "uv.lock").read_text()))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def test_everything_in_the_lock_can_be_installed_on_linux_without_a_compiler() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    wheels = {
        package["name"]: [wheel["url"] for wheel in package.get("wheels", ())] for package in packages if "registry" in package["source"]
    }
    # py-multibase wants them; no wheels, and nothing in them to compile.
    pure_python = {"python-baseconv", "varint"}
    fits = re.compile(r"-none-any\.whl$|(-cp311-|-abi3-|-py3-none-).*manylinux.*x86_64.*\.whl$")
    assert {name for name, urls in wheels.items() if not any(fits.search(url) for url in urls)} == pure_python


def test_the_package_says_that_it_is_typed() -> None:
    assert resources.files("goop2").joinpath("py.typed").is_file()
