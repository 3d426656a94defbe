"""The certificate of the cluster's server: made by its owner, Ed25519, signed by itself, believed by whoever holds a copy.

X.509 written by hand in DER, since nothing goop2 needs otherwise can write one. It must not read or write a file.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import textwrap
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from nacl.signing import SigningKey

from goop2.cluster.limits import CERTIFICATE_DAYS

_SEQUENCE, _SET, _INTEGER, _BITS, _OCTETS, _OBJECT, _UTF8, _TIME, _BOOLEAN = 0x30, 0x31, 0x02, 0x03, 0x04, 0x06, 0x0C, 0x17, 0x01
_VERSION, _EXTENSIONS, _DNS, _ADDRESS, _KEY_ID = 0xA0, 0xA3, 0x82, 0x87, 0x80
_ED25519: Final = bytes.fromhex("2b6570")
_COMMON_NAME: Final = bytes.fromhex("550403")
_BASIC, _USAGE, _ALTERNATIVES, _SUBJECT_KEY = (bytes.fromhex(f"551d{last}") for last in ("13", "0f", "11", "0e"))
_SIGNS_AND_ISSUES: Final = b"\x02\x84"
"""Key usage as bits: digitalSignature, keyCertSign; two bits of the byte are unused."""
NAME: Final = "goop2 cluster"
EARLIER_DAYS: Final = 2
"""It is valid from so long ago, so that a machine whose clock is slow believes it."""


def make_certificate(hosts: Iterable[str], now: datetime) -> tuple[str, str]:
    """Return certificate and private key as PEM, for a server that is reached by these names and addresses."""
    seed = os.urandom(32)
    key = SigningKey(seed)
    public = bytes(key.verify_key)
    algorithm = _der(_SEQUENCE, _der(_OBJECT, _ED25519))
    name = _der(_SEQUENCE, _der(_SET, _der(_SEQUENCE, _der(_OBJECT, _COMMON_NAME), _der(_UTF8, NAME.encode()))))
    begins, ends = now - timedelta(days=EARLIER_DAYS), now + timedelta(days=CERTIFICATE_DAYS)
    body = _der(
        _SEQUENCE,
        _der(_VERSION, _der(_INTEGER, b"\x02")),
        # The serial number: the 1 in front keeps it positive, and of one length.
        _der(_INTEGER, b"\x01" + os.urandom(15)),
        algorithm,
        name,
        _der(_SEQUENCE, _time(begins), _time(ends)),
        name,
        _der(_SEQUENCE, algorithm, _der(_BITS, b"\x00" + public)),
        _der(_EXTENSIONS, _der(_SEQUENCE, *_extensions(hosts, public))),
    )
    signature = key.sign(body).signature
    certificate = _der(_SEQUENCE, body, algorithm, _der(_BITS, b"\x00" + signature))
    private = _der(_SEQUENCE, _der(_INTEGER, b"\x00"), algorithm, _der(_OCTETS, _der(_OCTETS, seed)))
    return _pem("CERTIFICATE", certificate), _pem("PRIVATE KEY", private)


def _extensions(hosts: Iterable[str], public: bytes) -> Iterable[bytes]:
    # Its own authority: whoever holds a copy believes it, and it vouches for nothing else.
    true = _der(_BOOLEAN, b"\xff")
    yield _der(_SEQUENCE, _der(_OBJECT, _BASIC), true, _der(_OCTETS, _der(_SEQUENCE, true)))
    yield _der(_SEQUENCE, _der(_OBJECT, _USAGE), true, _der(_OCTETS, _der(_BITS, _SIGNS_AND_ISSUES)))
    yield _der(_SEQUENCE, _der(_OBJECT, _SUBJECT_KEY), _der(_OCTETS, _der(_OCTETS, public[:20])))
    yield _der(_SEQUENCE, _der(_OBJECT, _ALTERNATIVES), _der(_OCTETS, _der(_SEQUENCE, *map(_alternative, hosts))))


def _alternative(host: str) -> bytes:
    try:
        return _der(_ADDRESS, ipaddress.ip_address(host).packed)
    except ValueError:
        return _der(_DNS, host.encode("ascii", "replace"))


def _time(when: datetime) -> bytes:
    return _der(_TIME, when.astimezone(UTC).strftime("%y%m%d%H%M%SZ").encode())


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    # DER's long form: how many bytes the length has, then the length.
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _pem(what: str, der: bytes) -> str:
    lines = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN {what}-----\n{lines}\n-----END {what}-----\n"
