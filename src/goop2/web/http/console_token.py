"""The console's token: new at every start, shown in the fragment of the console's address, sent back in a header.

A fragment never leaves the browser by itself, and no page holds the token: whoever can read neither the
owner's terminal nor their tab does not have it.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

TOKEN_BYTES: Final = 32
_SCHEME: Final = b"Bearer "


class Token:
    """The console's secret, made anew at each start."""

    def __init__(self) -> None:
        self.text = secrets.token_urlsafe(TOKEN_BYTES)

    def is_shown(self, authorization: bytes) -> bool:
        """Return whether this `Authorization` header shows it. Takes the same time whatever it says."""
        # A comparison that stops at the first difference would tell the token character by character.
        return hmac.compare_digest(authorization, _SCHEME + self.text.encode())
