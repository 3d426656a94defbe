"""What the web side knows of the network: nothing until it is up, then who is here and how to ask them. Set by whoever opens it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final, Protocol

from goop2.protocols import data
from goop2.scripting.subscribers import Subscribers
from goop2.services.chat.service import Heard

if TYPE_CHECKING:
    from goop2.peers.client import SiteAnswer
    from goop2.peers.discovery.roster import RosterChange, RosterEntry


LABELS_MAX: Final = 2048
"""As many as may be here at a time."""


class RemoteClient(Protocol):
    """Exchanges with other peers (peers/client.py). They raise `NetworkError`."""

    def file(self, peer: str, path: str) -> AbstractAsyncContextManager[SiteAnswer]: ...
    async def ask(self, peer: str, asked: data.DataRequest) -> data.Answer: ...


class SoundStream(Protocol):
    """The sound of a session from a moment on (peers/followed_session.py)."""

    @property
    def format(self) -> str: ...
    @property
    def beginning(self) -> Callable[[], float]: ...
    @property
    def pieces(self) -> AsyncIterator[bytes]: ...


class RemoteListening(Protocol):
    """Being a listener of another peer's session (peers/followed_session.py). Raises `ListenError` and `NetworkError`."""

    async def session_of(self, host: str) -> object: ...
    async def join(self, host: str, group: str) -> None: ...
    def leave(self) -> None: ...
    def sound(self) -> AbstractAsyncContextManager[SoundStream]: ...


class Here(Protocol):
    """Who is here (peers/discovery/roster.py)."""

    def peers(self) -> tuple[RosterEntry, ...]: ...
    def get(self, peer: str) -> RosterEntry | None: ...
    def subscribe(self, callback: Callable[[RosterChange], None]) -> Callable[[], None]: ...


class NetworkView(Protocol):
    """A network that is up (peers/network.py)."""

    @property
    def client(self) -> RemoteClient: ...
    @property
    def roster(self) -> Here: ...
    @property
    def broadcasts(self) -> Subscribers[Heard]: ...
    @property
    def followed(self) -> RemoteListening: ...
    async def broadcast(self, content: str, timestamp_ms: int) -> int: ...
    def addresses(self) -> tuple[str, ...]: ...
    async def connect(self, address: str) -> tuple[str, str]: ...


class RemoteNetwork:
    """The network as the web side has it."""

    def __init__(self) -> None:
        self.network: NetworkView | None = None
        """None while it is not up."""
        self.problem = ""
        """Why it is not, when it could not be opened."""
        self._labels: OrderedDict[str, str] = OrderedDict()
        """Peer → what it called itself when it was last here, the last one last."""
        self._joined: list[Callable[[NetworkView], Callable[[], None]]] = []
        self._ends: list[Callable[[], None]] = []

    def label(self, peer: str) -> str:
        """Return what a peer calls itself, or did when it was last here, which is untrusted text; "" when nothing is known.

        What others say it is called counts only until it has said so itself.
        """
        known = self.network.roster.get(peer) if self.network is not None else None
        hinted = known.label if known is not None and known.label != peer else ""
        return self._labels.get(peer, hinted)

    def _named(self, peer: RosterEntry) -> None:
        if not peer.proved or peer.label == peer.id:
            return
        self._labels[peer.id] = peer.label
        self._labels.move_to_end(peer.id)
        if len(self._labels) > LABELS_MAX:
            self._labels.popitem(last=False)

    def on_join(self, callback: Callable[[NetworkView], Callable[[], None]]) -> None:
        """Call `callback` when the network is up; what it gives is called when it is not any more."""
        self._joined.append(callback)

    def attach(self, network: NetworkView) -> None:
        """Take the network, which has opened."""
        self.network = network
        for peer in network.roster.peers():
            self._named(peer)
        named = network.roster.subscribe(lambda change: self._named(change.peer))
        self._ends = [named, *(callback(network) for callback in self._joined)]

    def detach(self) -> None:
        """Forget the network, which has closed."""
        self.network = None
        for end in self._ends:
            end()
        self._ends = []
