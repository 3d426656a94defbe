"""`goop2 rendezvous`: a meeting point for peers that cannot hear each other by themselves. It keeps nothing and needs no folder."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from goop2.cli import logs, output, session
from goop2.cli.main import EXIT_OK

if TYPE_CHECKING:
    from goop2.config import Address

DEFAULT = "127.0.0.1:8787"


def _address(_context: click.Context, _option: click.Parameter, value: str) -> Address:
    from goop2.config.kinds import NotAllowedError, address

    kind = address(lowest_port=0, default_host="127.0.0.1")
    try:
        return kind.parse(value)
    except NotAllowedError:
        raise click.BadParameter(f"{value!r} is not {kind.allowed}, such as {DEFAULT}") from None


@click.command("rendezvous")
@click.option(
    "--http", "where", metavar="HOST:PORT", default=DEFAULT, show_default=True, callback=_address, help="Where to listen; port 0: any."
)
def rendezvous(where: Address) -> int:
    """Run a rendezvous server, until Ctrl-C.

    Peers that have its address in "presence.rendezvous_wan" learn of each other there. Its page shows who is here. To be reached by
    others it must listen beyond this machine: --http 0.0.0.0:8787.
    """
    return session.run(_serve(where))


async def _serve(where: Address) -> int:
    from goop2.cli.peer import ENDING
    from goop2.rendezvous.opening import open_rendezvous

    told_to_end = asyncio.Event()
    for number in ENDING:
        asyncio.get_running_loop().add_signal_handler(number, told_to_end.set)
    logs.set_up()
    async with open_rendezvous(where) as url:
        output.answer(f"rendezvous is up  page: {url}/")
        await told_to_end.wait()
    return EXIT_OK
