"""The owner's rule of time as a text that says the same on every machine, whatever zone it is in and whatever zones it knows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

LOCAL_TIME_FILE: Final = Path("/etc/localtime")
ZONES: Final = Path("/usr/share/zoneinfo")
UTC: Final = "UTC0"
_MAGIC: Final = b"TZif"


def rule_of_time(environment: Mapping[str, str] = os.environ, local: Path = LOCAL_TIME_FILE, zones: Path = ZONES) -> str:
    """Return the rule in force here, such as `CET-1CEST,M3.5.0,M10.5.0/3` (POSIX, TZ)."""
    zone = environment.get("TZ", "").removeprefix(":")
    if not zone:
        return _footer(local) or UTC
    file = Path(zone) if zone.startswith("/") else zones / zone
    # A zone without a file may be a rule itself, such as TZ=CET-1CEST.
    return _footer(file) or zone


def _footer(file: Path) -> str:
    """Return the last line of a zone's file, which holds its rule; "" for what is no such file."""
    try:
        content = file.read_bytes()
    except (OSError, ValueError):
        return ""
    lines = content.rstrip(b"\n").rpartition(b"\n")
    return lines[2].decode("ascii", "replace") if content.startswith(_MAGIC) else ""
