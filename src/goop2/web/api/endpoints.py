"""What of `/api/` each kind of page gets: one table, so that a new endpoint must say it.

An endpoint that is in no row cannot be served (`checked` raises at start). ALL does not mean that everybody may do everything: policies,
the caller's rights and limits are judged where the endpoint answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import Final, NamedTuple

from goop2.web.http.origins import Realm
from goop2.web.http.request_context import RequestContext


class EndpointAccess(Enum):
    """How much of an endpoint a kind of page gets."""

    ALL = auto()
    """What it is for, as its caller."""
    HOST = auto()
    """Only what concerns the peer whose site the page is of."""
    SELF = auto()
    """Who its viewer is, without what the viewer does not share."""
    NONE = auto()
    """403."""


class EndpointRule(NamedTuple):
    """Of one endpoint. A browser visitor has no peer of its own, so what means "the viewer's peer" is nothing for it."""

    own: EndpointAccess
    """The owner, on the own site."""
    visited: EndpointAccess
    """A page of another peer's site, which may be a stranger's code; its viewer is the owner of this peer."""
    visitor: EndpointAccess
    """A browser visitor on the own site, a test visitor among them."""


_SITES: Final = EndpointRule(EndpointAccess.ALL, EndpointAccess.HOST, EndpointAccess.ALL)
"""What a page asks of the peer whose site it is."""
_PEERS: Final = EndpointRule(EndpointAccess.ALL, EndpointAccess.HOST, EndpointAccess.NONE)
"""What the viewer's own peer does with others: on a visited site, with its host and nobody else."""
_OWNERS: Final = EndpointRule(EndpointAccess.ALL, EndpointAccess.NONE, EndpointAccess.NONE)

RULES: Final[dict[str, EndpointRule]] = {
    "data": _SITES,
    "events": _SITES,
    "listen": _SITES,
    "identity": EndpointRule(EndpointAccess.ALL, EndpointAccess.SELF, EndpointAccess.SELF),
    "chat/send": _SITES,
    "chat/messages": _SITES,
    "chat/broadcast": _OWNERS,
    "site/files": EndpointRule(EndpointAccess.ALL, EndpointAccess.NONE, EndpointAccess.ALL),
    "site/upload": _OWNERS,
    "site/remove": _OWNERS,
    "peers": _PEERS,
    "group/subscriptions": _PEERS,
    "group/join": _PEERS,
    "group/leave": _PEERS,
    "group/send": _PEERS,
    "group/create": _OWNERS,
    "group/close": _OWNERS,
    "group/invite": _OWNERS,
    "group/invites": _OWNERS,
    "group/refuse": _OWNERS,
    "group/remove": _OWNERS,
}
"""Path after `/api/`, or its first part for a family that has one rule → who gets what."""

REFUSALS: Final = {
    Realm.VISITED_SITE: "a page of another peer's site gets nothing of this",
    Realm.OPEN_SITE: "a visitor has no peer of its own, and gets nothing of this",
    Realm.TEST_VISITOR: "a visitor has no peer of its own, and gets nothing of this",
    Realm.OWN_SITE: "",
}


def rule_of(path: str) -> EndpointRule | None:
    """Return the rule of an endpoint, None where there is none."""
    return RULES.get(path) or RULES.get(path.partition("/")[0])


def access_of(call: RequestContext, path: str) -> EndpointAccess | None:
    """Return what the page that asks gets of an endpoint; None where there is no such endpoint."""
    rule = rule_of(path)
    if rule is None:
        return None
    if call.origin.realm is Realm.VISITED_SITE:
        return rule.visited
    return rule.own if call.caller.owner else rule.visitor


def checked(own: Iterable[str], visited: Iterable[str]) -> None:
    """Raise `ValueError` where an endpoint has no rule, or answers a visited site's pages though its rule says that it does not."""
    ruleless = sorted({*own, *visited} - {path for path in {*own, *visited} if rule_of(path)})
    if ruleless:
        raise ValueError(f"these endpoints have no rule in web/api/endpoints.py: {', '.join(ruleless)}")
    given = sorted(path for path in visited if (rule := rule_of(path)) and rule.visited is EndpointAccess.NONE)
    if given:
        raise ValueError(f"these endpoints answer visited sites against their rule in web/api/endpoints.py: {', '.join(given)}")
