"""Every number of the schedules, with its unit and the reason for its value."""

from __future__ import annotations

from typing import Final

AT_ONCE: Final = 2
"""Schedules that run at the same time, of however many are due: the other workers stay for callers."""

LOOK_SECONDS: Final = 20.0
"""The longest sleep of the clock's watcher: after a clock was set, or a machine slept, that is how late a schedule begins at most."""

LATE_SECONDS: Final = 60.0
"""A run that begins later than this was missed, and is made up; below, the peer was only busy."""

CLOCK_BACK_SECONDS: Final = 3 * 3600.0
"""A clock that was set back by more is taken for a mended one, and times are found anew; by less, as cron has it, nothing runs again."""

SAVE_SECONDS: Final = 1.0
"""Between two writes of the file: of hundreds of schedules in one second it is written once."""

FILE_MAX_BYTES: Final = 4 * 1024 * 1024
"""Read of data/schedules.json: some 300 bytes a schedule, ten times what a folder of a thousand has."""

KEPT_MAX: Final = 2000
"""Schedules whose state is kept, those of deleted scripts among them, which go first."""

MESSAGE_MAX_CHARS: Final = 300
"""Of the error of a last run, for a list; its run has all of it."""
