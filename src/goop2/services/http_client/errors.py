"""The reasons why a request gave no answer, each as one sentence its script can show."""

from __future__ import annotations

from goop2.scripting.printable import printable
from goop2.services.http_client.limits import BODY_MAX_BYTES, HEADERS_MAX_BYTES

SHOWN_CHARS = 100
"""How much of what a stranger wrote is said back."""


class OutboundError(Exception):
    """There is no answer; `str()` is the reason in one sentence. Nothing is left open."""


class BlockedError(OutboundError):
    """The rules refuse the request, whatever the network would have answered."""

    def __init__(self, why: str) -> None:
        super().__init__(f"blocked: {why}")


def shown(text: str) -> str:
    """Return a stranger's text in a form fit for a sentence."""
    return printable(text, SHOWN_CHARS)


def too_large() -> OutboundError:
    """Return the error for a body beyond the limit."""
    return OutboundError(f"response exceeds {BODY_MAX_BYTES // 1024 // 1024} MB")


def too_many_headers() -> OutboundError:
    """Return the error for headers beyond the limit."""
    return OutboundError(f"response headers exceed {HEADERS_MAX_BYTES // 1024} KB")
