"""The commands of the drill in docs/operating.md bring a peer back, with its rows and its identity."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.cli.command import GOOP2, PATIENCE_SECONDS, environment, goop2

PAGE = Path(__file__).parent.parent.parent / "docs/operating.md"


def commands(page: str) -> list[str]:
    """Return the commands of the section about backups, in order."""
    section = page.partition("## Backup and restore")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return [line.partition("  #")[0] for block in blocks for line in block.splitlines()]


def test_the_drill_brings_rows_and_identity_back(tmp_path: Path) -> None:
    peer, backup = tmp_path / "peer", tmp_path / "backup"
    backup.mkdir()
    goop2("init", peer, "--template", "guestbook")
    assert goop2("lua", "call", peer, "visit").returncode == 0  # the first start makes the tables
    assert goop2("data", peer, "write", "INSERT INTO guestbook (_owner, name, message) VALUES ('me', 'Ann', 'Hello')").returncode == 0
    lines = commands(PAGE.read_text())
    assert len(lines) == 5
    for line in lines:
        told = line.replace("/var/lib/goop2/blog", str(peer)).replace("/backup", str(backup)).replace("goop2 data", f"{GOOP2} data")
        done = subprocess.run(
            ["sh", "-c", told], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        assert done.returncode == 0, (told, done.stderr)
    assert re.search(r"guestbook +typed +1 ", done.stdout)
    assert goop2("id", tmp_path / "drill").stdout == goop2("id", peer).stdout
