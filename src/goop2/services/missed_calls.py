"""Calls of other peers, which are hung up: calls are not supported yet. The owner sees on Home who has called.

It is bounded: each offer is answered once, one peer is answered PER_PEER_A_MINUTE times a minute, and the last MISSED_MAX calls are kept in
memory. It must not know how a message travels.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from goop2.protocols.calls import CallOffer
from goop2.scripting.rate_limit import RateLimiter
from goop2.scripting.subscribers import Subscribers

ANSWERED_MAX: Final = 1024
"""Calls by which repeats are known: an offer is repeated while it rings."""
PER_PEER_A_MINUTE: Final = 12
OF_ALL_A_MINUTE: Final = 120
"""Answers, which are messages of ours: a person calls once or twice."""
MISSED_MAX: Final = 20
RECENT_SECONDS: Final = 24 * 3600.0
"""How long Home shows a call."""


class MissedCall(msgspec.Struct, frozen=True):
    """A call that this peer hung up, since calls are not supported yet."""

    peer: str
    at: float
    """Seconds since 1970."""


class MissedCalls:
    """The calls that came since the start."""

    def __init__(self) -> None:
        self._answered: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._missed: deque[MissedCall] = deque(maxlen=MISSED_MAX)
        self._rate = RateLimiter(PER_PEER_A_MINUTE, OF_ALL_A_MINUTE, time.monotonic)
        self._subscribers: Subscribers[MissedCall] = Subscribers()
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.services.calls")

    def subscribe(self, callback: Callable[[MissedCall], None]) -> Callable[[], None]:
        """Call `callback` with each call that is hung up; return the function that unsubscribes."""
        return self._subscribers.add(callback)

    def offered(self, peer: str, offer: CallOffer) -> bool:
        """Note the offer of a peer; return whether it is to be answered: once, and not in a flood."""
        place = (peer, offer.id)
        if place in self._answered or self._rate.check(peer, "", None) is not None:
            return False
        self._answered[place] = None
        if len(self._answered) > ANSWERED_MAX:
            self._answered.popitem(last=False)
        call = MissedCall(peer, time.time())
        self._missed.append(call)
        self._log.info("a call is hung up: calls are not supported yet", peer=peer, call=repr(offer.id))
        self._subscribers.notify(call)
        return True

    def recent(self) -> tuple[MissedCall, ...]:
        """Return the calls of the last day, the last one last."""
        since = time.time() - RECENT_SECONDS
        return tuple(call for call in self._missed if call.at >= since)
