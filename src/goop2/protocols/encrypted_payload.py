r"""Payload encryption: what one peer encrypts for another inside libp2p's own encryption, as every protocol writes it.

    a box     base64 of nonce (24 bytes) + NaCl box (X25519, XSalsa20-Poly1305; 16 bytes longer than its content)
    a line    ENC:<box>\n                             data, both ways; site's request
    mq        {"enc": "<box>"} in place of the payload
    listen    <size of the box, 4 bytes, big-endian><box>, again and again

A box is decrypted whole or not at all, and what cannot be decrypted is never taken for plain. No I/O; it must not know peers.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Iterator
from typing import Final

from nacl.exceptions import CryptoError
from nacl.public import Box as NaClBox
from nacl.public import PrivateKey, PublicKey

from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.untrusted_json import InvalidJsonError, decode

KEY_BYTES: Final = 32
OVERHEAD_BYTES: Final = 24 + 16
"""Nonce and authenticator."""
PREFIX: Final = b"ENC:"
FRAME_CONTENT_MAX_BYTES: Final = 256 * 1024
"""Of sound; ours are a second's."""
_SIZE: Final = struct.Struct(">I")


class DecryptionError(RemoteProtocolError):
    """The box is from somebody else, for somebody else, or was changed."""


class EncryptionRefusedError(RemoteProtocolError):
    """The other side says that it cannot decrypt our message; it has done nothing."""


class PayloadBox:
    """Encrypts and decrypts what two peers send each other. It is symmetric: both sides make the same."""

    def __init__(self, private: bytes, public: bytes) -> None:
        """Take both keys, 32 bytes each. Raises ValueError for an invalid key."""
        try:
            self._box = NaClBox(PrivateKey(private), PublicKey(public))
        except (CryptoError, TypeError, RuntimeError) as error:  # a point that gives everybody the same secret is none
            raise ValueError("this is no X25519 key") from error

    def seal(self, content: bytes) -> bytes:
        """Return the content encrypted, as base64."""
        return binascii.b2a_base64(self._box.encrypt(content), newline=False)

    def open(self, text: bytes) -> bytes:
        """Return the content of a box. Raises `DecryptionError`."""
        try:
            return self.open_raw(binascii.a2b_base64(text, strict_mode=True))
        except binascii.Error:
            raise DecryptionError(f"an encrypted text is not base64 ({len(text)} bytes)") from None

    def open_raw(self, box: bytes) -> bytes:
        """Return the content of nonce and box. Raises `DecryptionError`."""
        try:
            return self._box.decrypt(box)
        except (CryptoError, ValueError):
            raise DecryptionError(f"a box of {len(box)} bytes cannot be decrypted with the keys of the two peers") from None


def public_key(text: str) -> bytes | None:
    """Return the key that a peer sends in base64; None for an invalid one."""
    try:
        key = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None


def size_of(content_bytes: int) -> int:
    """Return the size of a box with so many bytes of content."""
    return 4 * ((content_bytes + OVERHEAD_BYTES + 2) // 3)


def line_size_of(content_bytes: int) -> int:
    """Return the size of an encrypted line with so many bytes of content, without its newline."""
    return len(PREFIX) + size_of(content_bytes)


def line(box: PayloadBox | None, plain: bytes) -> bytes:
    """Return a line with its newline, encrypted when there is a box."""
    return plain if box is None else PREFIX + box.seal(plain.removesuffix(b"\n")) + b"\n"


def text_of_line(content: bytes) -> bytes | None:
    """Return the box in a line without its newline; None when it is plain."""
    return content.removeprefix(PREFIX).strip() if content.startswith(PREFIX) else None


def payload(box: PayloadBox | None, plain: bytes) -> bytes:
    """Return a message's payload, encrypted when there is a box."""
    return plain if box is None else b'{"enc":"' + box.seal(plain) + b'"}'


def text_of_payload(content: bytes) -> bytes | None:
    """Return the box in a payload; None when it is plain."""
    if b'"enc"' not in content:
        return None
    try:
        fields = decode(content, dict[str, str])
    except InvalidJsonError:
        return None
    return fields["enc"].encode() if list(fields) == ["enc"] else None


def frame(box: PayloadBox, content: bytes) -> bytes:
    """Return an encrypted piece of a stream, with its length."""
    text = box.seal(content)
    return _SIZE.pack(len(text)) + text


class EncryptedFrameReader:
    """Reads the frames of one stream."""

    def __init__(self, box: PayloadBox) -> None:
        self._box = box
        self._buffer = bytearray()

    def receive(self, data: bytes) -> Iterator[bytes]:
        """Return the content of every frame that these bytes complete. Raises `RemoteProtocolError`."""
        self._buffer += data
        while len(self._buffer) >= _SIZE.size:
            (size,) = _SIZE.unpack_from(self._buffer)
            if size > size_of(FRAME_CONTENT_MAX_BYTES):
                raise RemoteProtocolError(f"a frame is {size} bytes; the most is {size_of(FRAME_CONTENT_MAX_BYTES)}")
            end = _SIZE.size + size
            if len(self._buffer) < end:
                return
            text = bytes(self._buffer[_SIZE.size : end])
            del self._buffer[:end]
            yield self._box.open(text)

    def end(self) -> None:
        """Note that the other side sends no more. Raises `RemoteProtocolError` in the middle of a frame."""
        if self._buffer:
            raise RemoteProtocolError(f"the stream ended {len(self._buffer)} bytes into a frame")
