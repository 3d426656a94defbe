"""The inputs that are kept: a file a target in corpora/, a line an input, as a Python literal of bytes, so that a diff can be read.

A line that begins with `# ` names the fault that the next input showed; such an input stays for good.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any, Final

from proof.fuzz.target import ROOT, Target, finding_of

FOLDER: Final = Path(__file__).with_name("corpora")
INPUT_MAX_BYTES: Final = 512
INPUTS_MAX: Final = 40
"""Of one target, besides those that showed a fault: the repository stays small, and `make test` runs them all."""
_OURS: Final = str(ROOT / "src/goop2")


def kept(name: str) -> tuple[list[bytes], list[tuple[str, bytes]]]:
    """Return the inputs kept for a target, and those that showed a fault, each with the fault's name."""
    file = FOLDER / f"{name}.txt"
    inputs: list[bytes] = []
    faults: list[tuple[str, bytes]] = []
    about = ""
    for line in file.read_text("ascii").splitlines() if file.exists() else ():
        if line.startswith("# "):
            about = line[2:]
            continue
        content = ast.literal_eval(line)
        if about:
            faults.append((about, content))
        else:
            inputs.append(content)
        about = ""
    return inputs, faults


def keep(name: str, inputs: Iterable[bytes], faults: Iterable[tuple[str, bytes]]) -> None:
    """Write what is kept for a target."""
    lines = [line for about, content in faults for line in (f"# {about.encode('ascii', 'replace').decode()}", repr(content))]
    (FOLDER / f"{name}.txt").write_text("\n".join([*lines, *map(repr, inputs)]) + "\n", "ascii")


def chosen(one: Target, inputs: Iterable[bytes]) -> list[bytes]:
    """Return the fewest inputs, small ones first, that run every line of ours which all of them run, up to INPUTS_MAX."""
    seen: set[tuple[str, int]] = set()
    found = []
    for content in sorted({each for each in inputs if len(each) <= INPUT_MAX_BYTES}, key=lambda each: (len(each), each)):
        lines = _lines(one, content)
        if not lines <= seen:
            seen |= lines
            found.append(content)
        if len(found) == INPUTS_MAX:
            break
    return found


def _lines(one: Target, content: bytes) -> set[tuple[str, int]]:
    """Return which lines of src/goop2 an input runs."""
    lines: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(_OURS):
            return None
        if event == "line":
            lines.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        finding_of(one, content)
    finally:
        sys.settrace(before)
    return lines
