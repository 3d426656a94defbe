"""The fork server as a process of its own, spoken to over its socket."""

from __future__ import annotations

import select
import socket
import subprocess
import sys

import msgspec
from tests.started import Started

from goop2.sandbox.messages import Setup

PATIENCE_SECONDS = 20.0
SETUP = Setup(flavour="luajit21", declarations={}, self_id="p", self_label="p", memory_bytes=10_000_000, operations=())


def test_a_peer_that_ends_with_an_answer_unread_leaves_no_traceback() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-I", "-m", "goop2.sandbox.fork_server", str(theirs.fileno())]
    with ours, theirs, Started[bytes](command, pass_fds=(theirs.fileno(),), stderr=subprocess.PIPE) as fork_server:
        theirs.close()
        ours.send(msgspec.msgpack.encode(SETUP))
        worker_side = socket.socketpair()
        with worker_side[0], worker_side[1]:
            socket.send_fds(ours, [b"+"], [worker_side[1].fileno()])
            assert select.select([ours], [], [], PATIENCE_SECONDS)[0], "it never answered"
            ours.close()
        _, stderr = fork_server.communicate(timeout=PATIENCE_SECONDS)
    assert (stderr, fork_server.returncode) == (b"", 0)
