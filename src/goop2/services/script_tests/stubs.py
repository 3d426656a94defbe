"""The network and the clock of a test: what it has set, and nothing else.

A request that nothing was set for gets no answer, and fails the test even when the script makes do without one.
"""

from __future__ import annotations

import time
from typing import Final

import msgspec

from goop2.scripting.invocation import Caller
from goop2.services.http_client.errors import OutboundError
from goop2.services.http_client.request import HttpRequest, Response
from goop2.services.http_client.url import read_url
from goop2.services.script_tests.limits import ANSWER_MAX_BYTES, REQUESTS_KEPT, STUBS_MAX

_ANY: Final = "*"


class StubbedAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """What a server answers, as http.stub is told: `{status = 200, body = "…", headers = {…}, error = "…"}`."""

    status: int = 200
    body: msgspec.Raw = msgspec.Raw(b'""')
    headers: dict[str, str] | list[object] = {}
    error: str = ""
    """Instead of an answer: why there is none."""


class StubbedNetwork:
    """The place of `http_client.Client`: answers from what the test has set."""

    def __init__(self) -> None:
        self._stubs: dict[str, Response | str] = {}
        self.requests: list[dict[str, str]] = []
        """The requests of this test."""
        self.missing: list[str] = []
        """Requests that nothing was set for."""

    def forget(self) -> None:
        """Begin anew, for the next test."""
        self._stubs.clear()
        self.requests.clear()
        self.missing.clear()

    def stub(self, url: str, answer: StubbedAnswer) -> None:
        """Answer requests to `url` so from now on; `*` at its end stands for any rest. Raises ValueError and `OutboundError`."""
        if len(self._stubs) >= STUBS_MAX:
            raise ValueError(f"a test has at most {STUBS_MAX} stubs")
        if not 100 <= answer.status <= 599:
            raise ValueError(f"{answer.status} is no status of HTTP")
        if len(answer.body) > ANSWER_MAX_BYTES:
            raise ValueError(f"the body has more than {ANSWER_MAX_BYTES} bytes")
        key = f"{read_url(url.removesuffix(_ANY))}{_ANY}" if url.endswith(_ANY) else str(read_url(url))
        self._stubs[key] = answer.error or Response(answer.status, _headers(answer), _body(answer))

    async def fetch(self, request: HttpRequest, caller: Caller, seconds: float) -> Response:
        """Return what was set for this request (http_client.Client.fetch). Raises `OutboundError`."""
        url = str(request.target)
        if len(self.requests) < REQUESTS_KEPT:
            self.requests.append({"method": request.method, "url": url, "body": request.body.decode("utf-8", "replace")})
        answer = self._stubs.get(url)
        if answer is None:
            near = [key for key in self._stubs if key.endswith(_ANY) and url.startswith(key[:-1])]
            answer = self._stubs[max(near, key=len)] if near else None
        if answer is None:
            if len(self.missing) < REQUESTS_KEPT:
                self.missing.append(f"{request.method} {url}")
            raise OutboundError(f"nothing is set for {request.method} {url}: a test says http.stub(url, {{status = 200, body = …}})")
        if isinstance(answer, str):
            raise OutboundError(answer)
        return answer


def _headers(answer: StubbedAnswer) -> dict[str, str]:
    given = answer.headers if isinstance(answer.headers, dict) else {}
    is_text = bytes(answer.body).startswith(b'"')
    return {"content-type": "text/plain" if is_text else "application/json"} | {name.lower(): value for name, value in given.items()}


def _body(answer: StubbedAnswer) -> bytes:
    """Return a text as it is, and anything else as JSON."""
    value = msgspec.json.decode(answer.body)
    return value.encode() if isinstance(value, str) else bytes(answer.body)


class StubbedClock:
    """What the time is; it stands still once it was set."""

    def __init__(self) -> None:
        self.now: float | None = None
        """Seconds since 1970; None for the real time."""

    def set(self, instant: float) -> float:
        """Stop the clock at `instant`."""
        self.now = instant
        return instant

    def advance(self, seconds: float) -> float:
        """Turn the clock on, and stop it there."""
        return self.set((time.time() if self.now is None else self.now) + seconds)
