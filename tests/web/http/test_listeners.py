"""Which ports a peer listens on, and what an owner is told when one cannot be had."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from goop2.config import Address
from goop2.web.http.listeners import BoundListener, ListenerError, bind

PEER = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"


@contextlib.contextmanager
def bound(host: str, port: int = 0) -> Iterator[list[BoundListener]]:
    listeners = bind(Address(host, port), PEER)
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.close()


def places(listener: BoundListener) -> set[str]:
    return {sock.getsockname()[0] for sock in listener.sockets}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_one_door_and_not_opened(host: str) -> None:
    with bound(host) as listeners:
        (listener,) = listeners
        assert not listener.listener.opened
        assert "127.0.0.1" in places(listener)
        assert places(listener) <= {"127.0.0.1", "::1"}
        assert {sock.getsockname()[1] for sock in listener.sockets} == {listener.listener.port}


def test_beyond_loopback_is_an_opened_door_and_a_loopback_one_beside_it() -> None:
    with bound("0.0.0.0") as listeners:
        loopback, opened = listeners
        assert opened.listener.opened
        assert not loopback.listener.opened
        assert places(loopback) <= {"127.0.0.1", "::1"}
        assert loopback.listener.port != opened.listener.port


def test_an_address_in_use_is_said_with_the_setting_and_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            ListenerError,
            match=rf"^viewer\.http_addr is 127\.0\.0\.1:{port}, but another program listens there already, .*choose another port",
        ):
            bind(Address("127.0.0.1", port), PEER)


def test_an_address_of_another_machine_is_said() -> None:
    with pytest.raises(ListenerError, match=r"viewer\.http_addr is 192\.0\.2\.1:8780, but it cannot be listened at"):
        bind(Address("192.0.2.1", 8780), PEER)


def test_where_half_a_door_is_taken_the_other_half_is_given_back() -> None:
    with contextlib.ExitStack() as stack:
        try:
            other = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        except OSError:
            pytest.skip("this machine has no IPv6")
        port = other.getsockname()[1]
        with pytest.raises(ListenerError, match="another program listens there already"):
            bind(Address("127.0.0.1", port), PEER)
        socket.create_server(("127.0.0.1", port)).close()
