"""`goop2 console`: the ways into a running peer. What they open: tests/web/http/test_admission.py."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.command import goop2
from tests.cli.test_peers import running


def test_it_prints_the_addresses_of_a_running_peer(tmp_path: Path) -> None:
    with running(tmp_path / "peer", "Ann"):
        line = goop2("console", tmp_path / "peer").stdout
        found = json.loads(goop2("console", tmp_path / "peer", "--json").stdout)
    form = (
        r"console: (http://127\.0\.0\.1:\d+/#token=[\w-]{43})  site: (http://k51\w+\.localhost:\d+/p/12D3\w{48}/\?goop2-code=[\w-]{22})\n"
    )
    match = re.fullmatch(form, line)
    assert match is not None
    assert found["console"] == match[1]
    assert found["site"] != match[2]  # a code is good once


def test_a_peer_that_does_not_run_is_said(tmp_path: Path) -> None:
    goop2("init", tmp_path / "peer")
    done = goop2("console", tmp_path / "peer")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no peer runs in" in done.stderr
