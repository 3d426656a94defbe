"""One target under atheris, in a process of its own: `python -m proof.fuzz.guided MODULE TARGET FINDINGS-FILE [options …]`.

The options are libFuzzer's. Only the module of the target is imported, since what is imported is made ready for coverage first, which takes
seconds. Every fault is written to the file when it is found, and the search goes on: libFuzzer sees no failure but a process that ends.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["goop2"]):
    importlib.import_module(sys.argv[1])
    from proof.fuzz.target import TARGETS, Finding, finding_of


def main(name: str, file: Path, options: list[str]) -> None:
    """Fuzz until the options say that it is enough; ends the process."""
    one = TARGETS[name]
    shortest: dict[str, int] = {}

    def give(content: bytes) -> None:
        found = finding_of(one, content)
        if found is not None and len(content) < shortest.get(found.kind, sys.maxsize):
            shortest[found.kind] = len(content)
            _note(file, found)

    atheris.Setup([sys.argv[0], *options], give)
    atheris.Fuzz()


def _note(file: Path, found: Finding) -> None:
    with file.open("a") as opened:
        opened.write(json.dumps([found.kind, found.content.hex()]) + "\n")


if __name__ == "__main__":
    main(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
