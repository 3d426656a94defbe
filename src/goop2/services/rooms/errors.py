"""Why something cannot be done in a chat room. Each carries the `code` that pages get."""

from __future__ import annotations

from goop2.net.faults import NetworkError


class UnknownRoomError(NetworkError):
    """The room is not hosted here, or not joined."""

    code = "not_found"


class InvalidRoomMessageError(NetworkError):
    """A message to a room is empty or too long."""

    code = "bad_request"


class RoomFloodError(NetworkError):
    """A member says more in a minute than one may."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
