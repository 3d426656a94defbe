r"""`/goop/listen/1.0.0`: the sound of a listening session, and what its host says to the group.

    LISTEN <group id>\n  →  OK <format> <bitrate in bit/s> <duration, %.2f>\n + sound from the current position on, until it ends
                            EAOK …\n + frames                       the same, encrypted (encrypted_payload.py)
                            ERR <reason>\n                          not found, no track, bad request

Paused: the header, then the end. Beside it go group messages, `{"app_type": "listen", "listen": {"action": …}}` (`SessionControl`); newer
peers say `group_type`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

import msgspec

from goop2.protocols import tolerant_json
from goop2.protocols.errors import LocalProtocolError, RemoteProtocolError
from goop2.protocols.line import LineReader, line
from goop2.protocols.untrusted_json import InvalidJsonError, decode

PROTOCOL: Final = "/goop/listen/1.0.0"
APP_TYPE: Final = "listen"
REQUEST_MAX_BYTES: Final = 256
HEADER_MAX_BYTES: Final = 256
DURATION_MAX_SECONDS: Final = 30 * 24 * 3600.0
BITRATE_MAX: Final = 100_000_000
"""Beyond any sound there is."""

NOT_FOUND: Final = "not found"
NO_TRACK: Final = "no track"
BAD_REQUEST: Final = "bad request"

_LISTEN: Final = msgspec.Raw(b'"listen"')
ACTIONS: Final = frozenset(("load", "play", "pause", "seek", "sync", "close"))
_GROUP: Final = re.compile(r"listen-[0-9a-f]{16}", re.ASCII)
_WORD: Final = re.compile(rb"[!-~]{1,128}")
_HEADER: Final = re.compile(r"(OK|EAOK) ([a-z0-9]{1,16}) ([0-9]{1,9}) ([0-9]{1,9}(?:\.[0-9]{1,9})?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class SoundHeader:
    """The header of an answer with sound: the session has a track."""

    format: str
    bitrate: int
    """Bits a second."""
    duration: float
    """Seconds."""
    encrypted: bool = False
    """Then the sound comes in frames."""


@dataclass(frozen=True, slots=True)
class SoundRefusal:
    """An answer without sound, and why."""

    reason: str


class TrackPayload(msgspec.Struct, frozen=True):
    """The loaded track; its name is untrusted text."""

    name: str = ""
    duration: float = 0.0
    bitrate: int = 0
    format: str = ""
    is_stream: bool = False


class SessionControl(msgspec.Struct, frozen=True, omit_defaults=True):
    """An action of the host. `position` is in seconds."""

    action: str
    track: TrackPayload | None = None
    position: float | None = None


class _Message(msgspec.Struct, frozen=True):
    listen: SessionControl


def is_session(group: str) -> bool:
    """Return whether this group id is a listening session's."""
    return _GROUP.fullmatch(group) is not None


def request(group: str) -> bytes:
    """Return the request for a session's sound. Raises `LocalProtocolError`."""
    if not is_session(group):
        raise LocalProtocolError(f"{group!r} is no listening session's id: listen- and 16 hexadecimal digits")
    return line("the request", f"LISTEN {group}".encode(), REQUEST_MAX_BYTES)


def request_reader() -> LineReader:
    """Return a reader for the request; then `requested`."""
    return LineReader("the request", REQUEST_MAX_BYTES)


def requested(content: bytes) -> str | None:
    """Return the group id of a request, which need not exist; None for a bad request."""
    word, _, group = content.rstrip(b"\r").partition(b" ")
    return group.decode() if word == b"LISTEN" and _WORD.fullmatch(group) else None


def header(format_: str, bitrate: int, duration: float, *, encrypted: bool = False) -> bytes:
    """Return the header in front of the sound."""
    return line("the header", f"{'EAOK' if encrypted else 'OK'} {format_} {bitrate} {duration:.2f}".encode(), HEADER_MAX_BYTES)


def refusal(reason: str) -> bytes:
    """Return the answer without sound."""
    return line("the header", f"ERR {reason}".encode(), HEADER_MAX_BYTES)


def header_reader() -> LineReader:
    """Return a reader for the answer's first line; then `answered`. Its `rest` is sound already."""
    return LineReader("the header", HEADER_MAX_BYTES)


def answered(content: bytes) -> SoundHeader | SoundRefusal:
    """Return the content of an answer's first line. Raises `RemoteProtocolError`."""
    text = content.rstrip(b"\r").decode("utf-8", "replace")
    status, _, rest = text.partition(" ")
    if status == "ERR":
        return SoundRefusal(rest.strip())
    found = _HEADER.fullmatch(text)
    if found is None:
        raise RemoteProtocolError(f"the header is {text[:80]!r} where OK <format> <bitrate> <duration> or ERR <reason> is expected")
    bitrate, duration = int(found[3]), float(found[4])
    if bitrate > BITRATE_MAX or duration > DURATION_MAX_SECONDS:
        raise RemoteProtocolError(f"the header {text[:80]!r} describes an impossible sound")
    return SoundHeader(found[2], bitrate, duration, found[1] == "EAOK")


def control(action: str, track: TrackPayload | None = None, position: float | None = None) -> bytes:
    """Return the payload of a group message, JSON. The queue is the one track."""
    if action not in ACTIONS:
        raise LocalProtocolError(f"{action!r} is no action of a listening session")
    said: dict[str, object] = {"action": action, "queue_index": 0, "queue_total": 0 if action == "close" else 1}
    said |= {"track": track} if track is not None else {}
    said |= {"position": position} if position is not None else {}
    return msgspec.json.encode({"app_type": APP_TYPE, "listen": said})


def controlled(payload: bytes) -> SessionControl | None:
    """Return the control in a group message; None for other apps and unknown actions. Raises `RemoteProtocolError`."""
    try:
        fields = decode(payload, dict[str, msgspec.Raw])
        if _LISTEN not in (fields.get("app_type"), fields.get("group_type")):
            return None
        said = tolerant_json.decode(payload, _Message).listen
    except InvalidJsonError as error:
        raise RemoteProtocolError(f"the listening message is invalid: {error}") from None
    if said.action not in ACTIONS:
        return None
    seconds = (said.position or 0.0, said.track.duration if said.track else 0.0)
    if any(not math.isfinite(each) or not 0 <= each <= DURATION_MAX_SECONDS for each in seconds):
        raise RemoteProtocolError(f"the listening message {said.action} has an impossible position")
    return said
