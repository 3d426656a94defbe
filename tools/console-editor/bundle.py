"""Bundles the console's editor from editor.js and the lock file beside it: `make vendor`. Needs npm; the result is committed.

bundled.json says what it was made of (digests of editor.js and of the lock) and what came out, so that a test without npm sees when one
was changed without the other.
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
MADE_OF = ("editor.js", "package.json", "package-lock.json")
BUNDLE, LICENCES = "editor.js", "editor.LICENSES"


def main() -> None:
    """Fetch what the lock says, bundle it, write down what it was made of."""
    with tempfile.TemporaryDirectory(prefix="goop2-editor-") as name:
        folder = Path(name)
        for file in (*MADE_OF, ".npmrc"):
            shutil.copy(HERE / file, folder)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True)  # refuses other digests than the lock's
        out = f"--outfile={TARGET / BUNDLE}"
        bundle = ["npx", "esbuild", "editor.js", "--bundle", "--minify", "--format=esm", "--target=es2022", "--legal-comments=none", out]
        subprocess.run(bundle, cwd=folder, check=True)
        (TARGET / LICENCES).write_text(_licences(folder))
    record = {
        "made_of": {file: digest(HERE / file) for file in MADE_OF},
        "sha256": {file: digest(TARGET / file) for file in (BUNDLE, LICENCES)},
    }
    (HERE / "bundled.json").write_text(json.dumps(record, indent=2) + "\n")


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _licences(folder: Path) -> str:
    """The licence texts of all that is in the bundle; esbuild itself is not."""
    lock = json.loads((HERE / "package-lock.json").read_text())
    packages = [name for name, package in lock["packages"].items() if name and not package.get("dev")]
    found = []
    for name in packages:
        (text,) = [file.read_text() for file in sorted((folder / name).iterdir()) if file.name.upper().startswith("LICEN")][:1]
        found.append(f"{name.removeprefix('node_modules/')}\n\n{text.strip()}\n")
    return "\n---\n\n".join(found)


if __name__ == "__main__":
    main()
