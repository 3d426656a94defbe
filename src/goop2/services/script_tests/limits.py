"""Every number of the tests, with its unit and the reason for its value."""

from __future__ import annotations

from typing import Final

FILES_MAX: Final = 500
"""Files of tests in a folder; a folder with more keeps them elsewhere too."""

COPIED_FILE_MAX_BYTES: Final = 1024 * 1024
"""A file of the folder that is copied; goop.site.read gives no larger one, and a script or a schema file has less."""

COPIED_MAX_BYTES: Final = 64 * 1024 * 1024
"""All files that are copied together, the database not counted: a site's texts and pictures, not its music."""

COPIED_MAX: Final = 5000
"""Files that are copied, so that a folder of a million files is no minute of copying."""

STUBS_MAX: Final = 200
"""Stubs of one test."""

REQUESTS_KEPT: Final = 200
"""Requests that one test is told of."""

ANSWER_MAX_BYTES: Final = 2 * 1024 * 1024
"""Body of a stubbed answer, what a real one may have."""

WORKERS: Final = 8
"""A test, what it calls, and room for both sides; they are started when they are needed."""

RUNS_SHOWN: Final = 20
"""Runs told of a test that failed."""

CONSOLE_SECONDS: Final = 120.0
"""A run of the tests from the console; a terminal may wait longer."""
