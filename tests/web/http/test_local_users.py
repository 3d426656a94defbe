"""Whose socket is at the other end of a loopback connection. What follows from it: test_admission.py."""

from __future__ import annotations

import contextlib
import errno
import os
import socket

import pytest
from structlog.testing import capture_logs

from goop2.web.http.local_users import NOBODY, LocalUsers, by_proc, knows_users


def test_a_socket_that_nobody_holds_any_more_is_nobodys() -> None:
    users = LocalUsers()
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as listener:
            listener.bind((host, 0))
            listener.listen()
            client = socket.create_connection(listener.getsockname()[:2])
            accepted, _ = listener.accept()
            pair = accepted.getpeername()[:2], accepted.getsockname()[:2]
            held = by_proc(*pair)
            assert (users.user_of(*pair), held and held.user) == (os.geteuid(), os.geteuid())
            client.close()
            closed = by_proc(*pair)
            assert (users.user_of(*pair), closed and closed.inode) == (NOBODY, 0)
            accepted.close()
            assert users.user_of((host, 1), pair[1]) == NOBODY
    users.close()


def test_ipv4_through_an_ipv6_socket_is_known() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.socket(socket.AF_INET6) as client:
            client.connect(("::ffff:127.0.0.1", listener.getsockname()[1]))
            accepted, _ = listener.accept()
            with accepted:
                pair = accepted.getpeername(), accepted.getsockname()
                held = by_proc(*pair)
                with contextlib.closing(LocalUsers()) as users:
                    assert (users.user_of(*pair), held and held.user) == (os.geteuid(), os.geteuid())


def test_where_netlink_is_closed_the_kernels_tables_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object) -> None:
        raise PermissionError

    users = LocalUsers()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as client:
            monkeypatch.setattr("goop2.web.http.local_users.socket.socket", closed)
            assert users.user_of(client.getsockname(), listener.getsockname()) == os.geteuid()
            monkeypatch.setattr("goop2.web.http.local_users.Path.open", lambda *_: closed())
            assert users.user_of(client.getsockname(), listener.getsockname()) is None


def test_a_loopback_that_is_down_is_a_warning_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_socket: socket.socket, _address: object) -> None:
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))

    assert knows_users()
    monkeypatch.setattr(socket.socket, "connect", connect)
    with capture_logs() as lines:
        assert not knows_users()
    (line,) = lines
    assert (line["log_level"], line["why"]) == ("warning", "Network is unreachable")
    assert "ip link set lo up" in line["remedy"]
