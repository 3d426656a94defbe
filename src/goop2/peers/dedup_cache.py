"""Drop repeated messages: a sender that got no acknowledgement sends the same message again."""

from __future__ import annotations

from collections import OrderedDict

import structlog

from goop2.net.limits import SEEN_MESSAGES


class DedupCache:
    """The sender and id of messages that came. A retry keeps its id. Beyond `size` entries the oldest is forgotten.

    The first repeat of a message is logged with both ids: a sender that gives two messages one id loses the second, and can find out.
    """

    def __init__(self, size: int = SEEN_MESSAGES) -> None:
        self._size = size
        self._ids: OrderedDict[tuple[str, str], bool] = OrderedDict()
        """Sender and id → whether a repeat was logged."""
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")

    def first_time(self, sender: str, id_: str) -> bool:
        """Return whether it is new, and remember it."""
        logged = self._ids.get((sender, id_))
        new = logged is None
        if logged is False:
            self._log.info("a repeated message is dropped", peer=sender, id=repr(id_))
        self._ids[sender, id_] = not new
        if len(self._ids) > self._size:
            self._ids.popitem(last=False)
        return new

    def forget(self, sender: str, id_: str) -> None:
        """Treat the message as new again: it was not saved, so its retry must be."""
        self._ids.pop((sender, id_), None)
