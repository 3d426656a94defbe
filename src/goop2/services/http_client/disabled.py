"""goop.http where the owner has not switched it on: every function says so. It imports nothing of the client, so that such a peer starts
sooner.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from goop2.sandbox.answers import Answer, err
from goop2.sandbox.messages import Scalar
from goop2.scripting.invocation import Invocation, PeerOperation

DISABLED: Final = err("http is disabled in goop.json (lua.http_enabled)")


async def _disabled(_invocation: Invocation, *_arguments: Scalar) -> Answer:
    return DISABLED


OPERATIONS: Final[Mapping[str, PeerOperation]] = {"http.get": _disabled, "http.post": _disabled}
"""As `HttpOperations.by_name`."""
