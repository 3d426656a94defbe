"""Two peers behind routers that translate addresses, and a public side between them: network namespaces with nftables.

    a 10.77.1.1 ── router 192.31.196.1 ── 192.31.196.254 public 192.175.48.254 ── router 192.175.48.1 ── 10.77.2.1 b

The public side routes between the two networks; a rendezvous and a relay run on it. Its addresses are ones that implementations take for
public (go-libp2p offers no others for a punch), of blocks IANA reserves for services. They exist in these namespaces alone, which have no
way out.
A router drops what nobody behind it asked for, as home routers do: were it to refuse, a hole would close before it is punched.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.e2e.badline import line
from tests.e2e.lan import Machine, NamespaceError, _cable, _run, machines

KEEPS_PORTS = "masquerade"
"""The same outer port for every destination, most of the time the inner one: a hole can be punched."""
OUTSIDE = "192.31.196", "192.175.48"
OUTSIDE_FOR_JS = "8.8.8", "8.8.4"
"""js-libp2p takes the reserved ones for private."""
NEW_PORTS = "masquerade fully-random"
"""Another outer port for every destination (a symmetric NAT): nobody can be told where to dial."""
_RULES = """
table ip router {{
 chain translated {{
  type nat hook postrouting priority 100; policy accept;
  ip saddr {inside} {translation}
 }}
 chain passing {{
  type filter hook forward priority 0; policy drop;
  ct state established,related accept
  ip saddr {inside} accept
 }}
 chain for_itself {{
  type filter hook input priority 0; policy drop;
  ip saddr {inside} accept
 }}
}}
"""

_PASSED_ON = """
table ip router {{
 chain incoming {{
  type nat hook prerouting priority -100; policy accept;
  ip saddr != {to} tcp dport {port} dnat to {to}
 }}
 chain passing {{
  ip daddr {to} tcp dport {port} accept
 }}
}}
"""


@dataclass(frozen=True)
class Nats:
    """The machines. `a` and `b` have addresses that only their own router knows."""

    a: Machine
    b: Machine
    public: Machine
    """Reached by both at this address."""
    outside_a: str
    """The address `a` has for the public side."""
    outside_b: str
    router_a: Machine
    """Used where `a` is behind it."""

    def pass_on_to_a(self, port: int) -> None:
        """Have the router of `a` pass on to it what comes for this port, as its owner can set it."""
        _filter(self.router_a, _PASSED_ON.format(port=port, to=self.a.address))


@contextmanager
def two_nats(
    a_translation: str = KEEPS_PORTS,
    b_translation: str = KEEPS_PORTS,
    *,
    late_a_seconds: float = 0.0,
    late_b_seconds: float = 0.0,
    outside: tuple[str, str] = OUTSIDE,
) -> Iterator[Nats]:
    """Two machines behind a router each; `""` is no router's translation: that machine is on the public side itself.

    `late_…_seconds`: how late packets between a router and the public side are, each way. `outside`: the two networks there. Raises
    `NamespaceError`, which says what this machine lacks.
    """
    with machines("a", "b", "p", "ra", "rb") as (a, b, public, router_a, router_b), ExitStack() as lines:
        a_address = _attach(a, router_a, public, "10.77.1", outside[0], a_translation, late_a_seconds, lines)
        b_address = _attach(b, router_b, public, "10.77.2", outside[1], b_translation, late_b_seconds, lines)
        _forward(public)
        yield Nats(a.at(a_address), b.at(b_address), public.at(f"{outside[0]}.254"), f"{outside[0]}.1", f"{outside[1]}.1", router_a)


def _attach(
    machine: Machine,
    router: Machine,
    public: Machine,
    inside: str,
    outside: str,
    translation: str,
    late_seconds: float,
    lines: ExitStack,
) -> str:
    """Put a machine behind its router, or on the public side; the address it has itself."""
    first = router if translation else machine
    if late_seconds:
        lines.enter_context(line(first, f"{outside}.1", public, f"{outside}.254")).delay_seconds = late_seconds
    else:
        _cable(first, f"{outside}.1", public, f"{outside}.254")
    _run("-n", first.namespace, "route", "add", "default", "via", f"{outside}.254")
    if not translation:
        return f"{outside}.1"
    _cable(machine, f"{inside}.1", router, f"{inside}.254")
    _run("-n", machine.namespace, "route", "add", "default", "via", f"{inside}.254")
    _forward(router)
    _filter(router, _RULES.format(inside=f"{inside}.0/24", translation=translation))
    return f"{inside}.1"


def _forward(machine: Machine) -> None:
    _run("netns", "exec", machine.namespace, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")


def _filter(machine: Machine, rules: str) -> None:
    command = ["ip", "netns", "exec", machine.namespace, "nft", "-f", "-"]
    done = subprocess.run(command, input=rules, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NamespaceError(f"nft (Debian's package nftables): {done.stderr.strip()}")
