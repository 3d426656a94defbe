"""Payload encryption: which key belongs to which peer, and what is encrypted with it. Pure: the clock is passed in.

    to encrypt  only a key that the peer has sent us itself: in a signed presence, or in an answer on its own connection
    to decrypt  that key, or a hint, a key that a rendezvous server named or another program left in the folder: the connection has proved
                the sender, so a false hint can only fail to decrypt
    a failure   what cannot be decrypted is refused, never taken for plain. A peer that refuses what we encrypt, or does not answer it
                FAILURES_BEFORE_ASIDE times in a row, gets plain text for ASIDE_SECONDS, or until it sends another key or something that
                decrypts: so a wrong key blocks nobody for longer

Plain text is still inside libp2p's own encryption, which ends at the dialled peer. Only that peer can refuse. An attacker who drops its
answers, so that it seems silent, still reads nothing.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

from goop2.net.limits import FORGETTING_AT_KEYS
from goop2.protocols import encrypted_payload
from goop2.protocols.encrypted_payload import DecryptionError, EncryptedFrameReader, PayloadBox
from goop2.protocols.errors import RemoteProtocolError
from goop2.scripting.subscribers import Subscribers

ASIDE_SECONDS: Final = 600.0
"""A peer that cannot decrypt is asked for its key at once; ten minutes later encryption is tried again whatever it said."""
FAILURES_BEFORE_ASIDE: Final = 3
"""One or two answers are lost on a bad line, too."""


class _Key:
    """A peer's key, and how well it has worked. `supported`: the peer wants our messages encrypted."""

    def __init__(self, text: str, box: PayloadBox, *, supported: bool) -> None:
        self.text = text
        self.box = box
        self.supported = supported
        self.failures = 0
        self.aside_until = 0.0


