"""Collect the body of an answer piece by piece, decompressed, within its size limit. No I/O.

Only gzip is requested, and zlib is told how much it may return: a decompression bomb is cut at the first byte too many, whatever its size.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

from goop2.services.http_client.errors import OutboundError, shown, too_large
from goop2.services.http_client.limits import BODY_MAX_BYTES, BODY_PIECES_MAX

_GZIP_WINDOW = zlib.MAX_WBITS | 16
GZIP_NAMES: Final = ("gzip", "x-gzip")


class ResponseBody:
    """Collects a body: `feed` it pieces, then `finish`. Both raise `OutboundError`."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._pieces = 0

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the message."""
        self._count()
        self._decode(piece)

    def finish(self) -> bytes:
        """Return the whole content of the response."""
        return bytes(self._content)

    def _decode(self, piece: bytes) -> None:
        self._keep(piece)

    def _count(self) -> None:
        self._pieces += 1
        if self._pieces > BODY_PIECES_MAX:
            raise OutboundError(f"response comes in more than {BODY_PIECES_MAX} pieces")

    def _keep(self, content: bytes) -> None:
        if len(self._content) + len(content) > BODY_MAX_BYTES:
            raise too_large()
        self._content += content


class GzipBody(ResponseBody):
    """A body of one or several gzip members."""

    def __init__(self) -> None:
        super().__init__()
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        self._begun = False

    def finish(self) -> bytes:
        """Return the whole content; a truncated body is an error. An empty body stays empty."""
        if self._begun and not self._member.eof:
            raise OutboundError("response is cut short")
        return super().finish()

    def _decode(self, piece: bytes) -> None:
        while piece:
            if self._member.eof:
                self._count()
                self._member = zlib.decompressobj(_GZIP_WINDOW)
            self._begun = True
            try:
                self._keep(self._member.decompress(piece, BODY_MAX_BYTES - len(self._content) + 1))
            except zlib.error:
                raise OutboundError("response is no valid gzip") from None
            piece = self._member.unused_data


def body_for(headers: Mapping[str, str]) -> ResponseBody:
    """Return the collector for the body of an answer with these headers. Raises `OutboundError`."""
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > BODY_MAX_BYTES:
        raise too_large()
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in GZIP_NAMES:
        return GzipBody()
    if encoding in ("", "identity"):
        return ResponseBody()
    raise OutboundError(f"response is encoded as {shown(encoding)}, which was not asked for")
