"""How this peer is reached from elsewhere, in words for its owner. It says only what somebody has tried (net/reachability.py)."""

from __future__ import annotations

from typing import Final

import msgspec

from goop2.net.reachability import Reachability

_UNKNOWN: Final = "Whether others can dial this peer is not known yet: nobody outside its network has tried."
_BLOCKED: Final = "A router or firewall lets nobody dial this peer; those who tried got no answer. At home that is usual."
_RELAYED: Final = (
    f"{_BLOCKED} Others meet it through a relay, and are then connected directly where the routers allow it. You need to set nothing."
)
_HIDDEN: Final = (
    f"{_BLOCKED} No relay is used now: others meet this peer through the relay of a rendezvous server (presence.rendezvous_wan), or when "
    "p2p.listen_port is a fixed port and your router passes that TCP port on."
)


class DialledAddress(msgspec.Struct, frozen=True, kw_only=True):
    """An address at which somebody has dialled this peer."""

    address: str
    by: str
    """The id of the peer that did."""
    at: float
    """When, seconds since 1970."""
    private: bool
    """Whether it is an address of a private network, which others cannot dial."""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How this peer is reached from outside its network, as the owner is shown it."""

    reachable: bool | None
    """Whether others can dial it from outside its network; None when that is not known."""
    dialled_at: tuple[DialledAddress, ...]
    text: str
    """All of it in a sentence or two."""


def reach_of(reachability: Reachability, through_relays: tuple[str, ...]) -> Reach:
    """Return how this peer is reached; `through_relays`: its addresses through relays."""
    dialled = tuple(
        DialledAddress(address=proof.address, by=proof.by, at=proof.at, private=not proof.is_public) for proof in reachability.proofs
    )
    public = [each.address for each in dialled if not each.private]
    if public:
        return Reach(reachable=True, dialled_at=dialled, text=f"Others can dial this peer: it was dialled at {', '.join(public)}.")
    if dialled:
        where = ", ".join(each.address for each in dialled)
        text = f"Others in the same private network can dial this peer: it was dialled at {where}. Whether anybody else can is not known."
        return Reach(reachable=None, dialled_at=dialled, text=text)
    if reachability.is_reachable is None:
        return Reach(reachable=None, dialled_at=(), text=_UNKNOWN)
    return Reach(reachable=False, dialled_at=(), text=_RELAYED if through_relays else _HIDDEN)
