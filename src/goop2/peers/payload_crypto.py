"""Which key is whose, and what is sealed with it: payload encryption between this peer and others. Pure: the clock is passed in.

    to seal     only with a key the peer has told us itself: in a presence it signed, or in an answer on its own connection
    to open     with that, or with one a rendezvous told of: the connection has proved who sends, so a lie can only fail to open
    a failure   what does not open is refused, never taken for plain. A peer that refuses ours, or fails to answer what is sealed
                FAILURES_BEFORE_ASIDE times in a row, is written to plain for ASIDE_SECONDS, or until it tells another key or what it
                seals opens: a wrong key stops nobody for longer than that

Plain is still inside libp2p's own encryption, which ends at the peer whose id was dialled: only that peer can refuse, and whoever drops its
answers, so that it seems silent, still reads nothing.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from goop2.net.limits import FORGETTING_AT_KEYS
from goop2.protocols import encrypted_payload
from goop2.protocols.encrypted_payload import DecryptionError, EncryptedFrameReader, PayloadBox
from goop2.protocols.errors import RemoteProtocolError

ASIDE_SECONDS: Final = 600.0
FAILURES_BEFORE_ASIDE: Final = 3


class _Key:
    def __init__(self, text: str, box: PayloadBox) -> None:
        self.text = text
        self.box = box
        self.supported = False
        self.failures = 0
        self.aside_until = 0.0


class KeyRing:
    """The boxes of this peer. Without a private key it seals and opens nothing."""

    def __init__(self, private_key: bytes = b"", public_key: str = "", clock: Callable[[], float] = lambda: 0.0) -> None:
        self.public_key = public_key
        """As presence tells it; "" when this peer has none."""
        self.hint: Callable[[str], str] = lambda _peer: ""
        """A peer's key as somebody who proves nothing tells it."""
        self.unknown: Callable[[str], object] = lambda _peer: None
        """Called with a peer whose key is not known, or turned out to be another: it should be asked."""
        self._private = private_key
        self._clock = clock
        self._keys: OrderedDict[str, _Key] = OrderedDict()

    def learn(self, peer: str, public_key: str, *, supported: bool) -> None:
        """What a peer has said of itself. A key that is none is as good as none."""
        if not self._private or not public_key:
            return
        known = self._keys.get(peer)
        if known is None or known.text != public_key:
            box = self._box(public_key)
            if box is None:
                return
            known = self._keys[peer] = _Key(public_key, box)
        known.supported = supported
        self._keys.move_to_end(peer)
        if len(self._keys) > FORGETTING_AT_KEYS:
            self._keys.popitem(last=False)

    def box(self, peer: str) -> PayloadBox | None:
        """To seal for a peer; None when it gets it plain."""
        known = self._keys.get(peer)
        if known is None:
            if self._private:
                self.unknown(peer)
            return None
        return known.box if known.supported and self._clock() >= known.aside_until else None

    def open(self, peer: str, text: bytes) -> tuple[bytes, PayloadBox]:
        """Return what a peer has sealed, and the box for the answer. Raises `DecryptionError`."""
        if not self._private:
            raise DecryptionError("this peer has no key and opens nothing sealed")
        known = self._keys.get(peer)
        for box in (known.box if known is not None else None, self._box(self.hint(peer))):
            if box is not None:
                with contextlib.suppress(DecryptionError):
                    content = box.open(text)
                    if known is not None and box is known.box:
                        known.failures, known.aside_until = 0, 0.0
                    return content, box
        self.unknown(peer)
        raise DecryptionError("what is sealed does not open with the key this peer knows of the sender")

    def line(self, peer: str, content: bytes, what: str, max_bytes: int) -> tuple[bytes, PayloadBox | None]:
        """A line as it was before it was sealed, if it was. Raises `DecryptionError`, and `RemoteProtocolError` when it is too long."""
        text = encrypted_payload.text_of_line(content)
        plain, box = (content, None) if text is None else self.open(peer, text)
        if len(plain) > max_bytes:
            raise RemoteProtocolError(f"{what} is longer than {max_bytes} bytes")
        return plain, box

    def payload(self, peer: str, content: bytes, max_bytes: int, *, free: bool = False) -> bytes:
        """The same of a message's payload. `free`: its form is its writer's own, who may have meant {"enc": …} just so if it has no key."""
        text = encrypted_payload.text_of_payload(content)
        if free and not (self._private and (peer in self._keys or self.hint(peer))):
            text = None
        plain = content if text is None else self.open(peer, text)[0]
        if len(plain) > max_bytes:
            raise RemoteProtocolError(f"the payload is longer than {max_bytes} bytes")
        return plain

    def frames(self, peer: str) -> EncryptedFrameReader:
        """For a stream a peer seals. Raises `DecryptionError` when its key is not known."""
        known = self._keys.get(peer)
        box = known.box if known is not None else self._box(self.hint(peer)) if self._private else None
        if box is None:
            raise DecryptionError("it is sealed, and the key of the sender is not known")
        return EncryptedFrameReader(box)

    def refused(self, peer: str) -> None:
        """The peer cannot open what we seal."""
        known = self._keys.get(peer)
        if known is not None:
            known.failures, known.aside_until = 0, self._clock() + ASIDE_SECONDS
            self.unknown(peer)

    def failed(self, peer: str) -> None:
        """Something sealed was not answered, for whatever reason."""
        known = self._keys.get(peer)
        if known is not None:
            known.failures += 1
            if known.failures >= FAILURES_BEFORE_ASIDE:
                self.refused(peer)

    def answered(self, peer: str) -> None:
        """Something sealed was answered as it should be."""
        known = self._keys.get(peer)
        if known is not None:
            known.failures = 0

    def _box(self, public_key: str) -> PayloadBox | None:
        key = encrypted_payload.public_key(public_key)
        try:
            return None if key is None else PayloadBox(self._private, key)
        except ValueError:
            return None
