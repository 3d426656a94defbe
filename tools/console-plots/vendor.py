"""Brings uPlot from the lock file beside this into the console: `make vendor`. Needs npm; the result is committed.

vendored.json says which package it was (npm's own digest, from the lock) and the digest of each file, so that a test
without npm sees when either was changed by hand.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
TARGET = HERE.parent.parent / "src/goop2/web/console/static/vendor"
FILES = {"dist/uPlot.iife.min.js": "uPlot.iife.min.js", "dist/uPlot.min.css": "uPlot.min.css", "LICENSE": "uPlot.LICENSE"}
PACKAGE = "node_modules/uplot"


def main() -> None:
    """Fetch what the lock says, copy it, write down what was copied."""
    lock = json.loads((HERE / "package-lock.json").read_text())
    with tempfile.TemporaryDirectory(prefix="goop2-vendor-") as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)  # refuses another digest
        TARGET.mkdir(exist_ok=True)
        digests = {}
        for source, name in FILES.items():
            content = (Path(folder) / PACKAGE / source).read_bytes()
            (TARGET / name).write_bytes(content)
            digests[name] = hashlib.sha256(content).hexdigest()
    record = {"integrity": lock["packages"][PACKAGE]["integrity"], "sha256": digests}
    (HERE / "vendored.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
