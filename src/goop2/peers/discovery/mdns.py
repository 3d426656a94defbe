"""Find peers on the local network by mDNS, in libp2p's form: DNS-SD with a service type of its own.

    goop-mdns.local.                      PTR  <random name>.goop-mdns.local.      the type is exactly this, without _…._udp
    <random name>.goop-mdns.local.        TXT  dnsaddr=/ip4/192.168.1.7/tcp/4001/p2p/12D3Koo…    one string per real address

zeroconf registers such a type only when it is not strict, its browser does not report it, and its properties drop repeated keys. So we
listen for records ourselves, and read and write TXT as bytes. A record proves nothing; the dial does.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import math
import secrets
import string
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import ifaddr
from zeroconf import (  # type: ignore[attr-defined]
    DNSOutgoing,
    DNSPointer,
    DNSQuestion,
    DNSText,
    InterfaceChoice,
    IPVersion,
    RecordUpdate,
    RecordUpdateListener,
    ServiceInfo,
    Zeroconf,
)
from zeroconf import Error as ZeroconfError
from zeroconf.asyncio import AsyncZeroconf
from zeroconf.const import _CLASS_IN, _FLAGS_QR_QUERY, _TYPE_PTR, _TYPE_TXT

from goop2.config.ticks import seconds_to_tick
from goop2.net.address import PeerAddress, parse
from goop2.net.faults import AddressError, MulticastError

SERVICE: Final = "goop-mdns.local."
"""Existing peers use this whatever their settings say."""
ENTRY: Final = "dnsaddr="
NAME_CHARS: Final = 40
"""32 to 63 are what the network's peers use."""
ENTRY_MAX_BYTES: Final = 255
"""A TXT string."""
ENTRIES_MAX: Final = 32
QUESTIONS_AFTER_SECONDS: Final = (0.0, 1.0, 3.0, 10.0, 30.0)
"""Since the start; then as far apart as the last two."""

LOOK_SECONDS: Final = 5.0
"""How soon it is noticed that this machine is on another network."""
TRY_AGAIN_SECONDS: Final = 30.0
"""Where it did not work: a shortage of descriptors ends while the machine stays where it is."""

IPV6_ADDRESSES: Final = Path("/proc/net/if_inet6")
"""Address, index, bits of its network, scope, flags and interface, a line each."""
_UNUSABLE_FLAGS: Final = 0x08 | 0x20 | 0x40
"""IFA_F_DADFAILED, IFA_F_DEPRECATED and IFA_F_TENTATIVE of Linux."""

Place = tuple[int, str]
"""Where this machine is on a network: the index of an interface and an address of it. One that is plugged in again has another index."""
OPENING_FAULTS: Final = (OSError, ZeroconfError, TimeoutError)
"""What opening raises where the network takes no multicast, or the system has no sockets left."""

_last_known: tuple[Place, ...] = ()
"""Of `lan_places`, for as long as the system cannot say it."""

Found = Callable[[Sequence[PeerAddress]], object]


@contextlib.asynccontextmanager
async def open_mdns(
    peer_id: str, port: int, found: Found, addresses: Iterable[str] | None = None, service: str = SERVICE
) -> AsyncIterator[None]:
    """Be found, and have `found` called with every peer's addresses as they come, until the block is left.

    `addresses` are this machine's IP addresses to announce and to speak on; None: every real one. Raises `MulticastError`.
    """
    own = list(lan_addresses() if addresses is None else addresses)
    _quiet()
    try:
        # Of the addresses it tells by itself whether to speak IPv4, IPv6 or both.
        opened = AsyncZeroconf(interfaces=own) if own else AsyncZeroconf(interfaces=InterfaceChoice.Default, ip_version=IPVersion.V4Only)
    except OPENING_FAULTS as error:
        raise _no_multicast(own, error) from None
    asking = None
    try:
        try:
            # Before the announcement: answers to it may come at once.
            opened.zeroconf.async_add_listener(_Listener(peer_id, service, found), None)
            await opened.async_register_service(_announcement(peer_id, port, own, service), strict=False)
        except OPENING_FAULTS as error:
            raise _no_multicast(own, error) from None
        asking = asyncio.create_task(_ask(opened.zeroconf, service))
        yield
    finally:
        if asking is not None:
            asking.cancel()
        with contextlib.suppress(*OPENING_FAULTS):  # its goodbye, on a network that is gone
            await opened.async_close()


def _quiet() -> None:
    """Keep zeroconf's own log lines off stderr: it warns of every packet that a vanished interface does not accept."""
    logging.getLogger("zeroconf").setLevel(logging.CRITICAL)


def _no_multicast(own: Sequence[str], error: Exception) -> MulticastError:
    where = ", ".join(own) or "any network"
    why = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return MulticastError(f"peers near by are not looked for: no multicast on {where} ({why})")


async def stay_near_by(
    peer_id: str,
    port: int,
    found: Found,
    note: Callable[[str], object],
    look: Callable[[], Iterable[str]],
    service: str = SERVICE,
    *,
    places: Callable[[], Iterable[Place]] = tuple,
    well: Callable[[], object] = lambda: None,
) -> None:
    """Run `open_mdns` until cancelled, and restart it when this machine's addresses (`look`) or `places` change. The machine has then
    moved, or an interface was replaced although its address is the same, and its multicast membership is gone.

    `note` gets a sentence when it does not work where the machine is, once; then it is tried again, and `well` is called when it works.
    """

    def where() -> frozenset[object]:
        return frozenset((*look(), *places()))

    noted = ""
    while True:
        here, own = where(), tuple(look())
        try:
            async with open_mdns(peer_id, port, found, own, service):
                noted = ""
                well()
                await _until_elsewhere(here, where)
        except MulticastError as fault:
            if str(fault) != noted:
                noted = str(fault)
                note(noted)
            await _until_elsewhere(here, where, TRY_AGAIN_SECONDS)


