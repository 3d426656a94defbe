"""One request to a site's origin, as handlers get it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from goop2.scripting.invocation import Caller
from goop2.web.http.origins import Origin
from goop2.web.http.responses import Headers


class RequestContext(NamedTuple):
    """A request whose origin and caller are known."""

    origin: Origin
    caller: Caller
    scope: Scope
    receive: Receive
    send: Send
    headers: Headers
    """Headers for the answer besides its own, such as the cookie of a new visitor."""

    @property
    def method(self) -> str:
        method: str = self.scope["method"]
        return method

    def header(self, name: bytes) -> str:
        """Return the value of the header `name` (lower case), "" when it is not there. Several lines count as one list (RFC 9110, 5.3)."""
        return ", ".join([value.decode("latin-1") for key, value in self.scope["headers"] if key == name])


Handler = Callable[[RequestContext], Awaitable[None]]
"""Answers one request."""
