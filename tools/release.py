"""Builds what is released and checks it: `python tools/release.py`, or `make release-check`. It publishes nothing.

    dist/goop2-VERSION-py3-none-any.whl, dist/goop2-VERSION.tar.gz   built twice, from two copies; both must have the same bytes
    dist/goop2-VERSION.cdx.json                                      the SBOM: CycloneDX, what the lock and the vendored scripts hold
    dist/CONTENTS.txt                                                each file of both archives, compared with what git has

It exits with every sentence about what is not ready.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
PACKAGE, DATA = "src/goop2/", "deploy/data/"
OF_THE_ROOT = ("LICENSE", "README.md", "pyproject.toml")
OF_THE_BUILD = re.compile(r"(?:[^/]+/)?(?:PKG-INFO|pyproject\.toml\.orig)|goop2-[^/]+\.dist-info/.*")
"""What the build adds to the archives."""
NPM_LOCKS = ("tools/console-editor/package-lock.json", "tools/console-plots/package-lock.json")
"""Of what is vendored into the console."""
SECTION = re.compile(r"^### (.*)$", re.MULTILINE)
SECTIONS = frozenset(("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"))
"""Of Keep a Changelog."""
VERSION = re.compile(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$", re.MULTILINE)
UNRELEASED = "Unreleased"


def main() -> None:
    """Build, check, and print what was made and what is left to do."""
    DIST.mkdir(exist_ok=True)
    for old in DIST.glob("goop2-*"):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="goop2-release-") as folder:
        once, again = built(Path(folder), "once", 0o022), built(Path(folder), "again", 0o077)
        faults = [*differences(once, again), *changelog_faults(changelog(), version()), *version_faults()]
        for file in once:
            shutil.copy(file, DIST)
    listed = {file.name: contents(file) for file in archives()}
    faults += [fault for name, files in listed.items() for fault in content_faults(name, files)]
    (DIST / "CONTENTS.txt").write_text(
        "".join(f"{name}\n{''.join(f'    {file}' + chr(10) for file in files)}" for name, files in listed.items())
    )
    (DIST / f"goop2-{version()}.cdx.json").write_text(sbom())
    for file in sorted(DIST.glob("goop2-*")):
        print(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(ROOT)}")
    for step in steps_left():
        print(f"to do  {step}")
    if faults:
        sys.exit("\n".join(faults))


def version() -> str:
    """Return the version that pyproject.toml has."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def changelog() -> str:
    """Return the text of the changelog."""
    return (ROOT / "CHANGELOG.md").read_text("utf-8")


def tracked() -> list[str]:
    """Return the files that git has, as paths from the root."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached"], cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted(name for name in listed.stdout.split("\0") if name and (ROOT / name).exists())


def built(folder: Path, name: str, mask: int) -> list[Path]:
    """Build wheel and sdist from a copy of the tracked files, made under another name, at another time and with other modes."""
    copy, out = folder / name, folder / f"{name}-dist"
    previous = os.umask(mask)
    try:
        for file in tracked():
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, copy / file, follow_symlinks=False)
    finally:
        os.umask(previous)
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "build", "--quiet", "--out-dir", out, copy], check=True)
    return sorted(out.glob("goop2-*"))


def differences(once: list[Path], again: list[Path]) -> Iterator[str]:
    """Yield a sentence for each archive that is not the same the second time."""
    for one, other in zip(once, again, strict=True):
        if one.read_bytes() != other.read_bytes():
            yield f"{one.name} has other bytes when it is built again: the build is not reproducible"


def archives() -> list[Path]:
    """Return the built wheel and sdist."""
    return [*DIST.glob("goop2-*.whl"), *DIST.glob("goop2-*.tar.gz")]


def contents(archive: Path) -> list[str]:
    """Return the files in an archive; those of an sdist without its folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return sorted(name for name in wheel.namelist() if not name.endswith("/"))
    with tarfile.open(archive) as sdist:
        return sorted(member.name.partition("/")[2] for member in sdist.getmembers() if not member.isdir())


