"""mDNS: the records of the network's peers, and two peers finding each other over real multicast on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import secrets
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import ifaddr
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.net.hosts import LOOPBACK, new_identity, until

from goop2.net.address import PeerAddress
from goop2.net.faults import MulticastError
from goop2.peers.discovery import mdns as module
from goop2.peers.discovery.mdns import addresses_of, entries_of, lan_addresses, open_mdns, text_of

PEER = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"


def test_a_text_record_holds_one_string_per_address_repeated_keys_and_all() -> None:
    entries = [f"dnsaddr=/ip4/192.0.2.{last}/tcp/4001/p2p/{PEER}" for last in (7, 8)]
    text = text_of(entries)
    assert text[0] == len(entries[0])
    assert list(entries_of(text)) == entries
    assert addresses_of(text) == [PeerAddress(PEER, f"/ip4/192.0.2.{last}/tcp/4001") for last in (7, 8)]


def test_what_is_no_peers_address_is_left_out() -> None:
    text = text_of(["txtvers=1", "dnsaddr=/ip4/192.0.2.7/tcp/4001", "dnsaddr=nonsense", f"dnsaddr=/ip4/192.0.2.7/tcp/1/p2p/{PEER}"])
    assert addresses_of(text) == [PeerAddress(PEER, "/ip4/192.0.2.7/tcp/1")]


@given(st.binary(max_size=300))
def test_any_text_record_is_read(text: bytes) -> None:
    """Invariant: any bytes give strings, each no longer than what was there, and never an exception."""
    assert sum(len(entry.encode("utf-8", "replace")) >= 0 for entry in entries_of(text)) <= len(text)
    addresses_of(text)


def test_announced_addresses_are_real_ones() -> None:
    assert not {"0.0.0.0", LOOPBACK} & set(lan_addresses())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_network_without_multicast_is_a_sentence() -> None:
    with pytest.raises(MulticastError, match=r"peers near by are not looked for: no multicast on 192\.0\.2\.77 \("):
        async with open_mdns(PEER, 4001, print, ["192.0.2.77"]):
            pass
    # zeroconf leaves the socket it had begun with to the collector, which is to say so here.
    gc.collect()


async def test_two_peers_find_each_other_and_not_themselves() -> None:
    ann, bob = new_identity().peer_id, new_identity().peer_id
    # A type of its own, so that nobody else on this machine is found.
    service = f"goop-{secrets.token_hex(4)}.local."
    found: dict[str, asyncio.Queue[Sequence[PeerAddress]]] = {ann: asyncio.Queue(), bob: asyncio.Queue()}
    async with (
        open_mdns(ann, 4001, found[ann].put_nowait, [LOOPBACK], service),
        open_mdns(bob, 4002, found[bob].put_nowait, [LOOPBACK], service),
    ):
        try:
            async with asyncio.timeout(8):
                assert list(await found[ann].get()) == [PeerAddress(bob, f"/ip4/{LOOPBACK}/tcp/4002")]
                assert list(await found[bob].get()) == [PeerAddress(ann, f"/ip4/{LOOPBACK}/tcp/4001")]
        except TimeoutError:
            pytest.fail("no multicast on loopback, or nobody answered")


def test_an_announcement_is_as_the_networks_peers_write_it() -> None:
    addresses = ["192.168.1.7", "10.0.0.7"]
    info = module._announcement(PEER, 4001, addresses, module.SERVICE)
    assert info.type == "goop-mdns.local."
    assert 32 <= len(info.name.removesuffix(f".{module.SERVICE}")) <= 63
    assert list(entries_of(info.text)) == [f"dnsaddr=/ip4/{address}/tcp/4001/p2p/{PEER}" for address in addresses]
    assert info.name != module._announcement(PEER, 4001, addresses, module.SERVICE).name


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_peer_whose_machine_moves_is_found_where_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
    here, notes = ["192.0.2.77"], list[str]()
    service = f"goop-{secrets.token_hex(4)}.local."
    found: asyncio.Queue[Sequence[PeerAddress]] = asyncio.Queue()
    async with open_mdns(new_identity().peer_id, 4001, found.put_nowait, [LOOPBACK], service):
        staying = asyncio.create_task(module.stay_near_by(PEER, 4002, print, notes.append, lambda: here, service))
        await until(lambda: len(notes) == 1)
        for moved in ([LOOPBACK], [LOOPBACK, "127.0.0.2"]):
            here[:] = moved
            expected = [PeerAddress(PEER, f"/ip4/{address}/tcp/4002") for address in moved]
            async with asyncio.timeout(15):
                while list(await found.get()) != expected:
                    pass
        staying.cancel()
        await asyncio.gather(staying, return_exceptions=True)
    assert len(notes) == 1
    gc.collect()


async def test_an_interface_that_comes_back_with_its_address_is_joined_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    opened: list[list[str]] = []
    places = [(2, "192.0.2.7")]

    @contextlib.asynccontextmanager
    async def opening(_peer: str, _port: int, _found: object, own: Sequence[str], _service: str) -> AsyncIterator[None]:
        opened.append(list(own))
        yield

    monkeypatch.setattr(module, "open_mdns", opening)
    staying = asyncio.create_task(module.stay_near_by(PEER, 4002, print, print, lambda: ["192.0.2.7"], places=lambda: places))
    await until(lambda: len(opened) == 1)
    places[:] = [(3, "192.0.2.7")]
    await until(lambda: len(opened) == 2)
    await asyncio.sleep(0.05)  # a third opening would be here by now
    assert opened == [["192.0.2.7"]] * 2
    staying.cancel()
    await asyncio.gather(staying, return_exceptions=True)


async def test_what_does_not_work_is_told_once_tried_again_and_told_when_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "TRY_AGAIN_SECONDS", 0.02)
    left, notes, well = [3], list[str](), asyncio.Event()

    class Short:
        def __init__(self, **_: object) -> None:
            left[0] -= 1
            if left[0] >= 0:
                raise OSError(24, "Too many open files")
            raise AssertionError

    monkeypatch.setattr(module, "AsyncZeroconf", Short)
    monkeypatch.setattr(module, "OPENING_FAULTS", (OSError,))
    staying = asyncio.create_task(module.stay_near_by(PEER, 4002, print, notes.append, lambda: ["192.0.2.7"], well=well.set))
    await until(lambda: left[0] < 0)
    assert notes == ["peers near by are not looked for: no multicast on 192.0.2.7 (Too many open files)"]
    staying.cancel()
    await asyncio.gather(staying, return_exceptions=True)


IF_INET6 = """\
fe800000000000000000000000000001 02 40 20 80     eth0
20010db8000000000000000000000001 02 40 00 80     eth0
20010db8000000000000000000000002 02 40 00 21     eth0
20010db8000000000000000000000003 02 40 00 40     eth0
20010db8000000000000000000000004 02 40 00 48     eth0
"""
"""As Linux writes it: one of a cable, one in use, one that is deprecated, one not sure yet, and one that another machine has."""


def test_an_ipv6_address_that_is_not_in_use_is_not_announced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "if_inet6"
    file.write_text(IF_INET6)
    monkeypatch.setattr(module, "IPV6_ADDRESSES", file)
    addresses = [ifaddr.IP((f"2001:db8::{last}", 0, 0), 64, "eth0") for last in (1, 2, 3, 4)]
    addresses += [ifaddr.IP(("fe80::1", 0, 2), 64, "eth0"), ifaddr.IP(("::1", 0, 0), 128, "lo"), ifaddr.IP("192.0.2.7", 24, "eth0")]
    monkeypatch.setattr("goop2.peers.discovery.mdns.ifaddr.get_adapters", lambda: [ifaddr.Adapter("eth0", "eth0", addresses, index=2)])
    assert module.lan_places() == ((2, "192.0.2.7"), (2, "2001:db8::1"))
    assert module.machine_addresses() == ("127.0.0.1", "::1", "192.0.2.7", "2001:db8::1")
    file.unlink()
    assert len(module.lan_places()) == 5, "where the system does not say it, nothing but a cable's is left out"


def test_addresses_of_both_families_are_announced() -> None:
    info = module._announcement(PEER, 4001, ["192.0.2.7", "2001:db8::7"], module.SERVICE)
    assert addresses_of(info.text) == [PeerAddress(PEER, f"/{address}/tcp/4001") for address in ("ip4/192.0.2.7", "ip6/2001:db8::7")]


def test_a_shortage_of_descriptors_leaves_what_was_known_of_the_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    known = module.lan_places()

    def short() -> object:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("ifaddr.get_adapters", short)
    assert module.lan_places() == known
