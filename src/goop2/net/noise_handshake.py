"""libp2p's handshake over Noise (specs/noise): each side signs its static key, and so proves who it is. Without I/O.

A message is its size (2 bytes, big-endian) and its content. The payloads of the second and third are protobufs:

    1 identity key   libp2p's key message; Ed25519 only
    2 signature      of "noise-libp2p-static-key:" and the static key, by the identity key
    4 extensions     of other implementations; ignored
"""

from __future__ import annotations

from typing import Final

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from goop2.folder.identity import Identity
from goop2.net.noise import KEY_BYTES, Handshake, KeyPair, key_pair
from goop2.net.packets import LENGTH_BYTES, Packets
from goop2.protocols import peer_ids
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.protobuf import CONTENT, content, parse

PROTOCOL: Final = "/noise"
SIGNED_PREFIX: Final = b"noise-libp2p-static-key:"
MESSAGE_MAX_BYTES: Final = 8 * 1024
"""Of the handshake: keys and signatures have a few hundred bytes, an RSA key and certificates' hashes among the extensions a thousand."""
SIGNATURE_BYTES: Final = 64


class SimultaneousOpenError(RemoteProtocolError):
    """Both sides dialled at the same moment from their listening ports, so that each acts as the initiator."""


class HandshakeKeys:
    """The keys that a host's handshakes share: its static key, and its own payload, which is signed once."""

    def __init__(self, identity: Identity) -> None:
        signing = SigningKey(identity.seed)
        self.static: KeyPair = key_pair()
        self.peer = identity.peer_id
        signature = signing.sign(SIGNED_PREFIX + self.static.public).signature
        self.payload = content(1, peer_ids.key_message(bytes(signing.verify_key))) + content(2, signature)


class SecureHandshake:
    """The handshake of one connection: give received bytes to `receive`, and send what it and `begin` return."""

    def __init__(self, keys: HandshakeKeys, *, is_initiator: bool, expected: str = "") -> None:
        self._keys = keys
        self._noise = Handshake(is_initiator=is_initiator, static=keys.static)
        self._is_initiator = is_initiator
        self._expected = expected
        self._buffer = b""
        self.peer = ""
        """The proved id of the other side, once it is."""

    @property
    def is_done(self) -> bool:
        """Return whether both sides have proved who they are."""
        return self._noise.is_done

    def begin(self) -> bytes:
        """Return the first bytes to send; none on the side that was dialled."""
        return _framed(self._noise.write()) if self._is_initiator else b""

    def receive(self, data: bytes) -> bytes:
        """Take received bytes and return the bytes to send. Bytes after the handshake are kept for `packets`.

        Raises `RemoteProtocolError`, `OtherPeerError` among them, and then nothing more is to be sent.
        """
        self._buffer += data
        answer = b""
        while not self.is_done and len(self._buffer) >= LENGTH_BYTES:
            size = self._buffer[0] << 8 | self._buffer[1]
            if size > MESSAGE_MAX_BYTES:
                raise RemoteProtocolError(f"a message of the handshake has {size} bytes; the most is {MESSAGE_MAX_BYTES}")
            if len(self._buffer) < LENGTH_BYTES + size:
                break
            message, self._buffer = self._buffer[LENGTH_BYTES : LENGTH_BYTES + size], self._buffer[LENGTH_BYTES + size :]
            answer += self._take(message)
        return answer

    def packets(self) -> Packets:
        """Return the encryption of the connection, once the handshake is done; it has the bytes that came after it."""
        sends, receives = self._noise.split()
        rest, self._buffer = self._buffer, b""
        return Packets(sends, receives, rest)

    def _take(self, message: bytes) -> bytes:
        if self._is_initiator and len(message) == KEY_BYTES:
            raise SimultaneousOpenError("both sides dialled at the same moment")
        payload = self._noise.read(message)
        if self._noise.remote_static:
            self.peer = _proved(payload, self._noise.remote_static)
            self._check_peer()
        if not self._noise.writes_next:
            return b""
        return _framed(self._noise.write(self._keys.payload))

    def _check_peer(self) -> None:
        # Only a copy of the peer's key can prove its own id, and rows of the owner's would be its.
        if self.peer == self._keys.peer:
            raise RemoteProtocolError("the other side has this peer's own key")
        if self._expected and self.peer != self._expected:
            raise OtherPeerError(self.peer)


class OtherPeerError(RemoteProtocolError):
    """Another peer than the dialled one is there, and has proved its id."""

    def __init__(self, other: str) -> None:
        super().__init__(f"another peer is there, {other}")
        self.other = other


def _proved(payload: bytes, static: bytes) -> str:
    """Return the peer whose payload this is. Raises `RemoteProtocolError` when it does not prove that."""
    fields = parse("the payload of a handshake", payload, {1: CONTENT, 2: CONTENT}, most=4)
    key, signature = peer_ids.read_key_message(fields.content(1)), fields.content(2)
    try:
        VerifyKey(key).verify(SIGNED_PREFIX + static, signature)
    except (BadSignatureError, ValueError, TypeError):
        raise RemoteProtocolError("the signature in a handshake is not of its key") from None
    return peer_ids.peer_of(key)


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(LENGTH_BYTES) + message
