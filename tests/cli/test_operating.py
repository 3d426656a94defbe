"""The commands of the drills in docs/operating.md bring a peer back, with its rows and its identity."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from tests.cli.command import GOOP2, PATIENCE_SECONDS, environment, goop2

PAGE = Path(__file__).parent.parent.parent / "docs/operating.md"


def commands(page: str, title: str) -> list[str]:
    """Return the commands of a section, in order."""
    section = page.partition(f"## {title}")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return [line.partition("  #")[0] for language, block in blocks if language == "sh" for line in block.splitlines()]


def run_lines(lines: list[str], places: dict[str, Path], stdin: str = "") -> str:
    """Run lines of a page with the places of this test; return what the last one prints."""
    stdout = ""
    for line in lines:
        told = line
        for name, place in places.items():
            told = told.replace(name, str(place))
        told = re.sub(r"^goop2 ", f"{GOOP2} ", told)
        done = subprocess.run(
            ["sh", "-c", told],
            cwd=places["/backup"].parent,
            env=environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, (told, done.stderr)
        stdout = done.stdout
    return stdout


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """Where the paths of the page are in this test: a peer with a row, and empty folders."""
    peer = tmp_path / "peer"
    for name in ("backup", "safe"):
        (tmp_path / name).mkdir()
    goop2("init", peer, "--template", "guestbook")
    assert goop2("lua", "call", peer, "visit").returncode == 0  # the first start makes the tables
    assert goop2("data", peer, "write", "INSERT INTO guestbook (_owner, name, message) VALUES ('me', 'Ann', 'Hello')").returncode == 0
    return {"/var/lib/goop2/blog": peer, "/backup": tmp_path / "backup", "/safe": tmp_path / "safe"}


def test_the_drill_by_hand_brings_rows_and_identity_back(places: dict[str, Path], tmp_path: Path) -> None:
    lines = commands(PAGE.read_text(), "A backup by hand")
    assert len(lines) == 5
    assert re.search(r"guestbook +typed +1 ", run_lines(lines, places))
    assert goop2("id", tmp_path / "drill").stdout == goop2("id", places["/var/lib/goop2/blog"]).stdout


def test_the_drill_of_the_continuous_backup_brings_rows_back(places: dict[str, Path]) -> None:
    page, peer = PAGE.read_text(), places["/var/lib/goop2/blog"]
    section = page.partition("## Continuous backup")[2]
    setting = re.search(r"^```json\n(.*)\n```", section, re.MULTILINE)
    assert setting is not None
    settings = json.loads(setting[1].replace("/backup", str(places["/backup"])))
    (peer / "goop.json").write_text(json.dumps({**json.loads((peer / "goop.json").read_text()), **settings}))
    lines = commands(page, "Continuous backup")
    assert len(lines) == 5
    assert re.search(r"guestbook +typed +1 ", run_lines(lines, places, stdin="a long passphrase\n"))
