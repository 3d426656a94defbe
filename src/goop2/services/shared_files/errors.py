"""Why something cannot be done with shared files. Each carries the `code` that pages and commands get."""

from __future__ import annotations

from goop2.net.faults import NetworkError


class UnknownFilesGroupError(NetworkError):
    """The group is not hosted here, or not joined, or shares no files."""

    code = "not_found"


class FolderTakenError(NetworkError):
    """The folder of the group's id belongs to another group."""

    code = "forbidden"


class TransferFailedError(NetworkError):
    """A file did not come, or is another one than was listed."""

    code = "unavailable"


class TooManyTransfersError(NetworkError):
    """As many files come as may come at a time."""

    code = "rate_limited"


class FilesRefusedError(NetworkError):
    """The other peer gives no file, and says why. An immediate retry is of no use."""

    code = "forbidden"
