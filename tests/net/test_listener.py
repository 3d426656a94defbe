"""The port: dials leave from it, no other peer shares it, and it survives a machine without descriptors."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest
from tests.net.hosts import LOOPBACK, asked, connect, echo, loopback_host, new_identity, until

from goop2.net.faults import PortInUseError
from goop2.net.host import Host, open_host
from goop2.net.listener import EVERY_ADDRESS, PORT_TRIES


async def test_a_dial_leaves_from_the_listening_port() -> None:
    async with loopback_host() as caller, loopback_host() as callee:
        await connect(caller, callee)
        (connection,) = callee.connections()
        assert connection.remote == f"/ip4/{LOOPBACK}/tcp/{caller.port}"
        assert caller.connections()[0].from_listening_port


async def test_it_does_so_when_it_listens_everywhere_too() -> None:
    async with open_host(new_identity(), 0, None, EVERY_ADDRESS) as caller, loopback_host() as callee:
        await connect(caller, callee)
        assert callee.connections()[0].remote == f"/ip4/{LOOPBACK}/tcp/{caller.port}"


async def test_many_are_dialled_from_one_port() -> None:
    async with loopback_host() as caller, loopback_host() as one, loopback_host() as two:
        for callee in (one, two):
            await connect(caller, callee)
            assert callee.connections()[0].remote == f"/ip4/{LOOPBACK}/tcp/{caller.port}"


async def test_a_second_connection_to_the_same_address_takes_another_port() -> None:
    """There is one connection between two ports."""
    async with loopback_host() as caller, loopback_host() as callee:
        await connect(caller, callee)
        second = await caller.dial_address(callee.peer_id, f"/ip4/{LOOPBACK}/tcp/{callee.port}")
        assert not second.from_listening_port
        assert len(caller.connections(callee.peer_id)) == 2


async def test_a_dial_again_right_after_the_last_works() -> None:
    """The system remembers the two ends for a minute."""
    async with loopback_host() as caller, loopback_host() as callee:
        await callee.serve("/test/echo", echo)
        for _ in range(5):
            await connect(caller, callee)
            assert await asked(caller, callee, b"x") == b"x"
            await caller.disconnect(callee.peer_id)


@pytest.mark.parametrize("reuse", [False, True])
async def test_the_port_is_not_shared_with_another_program_of_the_same_user(reuse: bool) -> None:
    async with loopback_host() as first:
        with pytest.raises(PortInUseError):
            async with loopback_host(port=first.port):
                pass
        with socket.socket() as other:
            if reuse:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                _listen(other, first.port)


def _listen(other: socket.socket, port: int) -> None:
    other.bind((LOOPBACK, port))
    other.listen()


async def test_a_port_is_had_again_by_a_peer_that_dialled_from_it_and_starts_again() -> None:
    async with loopback_host() as callee:
        async with loopback_host() as caller:
            await connect(caller, callee)
            port = caller.port
            # The side that ends first keeps the connection for a minute, in the system.
            await caller.disconnect(callee.peer_id)
        async with loopback_host(port=port) as again:
            assert again.port == port
            await connect(again, callee)


@pytest.mark.parametrize("port", [-1, 65536, 70000])
async def test_a_port_that_is_none_is_refused_in_a_sentence(port: int) -> None:
    with pytest.raises(PortInUseError, match=f"port {port} is taken or not allowed: set p2p.listen_port"):
        async with loopback_host(port=port):
            pass


async def test_without_descriptors_it_waits_and_then_accepts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.net.listener.PAUSE_SECONDS", 0.1)
    async with loopback_host() as caller, loopback_host() as callee:
        listener: Any = callee._listener
        listening, calls = listener._sockets[socket.AF_INET], []

        class Exhausted:
            """The system's socket, which has no descriptor left twice."""

            def accept(self) -> Any:
                calls.append(1)
                if len(calls) <= 2:
                    raise OSError(errno.EMFILE, "Too many open files")
                return listening.accept()

            def fileno(self) -> int:
                return int(listening.fileno())

            def __getattr__(self, name: str) -> Any:
                return getattr(listening, name)

        exhausted = Exhausted()
        monkeypatch.setattr(listener, "_sockets", {socket.AF_INET: exhausted})
        asyncio.get_running_loop().add_reader(listening, listener._acceptable, exhausted)
        await connect(caller, callee)
        await until(lambda: len(callee.peers()) == 1)
        assert len(calls) >= 3
        monkeypatch.setattr(listener, "_sockets", {socket.AF_INET: listening})


