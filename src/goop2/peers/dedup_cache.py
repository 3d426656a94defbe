"""Drop repeated messages: a sender that got no acknowledgement sends the same message again."""

from __future__ import annotations

from collections import OrderedDict

from goop2.net.limits import SEEN_MESSAGES


class DedupCache:
    """The sender and id of recent messages; a retry has the same id. Beyond `size` entries the oldest is forgotten."""

    def __init__(self, size: int = SEEN_MESSAGES) -> None:
        self._size = size
        self._ids: OrderedDict[tuple[str, str], None] = OrderedDict()

    def first_time(self, sender: str, id_: str) -> bool:
        """Return whether it is new, and remember it."""
        new = (sender, id_) not in self._ids
        self._ids[sender, id_] = None
        if len(self._ids) > self._size:
            self._ids.popitem(last=False)
        return new

    def forget(self, sender: str, id_: str) -> None:
        """Treat the message as new again: it was not saved, so its retry must be."""
        self._ids.pop((sender, id_), None)
