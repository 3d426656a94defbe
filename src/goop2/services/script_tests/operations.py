"""What the script of a test asks of the peer: to call scripts as somebody, and to set the network and the clock."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.sandbox.answers import Answer, ok, raised, several
from goop2.sandbox.messages import Scalar
from goop2.scripting.command_text import is_command
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import VISITOR_PREFIX, Caller, Invocation, PeerOperation
from goop2.scripting.printable import printable
from goop2.services.http_client.errors import OutboundError
from goop2.services.http_client.operations import HttpOperations
from goop2.services.script_tests.report import Difference
from goop2.services.script_tests.stubs import StubbedAnswer, StubbedClock, StubbedNetwork
from goop2.storage.errors import StorageError

if TYPE_CHECKING:
    from goop2.services.peer import Peer

VISITOR: Final = f"{VISITOR_PREFIX}test"
"""Who calls where a test does not say."""
FUNCTIONS: Final = "functions/"
NAME_SHOWN_CHARS: Final = 64
CALLER_MAX_CHARS: Final = 128
YEARS_END: Final = 253402300799.0
"""The last second of the year 9999, as far as SQLite's dates go."""
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?)?")


class CallerOptions(msgspec.Struct, forbid_unknown_fields=True, rename={"id": "as"}):
    """Who calls: `{as = "12D3…", label = "Ann", email = "…"}`, or `{owner = true}`."""

    id: str = ""
    label: str = ""
    email: str = ""
    owner: bool = False


