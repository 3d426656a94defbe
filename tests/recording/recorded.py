"""Compare what the program shows with the files in `recorded/`, or write these files anew.

`make record` (GOOP2_RECORD=1) writes them. A recorded line may change only where the issue or the specification says so; the commit
that changes it names the reason. Everything that differs between runs and machines is masked before it is compared.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from pathlib import Path
from typing import Any

import goop2

FOLDER = Path(__file__).parent / "recorded"
RECORD = bool(os.environ.get("GOOP2_RECORD"))
MASKS = (
    (re.compile(r"12D3Koo[1-9A-HJ-NP-Za-km-z]{45}"), "<peer-id>"),
    (re.compile(r"k51qzi5uqu5[a-z0-9]{51}"), "<peer-label>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"(127\.0\.0\.1|localhost):\d+"), r"\1:<port>"),
    (re.compile(r"/tcp/\d+"), "/tcp/<port>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?"), "<time>"),
    (re.compile(rf"\b{re.escape(goop2.__version__)}\b"), "<version>"),
)
"""What differs between runs and machines → what stands for it."""


def masked(text: str, **folders: Path) -> str:
    """Return `text` with ids, ports, times, the version and the paths of `folders` replaced by their names."""
    for name, folder in sorted(folders.items(), key=lambda item: -len(str(item[1]))):
        text = text.replace(str(folder), name)
    for pattern, name in MASKS:
        text = pattern.sub(name, text)
    return text


def as_json(value: Any) -> str:
    """Return `value` as JSON text that reads well in a diff."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def compare(name: str, text: str) -> None:
    """Fail with the difference where `text` is not what the file `name` holds; with GOOP2_RECORD=1 write the file."""
    file = FOLDER / name
    if RECORD:
        FOLDER.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    recorded = file.read_text("utf-8") if file.exists() else ""
    difference = difflib.unified_diff(recorded.splitlines(), text.splitlines(), f"recorded/{name}", "now", lineterm="", n=4)
    lines = list(difference)
    assert not lines, "\n".join(["this is not what was recorded; when it should be, run `make record`:", *lines])
