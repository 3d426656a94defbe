"""Why something about a group cannot be done. Each carries the `code` that pages and commands get."""

from __future__ import annotations

from goop2.net.faults import NetworkError


class TooManyGroupsError(NetworkError):
    """As many groups as there may be are open; the message says how many."""

    code = "bad_request"


class UnknownGroupError(NetworkError):
    """The group is not hosted here, or not joined."""

    code = "not_found"


class UnknownMemberError(NetworkError):
    """The peer is no member of the group."""

    code = "not_found"


class InvalidGroupMessageError(NetworkError):
    """A message to a group is too large."""

    code = "bad_request"


class JoinRefusedError(NetworkError):
    """The host of the group says no."""

    code = "forbidden"


class GroupFullError(NetworkError):
    """The group has as many members as it may have."""

    code = "bad_request"


class InvalidGroupError(NetworkError):
    """What was asked for can be no group."""

    code = "bad_request"
