"""The network as the web side sees it: nothing until it is up, then who is here and how to ask them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final, Protocol

from goop2.protocols import data
from goop2.scripting.subscribers import Subscribers
from goop2.services.app_messages import AppMessage
from goop2.services.chat.service import Heard

if TYPE_CHECKING:
    from goop2.net.host import Connected
    from goop2.peers.client import SiteAnswer
    from goop2.peers.discovery.roster import RosterChange, RosterEntry
    from goop2.peers.reach import Reach


LABELS_MAX: Final = 2048
"""Labels remembered: as many as there may be peers at a time."""


class RemoteClient(Protocol):
    """Requests to other peers (peers/client.py). They raise `NetworkError`."""

    def file(self, peer: str, path: str) -> AbstractAsyncContextManager[SiteAnswer]: ...
    async def ask(self, peer: str, asked: data.DataRequest) -> data.Answer: ...
    async def send(self, peer: str, topic: str, payload: bytes, message_id: str = "") -> str: ...


class SoundStream(Protocol):
    """The sound of a session from a moment on (peers/followed_session.py)."""

    @property
    def format(self) -> str: ...
    @property
    def beginning(self) -> Callable[[], float]: ...
    @property
    def pieces(self) -> AsyncIterator[bytes]: ...


class RemoteListening(Protocol):
    """Listening to another peer's session (peers/followed_session.py). Raises `ListenError` and `NetworkError`."""

    async def session_of(self, host: str) -> object: ...
    def is_over(self, host: str, group: str) -> bool: ...
    async def join(self, host: str, group: str) -> None: ...
    def leave(self) -> None: ...
    def sound(self) -> AbstractAsyncContextManager[SoundStream]: ...


class RosterView(Protocol):
    """The peers that are here (peers/discovery/roster.py)."""

    def peers(self) -> tuple[RosterEntry, ...]: ...
    def get(self, peer: str) -> RosterEntry | None: ...
    def subscribe(self, callback: Callable[[RosterChange], None]) -> Callable[[], None]: ...


class NetworkView(Protocol):
    """A network that is up (peers/network.py)."""

    @property
    def client(self) -> RemoteClient: ...
    @property
    def roster(self) -> RosterView: ...
    @property
    def broadcasts(self) -> Subscribers[Heard]: ...
    @property
    def app_messages(self) -> Subscribers[AppMessage]: ...
    @property
    def followed(self) -> RemoteListening: ...
    async def broadcast(self, content: str, timestamp_ms: int) -> int: ...
    def addresses(self) -> tuple[str, ...]: ...
    def reach(self) -> Reach: ...
    def connected(self) -> Mapping[str, Connected]: ...
    def measure_latencies(self) -> object: ...
    def watch(self, changed: Callable[[], object]) -> Callable[[], None]: ...
    async def connect(self, address: str) -> tuple[str, str]: ...
    def typed_in(self) -> list[tuple[str, str]]: ...
    def forget(self, peer: str) -> bool: ...


class RemoteNetwork:
    """Holds the network while the peer is on it, and what is remembered of it."""

    def __init__(self) -> None:
        self.network: NetworkView | None = None
        """None while the peer is not on the network."""
        self.problem = ""
        """Why the network could not be opened, a sentence; "" otherwise."""
        self._labels: OrderedDict[str, str] = OrderedDict()
        """Peer → what it called itself when it was last here, the most recent one last."""
        self._joined: list[Callable[[NetworkView], Callable[[], None]]] = []
        self._unsubscribe: list[Callable[[], None]] = []

    def label(self, peer: str) -> str:
        """Return what a peer calls itself, or did when it was last here; "" when that is not known. Untrusted text.

        What other peers say it is called counts only until the peer has said so itself.
        """
        # A label that equals the id is only the default, and says nothing.
        entry = self.network.roster.get(peer) if self.network is not None else None
        hinted = entry.label if entry is not None and entry.label != peer else ""
        return self._labels.get(peer, hinted)

    def _named(self, peer: RosterEntry) -> None:
        # Only what a peer has said over a connection that proves its id.
        if not peer.proved or peer.label == peer.id:
            return
        self._labels[peer.id] = peer.label
        self._labels.move_to_end(peer.id)
        # Strangers can announce peers without end.
        if len(self._labels) > LABELS_MAX:
            self._labels.popitem(last=False)

    def on_join(self, callback: Callable[[NetworkView], Callable[[], None]]) -> None:
        """Call `callback` each time the network opens; the function it returns is called when the network closes."""
        self._joined.append(callback)

    def attach(self, network: NetworkView) -> None:
        """Take the network, which has opened, and call what was given to `on_join`."""
        self.network = network
        self.problem = ""
        for peer in network.roster.peers():
            self._named(peer)
        named = network.roster.subscribe(lambda change: self._named(change.peer))
        self._unsubscribe = [named, *(callback(network) for callback in self._joined)]

    def fail(self, problem: str) -> None:
        """Note why the network could not be opened, a sentence for Home; `attach` forgets it."""
        self.problem = problem

    def detach(self) -> None:
        """Drop the network, which has closed, and end what `on_join` callbacks have begun."""
        self.network = None
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe = []
