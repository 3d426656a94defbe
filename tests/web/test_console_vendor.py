"""What the console carries of others is what the locks beside `tools/` say, byte for byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_what_is_vendored_is_what_the_lock_says() -> None:
    folder = ROOT / "tools/console-plots"
    record = json.loads((folder / "vendored.json").read_text())
    lock = json.loads((folder / "package-lock.json").read_text())
    assert record["integrity"] == lock["packages"]["node_modules/uplot"]["integrity"], "make vendor"
    vendor = ROOT / "src/goop2/web/console/static/vendor"
    assert {name: hashlib.sha256((vendor / name).read_bytes()).hexdigest() for name in record["sha256"]} == record["sha256"]


def test_the_editor_committed_is_made_of_what_stands_beside_its_lock() -> None:
    folder = ROOT / "tools/console-editor"
    record = json.loads((folder / "bundled.json").read_text())
    vendor = ROOT / "src/goop2/web/console/static/vendor"
    for place, digests in ((folder, record["made_of"]), (vendor, record["sha256"])):
        assert {name: hashlib.sha256((place / name).read_bytes()).hexdigest() for name in digests} == digests
    assert "resolved" not in (folder / "package-lock.json").read_text()
