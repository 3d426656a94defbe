"""The errors of groups. Each carries the `code` that pages and commands get."""

from __future__ import annotations

from goop2.net.faults import NetworkError


class TooManyGroupsError(NetworkError):
    """The limit of open groups is reached; the message says how many."""

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
    """The requested group is not possible."""

    code = "bad_request"
