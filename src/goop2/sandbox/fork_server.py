"""The clean, single-threaded parent of all workers: `python -m goop2.sandbox.fork_server FD`.

The peer starts it once with an empty environment. It imports what workers need, compiles our Lua code, and forks a ready worker in about a
millisecond whenever asked. Over the socket FD (SOCK_SEQPACKET) the peer sends one `Setup`, then a descriptor for each wanted worker. The
fork server answers `Spawned` with the worker's pidfd, and `Exited` when it has reaped one. It must not read anything that a script or a
stranger has written.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
from typing import Final, NoReturn

if __name__ == "__main__":
    # msgspec would take three functions from typing_extensions, which the language has by now, and with it `inspect` and Python's parser: a
    # megabyte in every peer. None is how Python says "not to be had".
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]

import msgspec

from goop2.sandbox.confinement import OOM_SCORE_FORK_SERVER, die_with_parent, go_first_when_memory_ends, prepare
from goop2.sandbox.messages import Exited, FromForkServer, Setup, Spawned
from goop2.sandbox.vm import Flavour, preferred_flavour
from goop2.sandbox.worker import run_worker

SETUP_MAX_BYTES = 1024 * 1024


class ForkServer:
    """Forks workers on request and reaps them."""

    def __init__(self, control: socket.socket, setup: Setup) -> None:
        self._control = control
        self._setup = setup
        self._flavour = Flavour(setup.flavour or preferred_flavour(), setup.declarations)
        self._ground = prepare()
        self._children: dict[int, int] = {}  # pidfd -> pid
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def serve(self) -> None:
        """Answer the peer until it closes the socket."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor != self._control.fileno():
                    self._reap(descriptor)
                elif not self._receive():
                    return

    def _receive(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._control, 16, 1)
        for descriptor in descriptors:
            self._spawn(socket.socket(fileno=descriptor))
        return bool(data)

    def _spawn(self, worker_socket: socket.socket) -> None:
        this = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_worker(worker_socket, this)
        worker_socket.close()
        pidfd = os.pidfd_open(pid)
        self._children[pidfd] = pid
        self._poll.register(pidfd, select.POLLIN)
        self._send(Spawned(pid), pidfd)

    def _become_worker(self, worker_socket: socket.socket, parent: int) -> NoReturn:
        try:
            run_worker(worker_socket, self._flavour, self._setup, self._ground, parent)
        finally:
            os._exit(1)

    def _reap(self, pidfd: int) -> None:
        pid = self._children.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        self._send(Exited(pid, os.waitstatus_to_exitcode(status)))

    def _send(self, message: FromForkServer, *descriptors: int) -> None:
        socket.send_fds(self._control, [msgspec.msgpack.encode(message)], descriptors)


def _set_time_zone(owners: str) -> None:
    """Set TZ in any case: without it, glibc reads the system's file at each `os.date`, and a worker may read none."""
    zone = owners or (f":{LOCAL_TIME_FILE}" if os.path.exists(LOCAL_TIME_FILE) else "")  # noqa: PTH110 (a worker has no use for pathlib)
    if zone:
        os.environ["TZ"] = zone
        time.tzset()


LOCAL_TIME_FILE: Final = "/etc/localtime"


def main() -> None:
    """Run `python -m goop2.sandbox.fork_server FD`."""
    control = socket.socket(fileno=int(sys.argv[1]))
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's handler would need rt_sigreturn, which a worker does not have
    go_first_when_memory_ends(OOM_SCORE_FORK_SERVER)
    data = control.recv(SETUP_MAX_BYTES)
    if not data:
        return  # the peer ended before it was asked to end us
    setup = msgspec.msgpack.decode(data, type=Setup)
    _set_time_zone(setup.time_zone)
    fork_server = ForkServer(control, setup)
    gc.collect()
    gc.freeze()  # what is shared stays shared: the collector of a worker never touches it
    with contextlib.suppress(ConnectionError):  # the peer ended with something of ours unread: that is its end, not our failure
        fork_server.serve()


if __name__ == "__main__":
    main()
