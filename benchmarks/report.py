"""docs/benchmarks.md: one section a suite, each replaced when its suite runs, the others kept."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Made by `make bench`, never by hand. Ratios are measured side by side in one run, the two sides in turn,
and are medians of several rounds; absolute numbers belong to the machine named in each section, which is shared and noisy.
"""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, with a head line."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine() -> str:
    """What was measured on, in one line."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text("utf-8"))
    name = cpu[1].strip() if cpu else platform.processor()
    day = datetime.now(UTC).date()
    return f"Measured on {day}: {name}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}."


def write(suite: str, section: str) -> None:
    """Put `section` in the place of the suite's last one."""
    text = DOCUMENT.read_text("utf-8") if DOCUMENT.exists() else HEAD
    begin, end = f"<!-- {suite} -->", f"<!-- /{suite} -->"
    whole = f"{begin}\n{section.strip()}\n\n{machine()}\n{end}"
    before, found, rest = text.partition(begin)
    text = before + whole + rest.partition(end)[2] if found else f"{text.rstrip()}\n\n{whole}\n"
    DOCUMENT.write_text(text, "utf-8")
