"""Which endpoints of `/api/` each kind of page may call: one table, so that a new endpoint must have a row.

An endpoint without a row cannot be served (`checked` raises at start). ALL does not mean that everybody may do everything: the endpoint
itself applies policies, the caller's rights and limits.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import Final, NamedTuple

from goop2.web.http.origins import Realm
from goop2.web.http.request_context import RequestContext


class EndpointAccess(Enum):
    """How much of an endpoint a kind of page may use."""

    ALL = auto()
    """All of it, as its caller."""
    HOST = auto()
    """Only what concerns the peer whose site the page belongs to."""
    SELF = auto()
    """Who the viewer is, without what the viewer does not share."""
    NONE = auto()
    """Nothing: 403."""


class EndpointRule(NamedTuple):
    """The access of each kind of page to one endpoint. A browser visitor has no peer of its own, so it gets nothing that acts for one."""

    own: EndpointAccess
    """For the owner, on the own site."""
    visited: EndpointAccess
    """For a page of another peer's site, which may be a stranger's code; its viewer is the owner of this peer."""
    visitor: EndpointAccess
    """For a browser visitor on the own site, test visitors included."""


_SITES: Final = EndpointRule(EndpointAccess.ALL, EndpointAccess.HOST, EndpointAccess.ALL)
"""Endpoints of the peer whose site the page belongs to."""
_PEERS: Final = EndpointRule(EndpointAccess.ALL, EndpointAccess.HOST, EndpointAccess.NONE)
"""Endpoints by which the viewer's own peer acts towards others: on a visited site towards its host alone."""
_OWNERS: Final = EndpointRule(EndpointAccess.ALL, EndpointAccess.NONE, EndpointAccess.NONE)

RULES: Final[dict[str, EndpointRule]] = {
    "data": _SITES,
    "events": _SITES,
    "listen": _SITES,
    "identity": EndpointRule(EndpointAccess.ALL, EndpointAccess.SELF, EndpointAccess.SELF),
    "self": EndpointRule(EndpointAccess.ALL, EndpointAccess.SELF, EndpointAccess.SELF),
    "chat/send": _SITES,
    "chat/messages": _SITES,
    "chat/broadcast": _OWNERS,
    "avatar": _PEERS,
    "mq": _PEERS,
    "template": _OWNERS,
    "chat/rooms": _PEERS,
    "chat/rooms/join": _PEERS,
    "chat/rooms/leave": _PEERS,
    "chat/rooms/send": _PEERS,
    "chat/rooms/state": _PEERS,
    "chat/rooms/create": _OWNERS,
    "chat/rooms/close": _OWNERS,
    "site/files": _OWNERS,
    "site/upload": _OWNERS,
    "site/remove": _OWNERS,
    "site/delete": _OWNERS,
    "site/content": _OWNERS,
    "peers": _PEERS,
    "group/subscriptions": _PEERS,
    "group/join": _PEERS,
    "group/leave": _PEERS,
    "group/send": _PEERS,
    "groups": _PEERS,
    "groups/subscriptions": _PEERS,
    "groups/join": _PEERS,
    "groups/leave": _PEERS,
    "groups/send": _PEERS,
    "groups/rejoin": _PEERS,
    "groups/subscriptions/remove": _PEERS,
    "groups/events": _PEERS,
    "groups/join-own": _OWNERS,
    "groups/leave-own": _OWNERS,
    "groups/set-role": _OWNERS,
    "groups/set-default-role": _OWNERS,
    "groups/set-roles": _OWNERS,
    "groups/max-members": _OWNERS,
    "groups/meta": _OWNERS,
    "groups/close": _OWNERS,
    "groups/invite": _OWNERS,
    "groups/kick": _OWNERS,
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
    """Return the rule of an endpoint, None when it has none."""
    return RULES.get(path) or RULES.get(path.partition("/")[0])


def access_of(call: RequestContext, path: str) -> EndpointAccess | None:
    """Return what the calling page may use of an endpoint; None when there is no such endpoint."""
    rule = rule_of(path)
    if rule is None:
        return None
    if call.origin.realm is Realm.VISITED_SITE:
        return rule.visited
    return rule.own if call.caller.owner else rule.visitor


def checked(own: Iterable[str], visited: Iterable[str]) -> None:
    """Raise `ValueError` when an endpoint has no rule, or serves visited sites although its rule says NONE.

    :param own: paths that are served on the own site.
    :param visited: paths that are served on the origin of another peer's site.
    """
    ruleless = sorted({*own, *visited} - {path for path in {*own, *visited} if rule_of(path)})
    if ruleless:
        raise ValueError(f"these endpoints have no rule in web/api/endpoints.py: {', '.join(ruleless)}")
    given = sorted(path for path in visited if (rule := rule_of(path)) and rule.visited is EndpointAccess.NONE)
    if given:
        raise ValueError(f"these endpoints answer visited sites against their rule in web/api/endpoints.py: {', '.join(given)}")
