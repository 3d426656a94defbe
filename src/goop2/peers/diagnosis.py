"""Tell other peers how this one is reached, and look after a circuit when its relay asks for that.

    anybody            what identify tells too: the id, the addresses, and whether there is a circuit
    a relay of ours    how many peers are connected, and what happened with this relay

Whom this peer is connected to, and what else it logs, is for nobody. A relay counts as ours if it belongs to a rendezvous server the owner
has chosen and has given a reservation, by the id that its connection proved. Only such a one makes this peer reserve again, and not without
end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from goop2.protocols import diagnosis
from goop2.protocols.diagnosis import DiagnosisAnswer, RefreshAnswer, RelayState

if TYPE_CHECKING:
    from goop2.net.host import Host
    from goop2.net.stream import Stream
    from goop2.peers.discovery.reservations import RelayReservation

ADDRESSES_MAX: Final = 16
"""Of this peer, in an answer; readers of presence take as many."""


class Diagnosis:
    """Answers both protocols. `addresses`: where others can dial this peer."""

    def __init__(self, host: Host, reservations: Sequence[RelayReservation], addresses: Callable[[], tuple[str, ...]]) -> None:
        self._host = host
        self._reservations = reservations
        self._addresses = addresses

    async def attach(self) -> None:
        """Answer peers that ask this host."""
        await self._host.serve(diagnosis.DIAGNOSIS, self.answer_diagnosis)
        await self._host.serve(diagnosis.RELAY_REFRESH, self.answer_refresh)

    async def answer_diagnosis(self, stream: Stream) -> None:
        """Tell whoever opened `stream` about this peer, as much as it may know."""
        own = self._of_relay(stream.peer)
        log = tuple(own.log) if own is not None else ()
        connections = len(self._host.peers()) if own is not None else None
        addresses = self._addresses()[:ADDRESSES_MAX]
        answer = DiagnosisAnswer(self._host.peer_id, addresses, RelayState(self._has_circuit(), log), connections)
        await stream.finish(diagnosis.line(answer))

    async def answer_refresh(self, stream: Stream) -> None:
        """Answer at once; if it is a relay of ours, a new reservation is made afterwards."""
        own = self._of_relay(stream.peer)
        if own is None:
            await stream.finish(diagnosis.line(RefreshAnswer(ok=False, has_circuit=self._has_circuit())))
            return
        recovering = own.refresh()
        await stream.finish(diagnosis.line(RefreshAnswer(ok=True, has_circuit=bool(own.addresses), recovering=recovering)))

    def _of_relay(self, peer: str) -> RelayReservation | None:
        return next((one for one in self._reservations if one.relay == peer), None)

    def _has_circuit(self) -> bool:
        return any(one.addresses for one in self._reservations)
