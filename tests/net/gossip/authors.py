"""Messages for the tests of this folder."""

from __future__ import annotations

import secrets

from nacl.signing import SigningKey

from goop2.net.gossip.messages import GossipMessage, sign
from goop2.protocols import peer_ids

TOPIC = "test.topic"


class Author:
    """Somebody who says things, each with a number of its own."""

    def __init__(self) -> None:
        self.seed = secrets.token_bytes(32)
        self.id = peer_ids.to_bytes(peer_ids.peer_of(bytes(SigningKey(self.seed).verify_key)))
        self._number = 0

    def says(self, data: bytes, topic: str = TOPIC) -> GossipMessage:
        self._number += 1
        return sign(self.seed, data, self._number, topic)