class KeyRing:
    """The keys of other peers, as boxes with this peer's own key. Without a private key it encrypts and decrypts nothing.

    `private_key`: 32 bytes. `public_key`: base64, as presence tells it. `hint`: gives the key of a peer (base64) as somebody named it who
    proves nothing, "" when nobody did. `learned`: called with a peer and its key whenever a peer tells a key that is new.
    """

    def __init__(
        self,
        private_key: bytes = b"",
        public_key: str = "",
        clock: Callable[[], float] = lambda: 0.0,
        hint: Callable[[str], str] = lambda _peer: "",
        learned: Callable[[str, str], object] = lambda _peer, _key: None,
    ) -> None:
        self.public_key = public_key
        self._private = private_key
        self._clock = clock
        self._hint = hint
        self._learned = learned
        self._keys: OrderedDict[str, _Key] = OrderedDict()
        self._unknown: Subscribers[str] = Subscribers()
        self._folder_hints: dict[str, str] = {}
        self._unreadable: OrderedDict[str, None] = OrderedDict()
        """Peers that encrypt for us with a key nobody has told us."""

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Call `callback` with each peer whose key is missing or wrong, so that it can be asked; return the function that unsubscribes."""
        return self._unknown.add(callback)

    def knows(self, peer: str) -> bool:
        """Return whether the peer itself has sent its key."""
        return peer in self._keys

    def reads(self, peer: str) -> bool:
        """Return whether what the peer encrypts for us can be read, as far as we know by now."""
        return peer not in self._unreadable

    def is_aside(self, peer: str) -> bool:
        """Return whether the peer gets plain text because it could not read what we encrypt."""
        known = self._keys.get(peer)
        return known is not None and self._clock() < known.aside_until

    def want(self, peer: str) -> None:
        """Ask for a peer's key, because it is missing or wrong."""
        if self._private:
            self._unknown.notify(peer)

    def learn(self, peer: str, public_key: str, *, supported: bool) -> bool:
        """Take what a peer has announced; return whether its key is new. An invalid key is ignored."""
        if not self._private or not public_key:
            return False
        known = self._keys.get(peer)
        is_new = known is None or known.text != public_key
        # Only what it wants may have changed. How well the key has worked stays known.
        if known is not None and not is_new:
            known.supported = supported
        elif (box := self._box(public_key)) is not None:
            self._keys[peer] = _Key(public_key, box, supported=supported)
        else:
            return False
        self._unreadable.pop(peer, None)
        self._keys.move_to_end(peer)
        if len(self._keys) > FORGETTING_AT_KEYS:
            self._keys.popitem(last=False)
        # Kept for the next start; a key that is not to be used need not be.
        if is_new and supported:
            self._learned(peer, public_key)
        return is_new

    def box(self, peer: str) -> PayloadBox | None:
        """Return the box to encrypt for a peer; None when it gets plain text."""
        known = self._keys.get(peer)
        if known is None:
            self.want(peer)
            return None
        return known.box if known.supported and self._clock() >= known.aside_until else None

    def open(self, peer: str, text: bytes) -> tuple[bytes, PayloadBox]:
        """Decrypt `text`, base64, from a peer; return the content and the box for the answer. Raises `DecryptionError`."""
        if not self._private:
            raise DecryptionError("this peer has no key and can decrypt nothing")
        known = self._keys.get(peer)
        # The key that the peer itself has told first; a hint may help where it has another since.
        for box in (known.box if known is not None else None, *self._hinted(peer)):
            if box is not None:
                with contextlib.suppress(DecryptionError):
                    content = box.open(text)
                    if known is not None and box is known.box:
                        known.failures, known.aside_until = 0, 0.0
                    self._unreadable.pop(peer, None)
                    return content, box
        if known is None:
            self._unreadable[peer] = None
            if len(self._unreadable) > FORGETTING_AT_KEYS:
                self._unreadable.popitem(last=False)
        self.want(peer)
        raise DecryptionError("it cannot be decrypted with the key this peer knows of the sender")

    def line(self, peer: str, content: bytes, what: str, max_bytes: int) -> tuple[bytes, PayloadBox | None]:
        """Return the plain text of a line from a peer, and the box for the answer, None when the line came plain.

        `what` names the line in messages, `max_bytes` bounds the plain text. Raises `DecryptionError`, and `RemoteProtocolError` when it is
        too long.
        """
        text = encrypted_payload.text_of_line(content)
        plain, box = (content, None) if text is None else self.open(peer, text)
        if len(plain) > max_bytes:
            raise RemoteProtocolError(f"{what} is longer than {max_bytes} bytes")
        return plain, box

    def payload(self, peer: str, content: bytes, max_bytes: int, *, free: bool = False) -> bytes:
        """Return the plain payload of a message from a peer; errors as `line`.

        `free`: its form is its writer's own; a writer without a key may mean the object {"enc": …} as it stands.
        """
        text = encrypted_payload.text_of_payload(content)
        # Without a key of it there is nothing to decrypt with, so the object can only be what it means to say.
        if free and not (self._private and (peer in self._keys or any(self._hinted(peer)))):
            text = None
        plain = content if text is None else self.open(peer, text)[0]
        if len(plain) > max_bytes:
            raise RemoteProtocolError(f"the payload is longer than {max_bytes} bytes")
        return plain

    def frames(self, peer: str) -> EncryptedFrameReader:
        """Return a reader for a stream that a peer encrypts. Raises `DecryptionError` when its key is not known."""
        known = self._keys.get(peer)
        box = known.box if known is not None else next(self._hinted(peer), None)
        if box is None:
            raise DecryptionError("it is encrypted, and the key of the sender is not known")
        return EncryptedFrameReader(box)

    def refused(self, peer: str, box: PayloadBox | None = None) -> None:
        """Note that the peer cannot decrypt what we encrypt: it gets plain text for a while, and is asked for its key.

        `box`: what it was encrypted with; when the peer has told another key meanwhile, that one has not been refused.
        """
        known = self._keys.get(peer)
        if known is not None and box in (None, known.box):
            known.failures, known.aside_until = 0, self._clock() + ASIDE_SECONDS
            self.want(peer)

    def failed(self, peer: str) -> None:
        """Note that an encrypted message was not answered, for whatever reason."""
        known = self._keys.get(peer)
        if known is not None:
            known.failures += 1
            if known.failures >= FAILURES_BEFORE_ASIDE:
                self.refused(peer)

    def answered(self, peer: str) -> None:
        """Note that an encrypted message was answered correctly."""
        known = self._keys.get(peer)
        if known is not None:
            known.failures = 0

    def restore(self, peer: str, public_key: str) -> None:
        """Take a key of an earlier start. An invalid key is ignored."""
        box = self._box(public_key)
        if box is not None:
            self._keys[peer] = _Key(public_key, box, supported=True)

    def restore_hint(self, peer: str, public_key: str) -> None:
        """Take a key that another program has left in the folder: a hint, as a rendezvous gives one."""
        self._folder_hints[peer] = public_key

    def _hinted(self, peer: str) -> Iterator[PayloadBox]:
        """Yield the boxes of the hints about a peer: a rendezvous may lie, and the folder may be old."""
        for key in dict.fromkeys((self._hint(peer), self._folder_hints.get(peer, ""))) if self._private else ():
            if (box := self._box(key)) is not None:
                yield box

    def _box(self, public_key: str) -> PayloadBox | None:
        key = encrypted_payload.public_key(public_key)
        try:
            return None if key is None else PayloadBox(self._private, key)
        except ValueError:
            return None
