"""Noise's transport messages without a connection: encrypted bytes in, plain bytes out, and back (the Noise specification, 13).

A message is its length (2 bytes, big-endian) and that many encrypted bytes, including the tag.
"""

from __future__ import annotations

from typing import Final

from goop2.net.noise import Cipher
from goop2.net.sodium import TAG_BYTES
from goop2.protocols.errors import RemoteProtocolError

LENGTH_BYTES: Final = 2
PLAIN_MAX_BYTES: Final = 65535 - TAG_BYTES


class Packets:
    """The packets of one connection, both ways. `early`: bytes that came after the handshake, read first."""

    def __init__(self, sends: Cipher, receives: Cipher, early: bytes = b"") -> None:
        self._encrypt = sends.encrypt
        self._decrypt = receives.decrypt
        self._rest = early

    def receive(self, data: bytes) -> list[bytes]:
        """Return the content of each whole message. Raises for one that the other side did not encrypt, and for an empty one."""
        buffer = self._rest + data if self._rest else data
        at, contents = 0, []
        while len(buffer) - at >= LENGTH_BYTES:
            begin = at + LENGTH_BYTES
            end = begin + (buffer[at] << 8 | buffer[at + 1])
            if end > len(buffer):
                break
            content = self._decrypt(buffer[begin:end])
            if not content:
                raise RemoteProtocolError("a message with nothing in it")
            contents.append(content)
            at = end
        self._rest = buffer[at:]
        return contents

    def send(self, data: bytes) -> bytes:
        """Return `data` as it goes over the wire."""
        if len(data) <= PLAIN_MAX_BYTES:
            return self._message(data)
        return b"".join([self._message(data[at : at + PLAIN_MAX_BYTES]) for at in range(0, len(data), PLAIN_MAX_BYTES)])

    def _message(self, data: bytes) -> bytes:
        encrypted = self._encrypt(data)
        return len(encrypted).to_bytes(LENGTH_BYTES, "big") + encrypted