def content_faults(name: str, files: list[str]) -> Iterator[str]:
    """Yield what an archive lacks of the tracked files, and what it has that git has not."""
    ours = [file for file in tracked() if file.startswith((PACKAGE, DATA)) or file in OF_THE_ROOT]
    if name.endswith(".whl"):
        data = f"goop2-{version()}.data/data/"
        wanted = {file.removeprefix("src/") for file in ours if file.startswith(PACKAGE)}
        wanted |= {data + file.removeprefix(DATA) for file in ours if file.startswith(DATA)}
    else:
        wanted = set(ours)
    given = {file for file in files if not OF_THE_BUILD.fullmatch(file)}
    yield from (f"{name} lacks {file}" for file in sorted(wanted - given))
    yield from (f"{name} has {file}, which git has not" for file in sorted(given - wanted))


def changelog_faults(text: str, released: str) -> Iterator[str]:
    """Yield what is not in the form of Keep a Changelog."""
    versions = VERSION.findall(text)
    if not versions or versions[0][0] not in (UNRELEASED, released):
        yield f"CHANGELOG.md should begin with [{UNRELEASED}] or [{released}]"
    yield from (f"CHANGELOG.md: [{name}] has no date" for name, date in versions if name != UNRELEASED and not date)
    dates = [date for _, date in versions if date]
    if dates != sorted(dates, reverse=True):
        yield "CHANGELOG.md: the newest version should stand first"
    yield from (
        f"CHANGELOG.md: {name} is no section; there are {', '.join(sorted(SECTIONS))}"
        for name in SECTION.findall(text)
        if name not in SECTIONS
    )
    parts = re.split(VERSION.pattern, text, flags=re.MULTILINE)
    for place in range(1, len(parts), 3):
        sections = SECTION.findall(parts[place + 2])
        yield from (f"CHANGELOG.md: [{parts[place]}] has {name} twice" for name in sorted(set(sections)) if sections.count(name) > 1)


def version_faults() -> Iterator[str]:
    """Yield where another version stands than in pyproject.toml."""
    init = (ROOT / "src/goop2/__init__.py").read_text("utf-8")
    if f'__version__ = "{version()}"' not in init:
        yield f"src/goop2/__init__.py should say {version()}, as pyproject.toml does"
    if not re.search(rf'^name = "goop2"\nversion = "{re.escape(version())}"$', (ROOT / "uv.lock").read_text("utf-8"), re.MULTILINE):
        yield f"uv.lock should say {version()}: make lock"


def steps_left() -> Iterator[str]:
    """Yield what somebody does to release what is in [Unreleased]."""
    if (VERSION.findall(changelog()) or [("", "")])[0][0] == UNRELEASED:
        yield "choose the version: pyproject.toml, src/goop2/__init__.py, then make lock and make pages"
        yield f"CHANGELOG.md: [{UNRELEASED}] becomes [VERSION] - DATE"
        yield "make check test, commit, tag vVERSION, make release-check once more; upload the two archives and the SBOM"


def sbom() -> str:
    """Return what an installation and the console's scripts consist of, as CycloneDX 1.5; the same text for the same locks."""
    command: list[str | Path] = [
        Path(sys.executable).with_name("uv"),
        "export",
        "--quiet",
        "--frozen",
        "--no-dev",
        "--format",
        "cyclonedx1.5",
        "--preview-features",
        "sbom-export",
    ]
    exported = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    document = json.loads(exported.stdout)
    # Of the moment and the machine.
    document.pop("serialNumber", None)
    document["metadata"].pop("timestamp", None)
    document["components"] += vendored()
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def vendored() -> list[dict[str, object]]:
    """Return the packages of npm whose code the console's vendored scripts hold."""
    found = []
    for lock in NPM_LOCKS:
        for path, package in json.loads((ROOT / lock).read_text("utf-8"))["packages"].items():
            name = path.rpartition("node_modules/")[2]
            if name and not package.get("dev") and not package.get("optional"):
                reference = f"pkg:npm/{name.replace('@', '%40')}@{package['version']}"
                licenses = [{"license": {"id": package["license"]}}]
                found.append(
                    {
                        "type": "library",
                        "bom-ref": reference,
                        "name": name,
                        "version": package["version"],
                        "purl": reference,
                        "licenses": licenses,
                    }
                )
    return found


if __name__ == "__main__":
    main()
