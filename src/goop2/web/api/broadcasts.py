"""Broadcasts of other peers, as events for the owner's own pages and for the pages of the peer that sent them. They are not stored."""

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


def publish_broadcasts(remote: RemoteNetwork, events: Events, owners_pages: str) -> None:
    """Publish broadcasts as events while the network is up.

    :param owners_pages: audience of the owner's own pages.
    """

    def follow(network: NetworkView) -> Callable[[], None]:
        def publish(broadcast: Heard) -> None:
            message = MessageEvent(broadcast.sender, broadcast.content, BROADCAST, int(time.time() * _MILLISECONDS), 0)
            # A broadcast has no id: nothing is stored that a page could ask for later.
            for whom in (owners_pages, audience(broadcast.sender)):
                events.publish(CHAT, message, whom)

        return network.broadcasts.add(publish)

    remote.on_join(follow)
