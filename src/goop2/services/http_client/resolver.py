"""Look up names with the system's resolver, each in a thread of its own that can be abandoned.

The resolver cannot be interrupted and waits half a minute for a silent name server. In a shared pool of threads, such as the event loop's,
names that strangers choose could occupy all of it. The threads are daemons: the peer ends without waiting for them. It must not judge
addresses.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Sequence

from goop2.scripting.invocation import Caller
from goop2.services.http_client.concurrency import Slots
from goop2.services.http_client.errors import OutboundError
from goop2.services.http_client.limits import LOOKUP_SECONDS, LOOKUPS_AT_ONCE, LOOKUPS_AT_ONCE_PER_CALLER, WAITING_MAX

SocketAddress = tuple[str, int]
"""An IP address as text, and a port."""

Lookup = Callable[[str, int], Sequence[SocketAddress]]
"""lookup(name, port) → where that is. Blocks; raises OSError when the name is not known."""


def system_lookup(name: str, port: int) -> list[SocketAddress]:
    """Return the addresses of `name`, in the order in which the system would connect."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [(str(address[0]), int(address[1])) for *_, address in found]


class Lookups:
    """Lookups under way; `lookup` does one."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._slots = Slots(LOOKUPS_AT_ONCE, LOOKUPS_AT_ONCE_PER_CALLER, WAITING_MAX)

    async def addresses(self, name: str, port: int, caller: Caller) -> Sequence[SocketAddress]:
        """Return the addresses of `name`, looked up once. Raises `OutboundError`."""
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return await self._in_thread(name, port, caller)
        except TimeoutError:
            raise OutboundError(f"looking up {name} timed out after {LOOKUP_SECONDS:.1f} s") from None
        except (OSError, UnicodeError):
            raise OutboundError(f"there is no host {name}") from None

    async def _in_thread(self, name: str, port: int, caller: Caller) -> Sequence[SocketAddress]:
        await self._slots.take(caller)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[SocketAddress]] = loop.create_future()

        def deliver(found: Sequence[SocketAddress], error: Exception | None) -> None:
            self._slots.give_back(caller)  # not before: a thread given up still holds its place
            if answer.done():
                return
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)

        def work() -> None:
            found: Sequence[SocketAddress] = ()
            failure = None
            try:
                found = self._lookup(name, port)
            except Exception as error:  # it is raised where somebody waits
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(deliver, found, failure)

        try:
            threading.Thread(target=work, name="goop2 lookup", daemon=True).start()
        except RuntimeError:  # the system gives no more threads
            self._slots.give_back(caller)
            raise OutboundError("too many names are being looked up; try again later") from None
        return await answer
