"""`goop2 rendezvous`: a meeting point for peers that cannot find each other. It keeps nothing and needs no folder."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from goop2.cli import logs, output, session
from goop2.cli.main import EXIT_OK

if TYPE_CHECKING:
    from goop2.config import Address

DEFAULT = "127.0.0.1:8787"
RELAY_EXAMPLE = "0.0.0.0:4001"


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


@click.command("rendezvous")
@click.option(
    "--http", "where", metavar="HOST:PORT", default=DEFAULT, show_default=True, callback=_address, help="Where to listen; port 0: any."
)
@click.option("--relay", metavar="HOST:PORT", callback=_relay_address, help="Be a relay too, on this IP address; without it: none.")
def rendezvous(where: Address, relay: Address | None) -> int:
    """Run a rendezvous server, until Ctrl-C.

    Peers that have its address in "presence.rendezvous_wan" learn of each other there. Its page shows who is here. To be reached by
    others it must listen beyond this machine: --http 0.0.0.0:8787. With a relay (--relay 0.0.0.0:4001) peers behind a router are
    reached through this machine, which carries what they say and cannot read it.
    """
    return session.run(_serve(where, relay))


async def _serve(where: Address, relay: Address | None) -> int:
    from goop2.cli.peer import end_on_signals
    from goop2.rendezvous.server import open_rendezvous

    told_to_end = asyncio.Event()
    end_on_signals(told_to_end.set)
    logs.set_up()
    async with open_rendezvous(where, relay) as url:
        output.answer(f"rendezvous is up  page: {url}/")
        await told_to_end.wait()
    return EXIT_OK
