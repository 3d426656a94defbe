"""Turn failures, as httpcore, h11 and OpenSSL report them, into one sentence for the script.

A time-out and a cancellation are no failures here; they pass through.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpcore

from goop2.services.http_client.errors import OutboundError
from goop2.services.http_client.url import Target

# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_CERTIFICATE: Final = {
    9: "certificate is not valid yet",
    10: "certificate has expired",
    18: "certificate is not trusted",
    19: "certificate is not trusted",
    20: "certificate is not trusted",
    21: "certificate is not trusted",
    62: "certificate does not match host",
    64: "certificate does not match host",
}
"""OpenSSL's reasons to refuse a certificate."""


@contextmanager
def said_in_a_sentence(target: Target) -> Iterator[None]:
    """Raise failures of the block as `OutboundError`."""
    where = target.authority
    try:
        yield
    except httpcore.ConnectError as error:
        raise OutboundError(_connecting(where, error)) from None
    except (httpcore.ReadError, httpcore.WriteError):
        raise OutboundError(f"{where} broke the connection off") from None
    except (httpcore.RemoteProtocolError, httpcore.LocalProtocolError):
        raise OutboundError(f"{where} gave no whole HTTP answer") from None


def _connecting(where: str, error: BaseException) -> str:
    tls = _tls_error(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return _CERTIFICATE.get(tls.verify_code, f"certificate is refused ({tls.verify_message})")
    if tls is not None:
        return f"{where} speaks no TLS we do"
    return f"cannot connect to {where}"


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__
    return error
