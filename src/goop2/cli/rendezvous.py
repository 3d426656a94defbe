"""`goop2 rendezvous`: a meeting point for peers that cannot find each other. It keeps nothing and needs no folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from goop2.cli import logs, output, session
from goop2.cli.main import EXIT_OK

if TYPE_CHECKING:
    from goop2.cluster.keys import ClusterKey
    from goop2.config import Address
    from goop2.web.http.proxies import Proxies
    from goop2.web.http.tls import TlsFiles

DEFAULT = "127.0.0.1:8787"
RELAY_EXAMPLE = "0.0.0.0:4001"
ADVISED_MAX = 3
"""Addresses of this machine that are named: one with containers has dozens."""


def _address(_context: click.Context, _option: click.Parameter, value: str) -> Address:
    from goop2.config.types import NotAllowedError, address

    kind = address(lowest_port=0, default_host="127.0.0.1")
    try:
        return kind.parse(value)
    except NotAllowedError:
        raise click.BadParameter(f"{value!r} is not {kind.allowed}, such as {DEFAULT}") from None


def _relay_address(context: click.Context, option: click.Parameter, value: str | None) -> Address | None:
    import ipaddress

    if value is None:
        return None
    found = _address(context, option, value)
    try:
        ipaddress.ip_address(found.host)
    except ValueError:
        raise click.BadParameter(f"{value!r} has no IP address to listen on, such as {RELAY_EXAMPLE}") from None
    return found


def _proxies(_context: click.Context, _option: click.Parameter, value: tuple[str, ...]) -> Proxies:
    from goop2.config.types import NotAllowedError, ip_network
    from goop2.web.http.proxies import Proxies

    kind = ip_network()
    for each in value:
        try:
            kind.parse(each)
        except NotAllowedError:
            raise click.BadParameter(f"{each!r} is not {kind.allowed}") from None
    return Proxies(value)


_FILE: Final = click.Path(path_type=Path)


@click.command("rendezvous")
@click.option(
    "--http", "where", metavar="HOST:PORT", default=DEFAULT, show_default=True, callback=_address, help="Where to listen; port 0: any."
)
@click.option("--relay", metavar="HOST:PORT", callback=_relay_address, help="Be a relay too, on this IP address; without it: none.")
@click.option("--tls-cert", "certificate", metavar="FILE", type=_FILE, help="Speak TLS, with this certificate (PEM, the whole chain).")
@click.option("--tls-key", "key", metavar="FILE", type=_FILE, help="The private key of the certificate (PEM).")
@click.option(
    "--proxy", "proxies", metavar="ADDRESS", multiple=True, callback=_proxies, help="Believe this proxy's X-Forwarded-For; repeatable."
)
@click.option("--bus", metavar="URL", help="Join other rendezvous servers by this NATS server, such as tls://hub:4222.")
@click.option("--bus-key", metavar="FILE", type=_FILE, help="This server's key there, made by goop2 cluster invite --rendezvous.")
def rendezvous(
    where: Address,
    relay: Address | None,
    certificate: Path | None,
    key: Path | None,
    proxies: Proxies,
    bus: str | None,
    bus_key: Path | None,
) -> int:
    """Run a rendezvous server, until Ctrl-C.

    Peers that have its address in "presence.rendezvous_wan" learn of each other there. Its page shows who is here. To be reached by
    others it must listen beyond this machine: --http 0.0.0.0:8787. With a relay (--relay 0.0.0.0:4001) peers behind a router are
    reached through this machine, which carries what they say and cannot read it. Goop2 peers on other machines insist on TLS: give a
    certificate, or put a proxy with one in front and name its address with --proxy, so that limits count its clients and not the proxy.

    Several servers are one for their peers when they are joined by a NATS server (--bus): docs/cluster.md says how.
    """
    return session.run(_serve(where, relay, _tls(certificate, key, proxies), proxies, _bus(bus, bus_key)))


def _bus(url: str | None, file: Path | None) -> tuple[str, ClusterKey] | None:
    """Return the NATS server and the key for it; without a file a new key, for a server on this machine that asks for none."""
    if url is None:
        if file is not None:
            raise click.UsageError("--bus-key belongs to --bus: give the URL of the NATS server too")
        return None
    from goop2.cluster.bus import ClusterError
    from goop2.cluster.keys import new_key, read_key
    from goop2.cluster.nats_bus import check_installed, check_url

    try:
        check_url(url)
        check_installed()
        if file is not None:
            return url, read_key(file)
    except ClusterError as error:
        raise click.UsageError(str(error)) from None
    if not url.startswith("nats:"):
        raise click.UsageError(
            f"{url} needs --bus-key: goop2 cluster invite NAME DIR --rendezvous makes one where the NATS server was set up"
        )
    return url, new_key("rendezvous")


def _tls(certificate: Path | None, key: Path | None, proxies: Proxies) -> TlsFiles | None:
    from goop2.web.http.tls import TlsFiles, TlsFilesError

    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise click.UsageError("--tls-cert and --tls-key belong together: give both")
    try:
        return TlsFiles(certificate, key, proxies.__contains__)
    except TlsFilesError as error:
        raise click.UsageError(str(error)) from None


def advice(where: Address, relay: Address | None, url: str) -> Iterator[str]:
    """Yield what peers have to be told to use the server, and which ports others must reach."""
    from goop2.config import Address
    from goop2.peers.discovery.mdns import lan_addresses
    from goop2.web.http.listeners import is_loopback

    scheme, _, rest = url.partition("://")
    port = rest.rpartition(":")[2]
    if is_loopback(where.host):
        yield f"only this machine reaches it: --http 0.0.0.0:{port} opens it to others"
        return
    families = {"0.0.0.0": (4,), "::": (4, 6)}.get(where.host)
    hosts = [where.host] if families is None else [each for each in lan_addresses() if (6 if ":" in each else 4) in families]
    for host in hosts[:ADVISED_MAX]:
        yield f'in goop.json of each peer: "presence": {{"rendezvous_wan": "{scheme}://{Address(host, int(port))}"}}'
    ports = f"TCP port {port}" if relay is None else f"the TCP ports {port} and {relay.port or 'of the relay'}"
    yield f"from elsewhere use the name or address that leads to this machine, and let {ports} through its router or firewall"


async def _serve(where: Address, relay: Address | None, tls: TlsFiles | None, proxies: Proxies, bus: tuple[str, ClusterKey] | None) -> int:
    from goop2.cli.peer import end_on_signals
    from goop2.rendezvous.server import open_rendezvous

    told_to_end = asyncio.Event()
    end_on_signals(told_to_end.set)
    logs.set_up()
    async with open_rendezvous(where, relay, proxies=proxies, tls=tls, bus=bus) as url:
        output.answer(f"rendezvous is up  page: {url}/")
        for sentence in advice(where, relay, url):
            output.note(sentence)
        await told_to_end.wait()
    return EXIT_OK
