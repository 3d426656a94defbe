"""The schedule of dials: whom to dial, and when again. Pure: the clock and the random numbers are passed in.

A peer stays on the schedule while it may be reachable: for a day if it was reached or typed in, for a minute if somebody only named it. The
wait doubles between attempts, up to RETRY_MAX_SECONDS, and half of it is random, so that a hundred peers do not dial at the moment a router
is back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Final

from goop2.net.limits import (
    CONNECTIONS_SOUGHT,
    DIALS_AT_ONCE,
    HEARSAY_PATIENCE_SECONDS,
    PATIENCE_SECONDS,
    REDIALLED_MAX,
    RETRY_FIRST_SECONDS,
    RETRY_MAX_SECONDS,
)

HALF: Final = 0.5


class _Wanted:
    def __init__(self, until: float, next_try: float) -> None:
        self.until = until
        self.next_try = next_try
        self.wait = RETRY_FIRST_SECONDS
        self.dialling = False


class RedialSchedule:
    """The peers to dial. `dice` returns a number from 0 to 1."""

    def __init__(self, clock: Callable[[], float], dice: Callable[[], float]) -> None:
        self._clock = clock
        self._dice = dice
        self._wanted: OrderedDict[str, _Wanted] = OrderedDict()
        """Least patience for them first, as far as that is known: who was longest not heard of."""

    def __len__(self) -> int:
        return len(self._wanted)

    def told_of(self, peer: str) -> None:
        """Plan to dial a peer for a minute, because somebody named it."""
        self._want(peer, HEARSAY_PATIENCE_SECONDS)

    def known(self, peer: str) -> None:
        """Plan to dial a peer for a day: it was reached, or the owner typed it in."""
        self._want(peer, PATIENCE_SECONDS)

    def forget(self, peer: str) -> None:
        """Stop dialling a peer that is not wanted any more."""
        self._wanted.pop(peer, None)

    def at_once(self, peer: str) -> None:
        """End the wait for a peer on the schedule: there is new reason to think it can be reached."""
        if peer in self._wanted:
            self._wanted[peer].wait = RETRY_FIRST_SECONDS
            self._wanted[peer].next_try = self._clock()

    def due(self, connected: Collection[str]) -> list[str]:
        """Return the peers to dial now; each counts as being dialled until `reached` or `failed`."""
        now = self._clock()
        for peer in [peer for peer, wanted in self._wanted.items() if wanted.until <= now and not wanted.dialling]:
            del self._wanted[peer]
        room = min(DIALS_AT_ONCE - sum(wanted.dialling for wanted in self._wanted.values()), CONNECTIONS_SOUGHT - len(connected))
        ready = [peer for peer, wanted in self._wanted.items() if wanted.next_try <= now and not wanted.dialling and peer not in connected]
        # Those with most patience first: invented peers must not keep known ones waiting.
        ready.sort(key=lambda peer: -self._wanted[peer].until)
        chosen = ready[: max(0, room)]
        for peer in chosen:
            self._wanted[peer].dialling = True
        return chosen

    def reached(self, peer: str) -> None:
        """Note that a connection to the peer is open."""
        self._want(peer, PATIENCE_SECONDS)
        self._wanted[peer].dialling = False
        self._wanted[peer].wait = RETRY_FIRST_SECONDS
        self._put_off(peer)

    def failed(self, peer: str) -> None:
        """Plan the next attempt after a dial that failed."""
        wanted = self._wanted.get(peer)
        if wanted is not None:
            wanted.dialling = False
            self._put_off(peer)
            wanted.wait = min(wanted.wait * 2, RETRY_MAX_SECONDS)

    def lost(self, peer: str) -> None:
        """Plan the next attempt after a connection that ended."""
        if peer in self._wanted:
            self._put_off(peer)

    def _want(self, peer: str, seconds: float) -> None:
        now = self._clock()
        wanted = self._wanted.setdefault(peer, _Wanted(now, now))
        wanted.until = max(wanted.until, now + seconds)
        self._wanted.move_to_end(peer)
        if len(self._wanted) > REDIALLED_MAX:
            self._forget_one()

    def _forget_one(self) -> None:
        """Forget a peer that somebody only named, if there is one, else the one not heard of for longest."""
        limit = self._clock() + HEARSAY_PATIENCE_SECONDS
        told_of = next((peer for peer, wanted in self._wanted.items() if wanted.until <= limit), None)
        del self._wanted[told_of or next(iter(self._wanted))]

    def _put_off(self, peer: str) -> None:
        wanted = self._wanted[peer]
        wanted.next_try = self._clock() + wanted.wait * (HALF + HALF * self._dice())
