"""What other peers say to everybody: to the owner's own pages, and to the pages of the peer that said it. Nobody keeps it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from goop2.services.chat.service import Heard
from goop2.web.api.chat import CHAT, MessageEvent
from goop2.web.http.event_log import Events
from goop2.web.remote.network import NetworkView, RemoteNetwork
from goop2.web.remote.sites import audience

BROADCAST: Final = "broadcast"
_MILLISECONDS: Final = 1000


def tell(abroad: RemoteNetwork, events: Events, owners_pages: str) -> None:
    """Tell pages, whenever the network is up."""

    def follow(network: NetworkView) -> Callable[[], None]:
        def heard(said: Heard) -> None:
            message = MessageEvent(said.sender, said.content, BROADCAST, int(time.time() * _MILLISECONDS), 0)
            for whom in (owners_pages, audience(said.sender)):
                events.publish(CHAT, message, whom)

        return network.broadcasts.add(heard)

    abroad.on_join(follow)
