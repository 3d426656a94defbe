"""What a start loads, and what waits until somebody looks."""

from __future__ import annotations

import subprocess
import sys


def test_a_start_does_not_wait_for_the_libraries_of_pages_nobody_looks_at_yet() -> None:
    code = "import sys, goop2.app, goop2.web.app, goop2.web.server; print(sorted({'prometheus_client', 'qrcodegen'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert ended.stdout.strip() == "[]"
