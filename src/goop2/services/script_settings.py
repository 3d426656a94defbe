"""What the owner's settings mean where scripts run: the limits of invocations, how many runs are kept, and what each worker is told.

It must not know who uses them; config/settings.py says what each setting may be.
"""

from __future__ import annotations

import os
from pathlib import Path

from goop2.config import Settings
from goop2.folder.identity import Identity
from goop2.folder.regular_files import shown
from goop2.sandbox.messages import Setup
from goop2.scripting.api import FUNCTIONS, PRIVATE
from goop2.scripting.api.rules import rules
from goop2.scripting.api.stubs import stubs
from goop2.scripting.limits import MEGABYTE_BYTES, InvocationLimits
from goop2.storage.database import FILE
from goop2.storage.file_quota import Quota
from goop2.storage.run_limits import RunLimits


def limits_of(settings: Settings) -> InvocationLimits:
    """Return the limits of invocations that the owner has set."""
    lua = settings.lua
    return InvocationLimits(
        enabled=lua.enabled,
        timeout_seconds=lua.timeout_seconds,
        memory_bytes=lua.max_memory_mb * MEGABYTE_BYTES,
        rate_per_caller=lua.rate_limit_per_peer,
        rate_global=lua.rate_limit_global,
        workers=lua.max_workers,
        http_enabled=lua.http_enabled,
        kv_enabled=lua.kv_enabled,
        process_per_call=lua.isolation == "call",
    )


def run_limits_of(settings: Settings) -> RunLimits:
    """Return how many runs the owner keeps, and how much of each."""
    kept = settings.runs
    return RunLimits(kept.keep_days, kept.keep_count, kept.max_mb * MEGABYTE_BYTES, kept.keep_arguments)


def setup_for(folder: Path, settings: Settings, this: Identity, limits: InvocationLimits, flavour: str, quota: Quota) -> Setup:
    """Return what every worker of this peer is told."""
    return Setup(
        flavour=flavour,
        declarations=stubs(FUNCTIONS),
        self_id=this.peer_id,
        self_label=settings.profile.label or this.peer_id,
        memory_bytes=limits.memory_bytes,
        operations=rules((*FUNCTIONS, *PRIVATE)),
        database=os.fsencode(Path(os.path.realpath(folder)) / FILE),
        kv_enabled=limits.kv_enabled,
        time_zone=shown(os.environ.get("TZ", "")),
        storage_max_bytes=quota.callers,
        storage_synced=settings.storage.synced,
    )
