"""Choose the runs whose statements have their scanned rows counted: about those that the history stores one by one.

Counting costs some microseconds a statement (storage/scan_counter.py), and nobody reads more runs of a script that runs thousands of times
a second. It must not know what is counted.
"""

from __future__ import annotations

import time

from goop2.storage.run_limits import ONE_BY_ONE_PER_SECOND


class ScanSampling:
    """The runs of one worker in the present second, by script."""

    def __init__(self) -> None:
        self._second = 0
        self._runs: dict[tuple[str, str], int] = {}

    def takes(self, kind: str, script: str) -> bool:
        """Return whether the run of this script that begins now is one of the first in its second."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._runs.clear()
        runs = self._runs.get((kind, script), 0)
        self._runs[kind, script] = runs + 1
        return runs < ONE_BY_ONE_PER_SECOND