async def _until_elsewhere(here: frozenset[object], where: Callable[[], frozenset[object]], at_most_seconds: float = math.inf) -> None:
    end = time.monotonic() + at_most_seconds
    while where() == here and time.monotonic() < end:  # noqa: ASYNC110 (the system tells nobody)
        await asyncio.sleep(seconds_to_tick(LOOK_SECONDS))


def lan_places() -> tuple[Place, ...]:
    """Return where others on its networks can dial this machine: interfaces and addresses, those of IPv4 first; no loopback.

    Where the system cannot say it, because it has no descriptor left, what it said last is as good.
    """
    global _last_known
    with contextlib.suppress(OSError):
        found = [
            (adapter.index or 0, ip.ip if isinstance(ip.ip, str) else ip.ip[0]) for adapter in ifaddr.get_adapters() for ip in adapter.ips
        ]
        unusable = _unusable_ipv6()
        usable = [place for place in found if place[1] not in unusable and _dialable(place[1])]
        _last_known = tuple(sorted(usable, key=lambda place: ":" in place[1]))
    return _last_known


def machine_addresses() -> tuple[str, ...]:
    """Return every IP address of this machine, loopback too."""
    return ("127.0.0.1", "::1", *lan_addresses())


def _unusable_ipv6() -> frozenset[str]:
    """Return IPv6 addresses of this machine that are not dialled or spoken from: not yet its own, another's, or about to end.

    Linux says it; elsewhere nothing is left out.
    """
    try:
        lines = IPV6_ADDRESSES.read_text("ascii").splitlines()
    except (OSError, ValueError):
        return frozenset()
    rows = [line.split() for line in lines]
    return frozenset(str(ipaddress.IPv6Address(bytes.fromhex(row[0]))) for row in rows if int(row[4], 16) & _UNUSABLE_FLAGS)


def lan_addresses() -> Iterator[str]:
    """Return the addresses of this machine that others on its networks can dial; never 0.0.0.0 and no loopback."""
    return iter(dict.fromkeys(address for _, address in lan_places()))


def text_of(entries: Iterable[str]) -> bytes:
    """Return a TXT record's content: each string with its length before it."""
    encoded = [entry.encode() for entry in entries]
    return b"".join(bytes([len(entry)]) + entry for entry in encoded if len(entry) <= ENTRY_MAX_BYTES)


def entries_of(text: bytes) -> Iterator[str]:
    """Return the strings of a TXT record's content, whatever it holds; a cut one is left out."""
    at = 0
    while at < len(text):
        end = at + 1 + text[at]
        if end <= len(text):
            yield text[at + 1 : end].decode("utf-8", "replace")
        at = end


def addresses_of(text: bytes) -> list[PeerAddress]:
    """Return the peers' addresses in a TXT record's content; anything else in it is left out."""
    found = []
    for entry in list(entries_of(text))[:ENTRIES_MAX]:
        if entry.startswith(ENTRY):
            with contextlib.suppress(AddressError):
                found.append(parse(entry.removeprefix(ENTRY)))
    return found


class _Listener(RecordUpdateListener):
    def __init__(self, peer_id: str, service: str, found: Found) -> None:
        super().__init__()
        self._peer_id = peer_id
        self._suffix = f".{service}"
        self._found = found

    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:
        """Handle records that came (zeroconf calls this)."""
        for record in (update.new for update in records):
            if isinstance(record, DNSText) and record.name.endswith(self._suffix):
                others = [address for address in addresses_of(record.text) if address.peer != self._peer_id]
                if others:
                    self._found(others)
            elif isinstance(record, DNSPointer) and record.alias.endswith(self._suffix):
                # Some responders send the PTR record alone; the addresses are in the TXT record of the name it points to.
                zc.async_send(_question(record.alias, _TYPE_TXT))


async def _ask(zeroconf: Zeroconf, service: str) -> None:
    before = 0.0
    for after in QUESTIONS_AFTER_SECONDS:
        await asyncio.sleep(after - before)
        before = after
        zeroconf.async_send(_question(service, _TYPE_PTR))
    while True:
        await asyncio.sleep(QUESTIONS_AFTER_SECONDS[-1] - QUESTIONS_AFTER_SECONDS[-2])
        zeroconf.async_send(_question(service, _TYPE_PTR))


def _question(name: str, type_: int) -> DNSOutgoing:
    question = DNSOutgoing(_FLAGS_QR_QUERY)
    question.add_question(DNSQuestion(name, type_, _CLASS_IN))
    return question


def _announcement(peer_id: str, port: int, addresses: list[str], service: str) -> ServiceInfo:
    name = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(NAME_CHARS))
    return ServiceInfo(
        service,
        f"{name}.{service}",
        port=port,
        parsed_addresses=addresses,
        properties=text_of(f"{ENTRY}/ip{6 if ':' in address else 4}/{address}/tcp/{port}/p2p/{peer_id}" for address in addresses),
        server=f"{name}.local.",
    )


def _dialable(ip: str) -> bool:
    address = ipaddress.ip_address(ip)
    # A link-local address of IPv6 is none without the name of an interface, which is another on each machine.
    local = address.version == 6 and address.is_link_local
    return not (local or address.is_loopback or address.is_unspecified or address.is_multicast)
