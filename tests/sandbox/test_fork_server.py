"""What the fork server loads is in every peer's memory, and the first call waits for it."""

from __future__ import annotations

import socket
import subprocess
import sys

OF_NO_USE = frozenset(("ast", "asyncio", "dataclasses", "hashlib", "inspect", "logging", "secrets", "ssl", "tokenize"))
"""Each would cost some hundred kilobytes, and none is needed beside a script."""


def test_the_fork_server_loads_nothing_that_no_worker_needs() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        ours.close()  # so that it ends as soon as it has loaded
        command = [sys.executable, "-I", "-X", "importtime", "-m", "goop2.sandbox.fork_server", str(theirs.fileno())]
        done = subprocess.run(command, env={}, pass_fds=(theirs.fileno(),), capture_output=True, text=True, timeout=60, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert {"goop2.sandbox.worker", "apsw", "msgspec"} <= loaded
    assert loaded & OF_NO_USE == set()