async def test_after_the_end_nothing_is_accepted() -> None:
    async with loopback_host() as callee:
        port = callee.port
    assert callee.port == 0
    assert callee.addresses == ()
    with socket.socket() as visitor, pytest.raises(ConnectionRefusedError):
        visitor.connect((LOOPBACK, port))


async def test_a_name_is_looked_up_and_dialled() -> None:
    async with loopback_host() as caller, loopback_host() as callee:
        connection = await caller.dial_address(callee.peer_id, f"/dns4/localhost/tcp/{callee.port}")
        assert connection.remote == f"/ip4/{LOOPBACK}/tcp/{callee.port}"


def transports(host: Host) -> list[str]:
    return [address.partition("/p2p/")[0] for address in host.addresses]


async def test_it_listens_on_every_address_of_both_families_at_one_port() -> None:
    async with open_host(new_identity()) as host:
        assert transports(host) == [f"/ip4/0.0.0.0/tcp/{host.port}", f"/ip6/::/tcp/{host.port}"]


@pytest.mark.parametrize(("listen_on", "there"), [("0.0.0.0", "ip4"), ("::", "ip6"), ("::1", "ip6")])
async def test_it_listens_on_one_family_alone_when_it_is_told_so(listen_on: str, there: str) -> None:
    async with open_host(new_identity(), 0, None, listen_on) as host:
        assert transports(host) == [f"/{there}/{listen_on}/tcp/{host.port}"]
        for family, address in (("ip4", LOOPBACK), ("ip6", "::1")):
            with socket.socket(socket.AF_INET if family == "ip4" else socket.AF_INET6) as visitor:
                assert (visitor.connect_ex((address, host.port)) == 0) == (family == there)


async def test_peers_of_ipv6_talk_and_dial_from_the_listening_port() -> None:
    async with open_host(new_identity(), 0, None, "::1") as caller, open_host(new_identity(), 0, None, "::1") as callee:
        await callee.serve("/test/echo", echo)
        await connect(caller, callee)
        assert await asked(caller, callee, b"x" * 100_000) == b"x" * 100_000
        assert callee.connections()[0].remote == f"/ip6/::1/tcp/{caller.port}"
        assert [each.address for each in callee.peers()] == [f"[::1]:{caller.port}"]
        assert callee.connections()[0].origin == "::/64"


async def test_a_free_port_is_free_for_both_families() -> None:
    """A port that IPv4 has, and another program of this machine for IPv6, is no port to be reached at."""
    taken: list[int] = []

    class Taken(socket.socket):
        def bind(self, address: Any) -> None:
            if self.family == socket.AF_INET6 and len(taken) < PORT_TRIES // 2:
                taken.append(address[1])
                raise OSError(errno.EADDRINUSE, "taken")
            super().bind(address)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("goop2.net.listener.socket.socket", Taken)
        async with open_host(new_identity()) as host:
            assert len(host.addresses) == 2
            assert host.port not in taken
            taken.clear()
        with pytest.raises(PortInUseError):
            async with open_host(new_identity(), 40_001):
                pass


async def test_a_machine_without_ipv6_listens_on_ipv4() -> None:
    class Without(socket.socket):
        def __init__(self, family: int = -1, *more: Any) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "no IPv6 here")
            super().__init__(family, *more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("goop2.net.listener.socket.socket", Without)
        async with open_host(new_identity()) as host:
            assert transports(host) == [f"/ip4/0.0.0.0/tcp/{host.port}"]


@pytest.mark.parametrize("listen_on", ["192.0.2.77", "2001:db8::77"])
async def test_an_address_that_the_machine_does_not_have_is_named(listen_on: str) -> None:
    with pytest.raises(PortInUseError, match=f"{listen_on} is no address of this machine: set p2p.listen_on"):
        async with open_host(new_identity(), 0, None, listen_on):
            pass
