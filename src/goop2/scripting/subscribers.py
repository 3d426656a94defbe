"""Subscribers: callbacks for one kind of event.

A subscriber that fails must not harm whoever notifies it, nor the other subscribers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

Event = TypeVar("Event")

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.scripting")


class Subscribers(Generic[Event]):
    """Callbacks in the order they came. False without any, so that an event need not be made."""

    def __init__(self) -> None:
        self._callbacks: dict[object, Callable[[Event], None]] = {}

    def __bool__(self) -> bool:
        return bool(self._callbacks)

    def add(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` with every event from now on; return the function that unsubscribes."""
        key = object()
        self._callbacks[key] = callback

        def unsubscribe() -> None:
            self._callbacks.pop(key, None)

        return unsubscribe

    def notify(self, event: Event) -> None:
        """Call everybody; a callback's error goes to the log."""
        for callback in tuple(self._callbacks.values()):
            try:
                callback(event)
            except Exception:
                _log.exception("a subscriber failed", subscriber=repr(callback))