class TestOperations:
    """The operations of one run of tests; a peer is attached before the first test runs."""

    __test__ = False

    def __init__(self) -> None:
        self._opened: Peer | None = None
        self.network = StubbedNetwork()
        self.clock = StubbedClock()
        self.difference: Difference | None = None
        """What the last failed expectation of this test differed in."""

    def attach(self, peer: Peer) -> None:
        """Have `peer` do what tests ask for."""
        self._opened = peer

    def begin_test(self) -> None:
        """Forget what the last test has set."""
        self.network.forget()
        self.difference = None
        self._turn(None)

    def by_name(self, *, http: bool) -> Mapping[str, PeerOperation]:
        """Return name → operation; `http`: whether scripts have goop.http here."""
        stubbed: Mapping[str, PeerOperation] = HttpOperations(self.network).by_name if http else {}
        return {
            **stubbed,
            "test.chat": self.chat,
            "test.call": self.call,
            "test.keep": self.keep,
            "test.http": self.stub,
            "test.requests": self.requests,
            "test.clock": self.set_clock,
            "test.advance": self.advance,
            "test.differ": self.differ,
        }

    async def chat(self, _invocation: Invocation, message: Scalar, options: Scalar = None) -> Answer:
        """Send a chat command: its reply, and the class of its failure."""
        text = _text(message)
        if not is_command(text):
            return raised('chat takes a command that begins with "!", such as chat("!hello Alice")')
        caller = self._caller("chat", options)
        if isinstance(caller, str):
            return raised(caller)
        reply = await self._peer.engine.command(caller, text)
        return several(b"vv", reply.text.encode(), str(reply.failure.code).encode() if reply.failure else None)

    async def call(self, _invocation: Invocation, name: Scalar, params: Scalar, options: Scalar = None) -> Answer:
        """Call a data function: its result, or nil and what failed."""
        caller = self._caller("call", options)
        if isinstance(caller, str):
            return raised(caller)
        given = params if isinstance(params, bytes) else b"{}"
        outcome = await self._peer.engine.call(caller, _text(name), given)
        if isinstance(outcome, Failure):
            return several(b"vv", None, f"{outcome.code}: {outcome.message}".encode())
        return several(b"jv", outcome.json, None)

    async def keep(self, _invocation: Invocation, script: Scalar, key: Scalar, value: Scalar) -> Answer:
        """Keep a value for a script; `functions/name` where a command has the name too, as in `goop2 kv`."""
        name = _text(script)
        bare = name.removeprefix(FUNCTIONS)
        catalog = self._peer.catalog
        kind = "command" if bare == name and catalog.command(name) is not None else "function"
        if kind == "function" and catalog.function(bare) is None:
            return raised(f"keep: there is no script {printable(name, NAME_SHOWN_CHARS)}")
        try:
            given: object = decode(value if isinstance(value, bytes) else b"null")
            await self._peer.script_keys.put(kind, bare.lower() if kind == "command" else bare, _text(key), given)
        except (StorageError, InvalidJsonError) as error:
            return raised(f"keep: {error}")
        return ok()

    async def stub(self, _invocation: Invocation, url: Scalar, answer: Scalar = None) -> Answer:
        """Set what the server at `url` answers from now on in this test; an empty table is an empty 200."""
        try:
            given = StubbedAnswer() if answer in (None, b"[]") else decode(answer if isinstance(answer, bytes) else b"", StubbedAnswer)
            self.network.stub(_text(url), given)
        except (InvalidJsonError, OutboundError, ValueError) as error:
            return raised(f"http.stub: {error}")
        return ok()

    async def requests(self, _invocation: Invocation) -> Answer:
        """Return the requests of this test so far."""
        return several(b"j", msgspec.json.encode(self.network.requests))

    async def set_clock(self, _invocation: Invocation, time: Scalar) -> Answer:
        """Stop the clock: at seconds since 1970, or at a date in UTC."""
        instant = _instant(time)
        if instant is None:
            return raised('clock.set takes seconds since 1970, or a date as "2026-03-29 08:00:00" (UTC), up to the year 9999')
        return ok(self._turn(self.clock.set(instant)))

    async def advance(self, _invocation: Invocation, seconds: Scalar) -> Answer:
        """Turn the clock on by so many seconds."""
        given = float(seconds) if isinstance(seconds, int | float) else 0.0
        before = self.clock.now
        now = self.clock.advance(given)
        if not 0 <= now <= YEARS_END:
            self.clock.now = before
            return raised("clock.advance leaves the years 1970 to 9999")
        return ok(self._turn(now))

    async def differ(self, _invocation: Invocation, wanted: Scalar, got: Scalar) -> Answer:
        """Remember what an expectation differed in."""
        self.difference = Difference(_pretty(_text(wanted)), _pretty(_text(got)))
        return ok()

    @property
    def _peer(self) -> Peer:
        assert self._opened is not None
        return self._opened

    def _turn(self, now: float | None) -> float | None:
        self.clock.now = now
        self._peer.engine.clock = now
        return now

    def _caller(self, function: str, options: Scalar) -> Caller | str:
        """Return who calls, or why nobody does."""
        try:
            given = CallerOptions() if options in (None, b"[]") else decode(options if isinstance(options, bytes) else b"", CallerOptions)
        except InvalidJsonError as error:
            return f'{function}: the last argument says who calls, {{as = "a peer id"}} or {{owner = true}}: {error}'
        if given.owner:
            return self._peer.owner
        if len(given.id) > CALLER_MAX_CHARS or not given.id.isprintable():
            return f"{function}: `as` is a peer id, at most {CALLER_MAX_CHARS} printable characters"
        return Caller(given.id or VISITOR, given.label or given.id, email=given.email)


def _text(value: Scalar) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _instant(value: Scalar) -> float | None:
    if isinstance(value, bytes):
        text = _text(value)
        if not _DATE.fullmatch(text):
            return None
        try:
            moment = datetime.datetime.fromisoformat(text)
        except ValueError:
            return None
        value = (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= YEARS_END:
        return None
    return float(value)


def _pretty(text: str) -> str:
    """Return JSON in several lines, its keys in order; anything else as it is."""
    try:
        value: object = decode(text)
    except InvalidJsonError:
        return text
    if not isinstance(value, dict | list):
        return text
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2).decode()
