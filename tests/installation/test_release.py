"""What is released: the same bytes each time, every file and no other, a list of what it consists of, a changelog in its form."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from tests.test_packaging import installed
from tools import release


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Path]]:
    """Return wheel and sdist, built twice from copies that differ in name, time and modes."""
    folder = tmp_path_factory.mktemp("release")
    return release.built(folder, "once", 0o022), release.built(folder, "again", 0o077)


def test_two_builds_give_the_same_bytes(archives: tuple[list[Path], list[Path]]) -> None:
    once, again = archives
    assert [file.suffix for file in once] == [".whl", ".gz"] or [file.suffix for file in once] == [".gz", ".whl"]
    assert list(release.differences(once, again)) == []


def test_a_difference_is_found(tmp_path: Path) -> None:
    for name, text in (("a", "one"), ("b", "other")):
        (tmp_path / name).write_text(text)
    assert len(list(release.differences([tmp_path / "a"], [tmp_path / "b"]))) == 1


def test_the_archives_have_every_file_that_git_has_and_no_other(archives: tuple[list[Path], list[Path]]) -> None:
    for archive in archives[0]:
        files = release.contents(archive)
        assert list(release.content_faults(archive.name, files)) == []
        assert list(release.content_faults(archive.name, [*files[1:], "left-over"])) != []
    (wheel,) = [archive for archive in archives[0] if archive.suffix == ".whl"]
    files = release.contents(wheel)
    assert "goop2/web/docs/tutorial.md" in files
    assert any(file.endswith("share/man/man1/goop2.1") for file in files)
    assert not any("__pycache__" in file for file in files)


def test_the_sbom_names_what_is_installed_and_what_is_vendored() -> None:
    text = release.sbom()
    assert text == release.sbom()
    components = {each["purl"].partition("@")[0]: each for each in json.loads(text)["components"]}
    assert {f"pkg:pypi/{name}" for name in installed()} <= set(components)
    assert {"pkg:npm/uplot", "pkg:npm/%40codemirror/view"} <= set(components) | {
        each["purl"].rpartition("@")[0] for each in components.values()
    }
    assert not re.search(r"https?://(?!files\.pythonhosted\.org|pypi\.org)", text)


def test_the_changelog_and_the_versions_are_in_order() -> None:
    assert list(release.changelog_faults(release.changelog(), release.version())) == []
    assert list(release.version_faults()) == []
    assert release.version() == tomllib.loads((release.ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("# Changelog\n\n## [0.3.0] - 2026-12-01\n", "should begin with"),
        ("## [Unreleased]\n\n## [0.2.0]\n", "[0.2.0] has no date"),
        ("## [Unreleased]\n### Stuff\n", "Stuff is no section"),
        ("## [Unreleased]\n### Added\n### Added\n", "has Added twice"),
        ("## [0.2.0] - 2026-01-01\n## [0.1.0] - 2026-02-01\n", "newest version should stand first"),
    ],
)
def test_a_changelog_out_of_form_is_named(text: str, fault: str) -> None:
    assert any(fault in each for each in release.changelog_faults(text, "0.2.0"))
