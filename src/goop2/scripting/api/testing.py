"""Operations that only the scripts of tests have (sandbox/testing.lua). A peer that runs tests lends them; no other does."""

from __future__ import annotations

from typing import Final

from goop2.scripting.api.declaration import ExecutionSite, Function, Parameter

_PEER = ExecutionSite.PEER

TESTING: Final = (
    Function(
        "test.chat",
        (Parameter("message", "string"), Parameter("opts", "options", optional=True)),
        place=_PEER,
        doc="For chat.",
        private=True,
    ),
    Function(
        "test.call",
        (Parameter("name", "string"), Parameter("params", "json"), Parameter("opts", "options", optional=True)),
        place=_PEER,
        doc="For call.",
        private=True,
    ),
    Function(
        "test.http",
        (Parameter("url", "string"), Parameter("answer", "options", optional=True)),
        place=_PEER,
        doc="For http.stub.",
        private=True,
    ),
    Function(
        "test.keep",
        (Parameter("script", "string"), Parameter("key", "string"), Parameter("value", "json")),
        place=_PEER,
        doc="For keep.",
        private=True,
    ),
    Function("test.requests", place=_PEER, doc="For http.requests.", private=True),
    Function("test.clock", (Parameter("time", "value"),), place=_PEER, doc="For clock.set.", private=True),
    Function("test.advance", (Parameter("seconds", "number"),), place=_PEER, doc="For clock.advance.", private=True),
    Function("test.differ", (Parameter("wanted", "string"), Parameter("got", "string")), place=_PEER, doc="For expect.", private=True),
)
