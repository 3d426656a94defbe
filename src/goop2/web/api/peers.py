"""The peers that are here, as a list and as events for the owner's own pages. Labels are other people's text.

Visitors get nothing: whom the owner knows is private. A page of a visited site gets its host, and the members of its host's groups that
the viewer is in: these know each other already.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.services.groups.service import GroupService
from goop2.web.api.avatars import met_at
from goop2.web.http.event_log import Events
from goop2.web.http.handlers import as_sent, endpoint, no_body
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.remote.network import NetworkView, RemoteNetwork

if TYPE_CHECKING:
    from goop2.peers.discovery.roster import RosterChange, RosterEntry

KIND: Final = "peer"


class PeerView(msgspec.Struct, frozen=True):
    """A peer that is here, or just was."""

    id: str
    label: str
    online: bool


class ListedPeer(PeerView, frozen=True, kw_only=True):
    """The same in a list, with what pages of Goop2 read."""

    ID: str
    Content: str
    """Its label."""
    Email: str = ""
    AvatarHash: str = ""
    VideoDisabled: bool = False
    ActiveTemplate: str = ""
    PublicKey: str = ""
    Verified: bool = False
    Reachable: bool
    Offline: bool
    LastSeen: str
    """RFC 3339; "" when it is not known."""
    Favorite: bool = False


def _listed(peer_id: str, label: str, here: RosterEntry | None, *, of_owner: bool, favorite: bool = False) -> ListedPeer:
    """Return a peer as lists have it; an e-mail address and what follows from it for the owner's own pages alone."""
    online = here is not None
    known = here if of_owner else None
    return ListedPeer(
        peer_id,
        label,
        online,
        ID=peer_id,
        Content=label,
        Email=(known.told_email or known.email) if known else "",
        AvatarHash=here.avatar_hash if here and here.proved else "",
        ActiveTemplate=known.active_template if known else "",
        PublicKey=known.public_key if known else "",
        Reachable=online,
        Offline=not online,
        LastSeen=datetime.now(UTC).isoformat(timespec="seconds") if online else "",
        Favorite=favorite,
    )


class Peers:
    """Endpoints and events about the peers that are here."""

    def __init__(self, remote: RemoteNetwork, grouping: GroupService, events: Events, owners_pages: str) -> None:
        self._remote = remote
        self._grouping = grouping
        self._events = events
        self._owners_pages = owners_pages
        self.api: dict[str, Handler] = {"peers": endpoint(self._list, as_sent, read=no_body)}
        """Path after `/api/` on the own site's origins → handler."""
        self.api_of_visits: dict[str, Handler] = {"peers": endpoint(self._list_of_visit, as_sent, read=no_body)}
        """The same on the origin of another peer's site."""
        remote.on_join(self._follow)

    async def _list(self, call: RequestContext, _body: bytes) -> bytes | Failure:
        if not call.caller.owner:
            return Failure(ErrorCode.FORBIDDEN, "only the owner's own pages get the list of peers")
        network = self._remote.network
        here = {peer.id: peer for peer in network.roster.peers()} if network is not None else {}
        favorites = self._grouping.favorites - {self._grouping.groups.own_id}
        return msgspec.json.encode(
            [
                _listed(one, here[one].label if one in here else self._label(one), here.get(one), of_owner=True, favorite=one in favorites)
                for one in sorted(here.keys() | favorites)
            ]
        )

    def _label(self, peer: str) -> str:
        return self._remote.label(peer) or self._grouping.host_name(peer) or peer

    async def _list_of_visit(self, call: RequestContext, _body: bytes) -> bytes:
        host = call.origin.peer_id
        # Whoever else is here stays private, even if it is a neighbour of the host.
        met = met_at(self._grouping, host) - {self._grouping.groups.own_id}
        network = self._remote.network
        here = {peer.id: peer for peer in network.roster.peers()} if network is not None else {}
        return msgspec.json.encode([_listed(one, self._remote.label(one) or one, here.get(one), of_owner=False) for one in sorted(met)])

    def _follow(self, network: NetworkView) -> Callable[[], None]:
        def changed(change: RosterChange) -> None:
            peer = change.peer
            self._events.publish(KIND, PeerView(peer.id, peer.label, online=change.what != "offline"), self._owners_pages)

        return network.roster.subscribe(changed)
