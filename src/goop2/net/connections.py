"""The table of a host's connections. A peer may have several; new streams use a direct one before one through a relay."""

from __future__ import annotations

import structlog

from goop2.net.admission import AdmissionError
from goop2.net.connection import Connection, ConnectionCallback

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class ConnectionTable:
    """The open connections of one host, and the subscribers to changes."""

    def __init__(self, per_peer: int, most: int) -> None:
        self._per_peer = per_peer
        self._most = most
        self._by_peer: dict[str, list[Connection]] = {}
        self._connected: list[ConnectionCallback] = []
        self._disconnected: list[ConnectionCallback] = []

    def __len__(self) -> int:
        return sum(map(len, self._by_peer.values()))

    def add(self, connection: Connection) -> None:
        """Add a new connection and notify subscribers. Beyond the limit of a peer, its oldest connection of the same kind is ended."""
        ours = self._by_peer.setdefault(connection.peer, [])
        same = [each for each in ours if each.is_relayed == connection.is_relayed]
        ours.append(connection)
        _tell(self._connected, connection)
        if len(same) >= self._per_peer:
            same[0].abandon()

    def make_room(self) -> None:
        """Make room for one more dial: beyond the limit, end the oldest idle connection that this peer dialled.

        Raises `AdmissionError` when there is none. What others dial is counted by `Admission`.
        """
        ours = [each for each in self.of() if each.opened_by_us]
        if len(ours) < self._most:
            return
        idle = next((each for each in ours if each.is_idle), None)
        if idle is None:
            raise AdmissionError(f"{self._most} connections that we dialled are open, the most there may be")
        idle.abandon()

    def remove(self, connection: Connection) -> None:
        """Remove a connection that has ended and notify subscribers; do nothing for an unknown one."""
        ours = self._by_peer.get(connection.peer, [])
        if connection not in ours:
            return
        ours.remove(connection)
        if not ours:
            del self._by_peer[connection.peer]
        _tell(self._disconnected, connection)

    def best(self, peer: str, relayed: bool | None = None) -> Connection | None:
        """Return the connection for a new stream: direct before relayed, then the one that is up longest. `relayed`: only such."""
        ours = self._by_peer.get(peer, ())
        if relayed is None and len(ours) == 1:  # as nearly always, and asked for with every call
            return ours[0] if ours[0].is_open else None
        open_ = [each for each in ours if each.is_open and relayed in (None, each.is_relayed)]
        return min(open_, key=_is_relayed, default=None)

    def of(self, peer: str = "") -> tuple[Connection, ...]:
        """Return the connections to a peer, or all of them."""
        if peer:
            return tuple(self._by_peer.get(peer, ()))
        return tuple(each for ours in self._by_peer.values() for each in ours)

    def peers(self) -> tuple[str, ...]:
        """Return the connected peers, each once."""
        return tuple(self._by_peer)

    def watch(self, connected: ConnectionCallback | None, disconnected: ConnectionCallback | None) -> None:
        """Call these for each connection that comes or goes."""
        if connected is not None:
            self._connected.append(connected)
        if disconnected is not None:
            self._disconnected.append(disconnected)

    def unwatch(self, connected: ConnectionCallback | None, disconnected: ConnectionCallback | None) -> None:
        """Stop calling these for connections."""
        if connected in self._connected:
            self._connected.remove(connected)
        if disconnected in self._disconnected:
            self._disconnected.remove(disconnected)


def _is_relayed(connection: Connection) -> bool:
    return connection.is_relayed


def _tell(callbacks: list[ConnectionCallback], connection: Connection) -> None:
    for callback in tuple(callbacks):
        try:
            callback(connection)
        except Exception as error:  # a mistake of one listener must not end the connection, or take the news from the next
            _log.warning("a subscriber to connections failed", peer=connection.peer, why=repr(error))
