"""Which origin a request means and who may ask there: every host at every listener, every way a page can reach out."""

from __future__ import annotations

from http import HTTPStatus
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goop2.protocols import base58
from goop2.web.http.origins import HEADER_MAX_CHARS, Listener, Origin, OriginHeaders, OriginRefusal, Realm, decide
from goop2.web.http.peer_host import host_label

OWN = base58.encode(b"\x00\x24\x08\x01\x12\x20" + b"\x01" * 32)
OTHER = base58.encode(b"\x00\x24\x08\x01\x12\x20" + b"\x02" * 32)
OWN_HOST, OTHER_HOST = f"{host_label(OWN)}.localhost", f"{host_label(OTHER)}.localhost"

LOOPBACK = Listener(peer_id=OWN, port=8780)
AT_80 = Listener(peer_id=OWN, port=80)
OPENED = Listener(peer_id=OWN, port=8780, opened=True, names=frozenset({"den", "den.local"}))
LAN = "192.168.1.5"

ONE_SITE = Listener(peer_id=OTHER, port=8781, site=Realm.VISITED_SITE)

HOSTS = [
    # listener, Host, whose origin it is (None: none of ours), test visitor
    (LOOPBACK, "127.0.0.1:8780", (Realm.CONSOLE, OWN, "")),
    (LOOPBACK, "localhost:8780", (Realm.CONSOLE, OWN, "")),
    (LOOPBACK, "LocalHost:8780", (Realm.CONSOLE, OWN, "")),
    (LOOPBACK, "[::1]:8780", (Realm.CONSOLE, OWN, "")),
    (LOOPBACK, f"{OWN_HOST}:8780", (Realm.OWN_SITE, OWN, "")),
    (LOOPBACK, f"{OWN_HOST.upper()}:8780", (Realm.OWN_SITE, OWN, "")),
    (LOOPBACK, f"ann.{OWN_HOST}:8780", (Realm.TEST_VISITOR, OWN, "ann")),
    (LOOPBACK, f"7.{OWN_HOST}:8780", (Realm.TEST_VISITOR, OWN, "7")),
    (LOOPBACK, f"{OTHER_HOST}:8780", (Realm.VISITED_SITE, OTHER, "")),
    (AT_80, "localhost", (Realm.CONSOLE, OWN, "")),
    (AT_80, "localhost:80", (Realm.CONSOLE, OWN, "")),
    (AT_80, OWN_HOST, (Realm.OWN_SITE, OWN, "")),
    (OPENED, f"{LAN}:8780", (Realm.OPEN_SITE, OWN, "")),
    (OPENED, "den:8780", (Realm.OPEN_SITE, OWN, "")),
    (OPENED, "Den.local:8780", (Realm.OPEN_SITE, OWN, "")),
    (ONE_SITE, "localhost:8781", (Realm.VISITED_SITE, OTHER, "")),
    # a listener of one site has one name
    (ONE_SITE, "127.0.0.1:8781", None),
    (ONE_SITE, "evil.example:8781", None),
    (ONE_SITE, f"{OTHER_HOST}:8781", None),
    (ONE_SITE, "localhost:8780", None),
    # another port is another program
    (LOOPBACK, "localhost", None),
    (LOOPBACK, "localhost:8781", None),
    (LOOPBACK, f"{OWN_HOST}:80", None),
    (LOOPBACK, OWN_HOST, None),
    (AT_80, "localhost:8780", None),
    (OPENED, LAN, None),
    # names that lead here all the same
    (LOOPBACK, "evil.example:8780", None),
    (LOOPBACK, "localhost.evil.example:8780", None),
    (LOOPBACK, "127.0.0.1.nip.io:8780", None),
    (LOOPBACK, f"{OWN_HOST}.evil.example:8780", None),
    (LOOPBACK, f"{host_label(OWN)}.zz:8780", None),
    (LOOPBACK, f"{host_label(OWN)}.aa:8780", None),
    (LOOPBACK, "evil.localhost:8780", None),
    (LOOPBACK, "localhost.:8780", None),
    (LOOPBACK, f"{OWN_HOST}.:8780", None),
    (LOOPBACK, "127.0.0.2:8780", None),
    (LOOPBACK, "127.1:8780", None),
    (LOOPBACK, "0.0.0.0:8780", None),
    (LOOPBACK, "2130706433:8780", None),
    (LOOPBACK, "[::ffff:127.0.0.1]:8780", None),
    (LOOPBACK, f"{LAN}:8780", None),
    # the console and the owner's site are never behind the opened listener
    (OPENED, "127.0.0.1:8780", None),
    (OPENED, "localhost:8780", None),
    (OPENED, f"{OWN_HOST}:8780", None),
    (OPENED, f"ann.{OWN_HOST}:8780", None),
    (OPENED, f"{OTHER_HOST}:8780", None),
    (OPENED, "192.168.1.6:8780", None),
    (OPENED, "evil.example:8780", None),
    # only the own site has test visitors, and they have plain names
    (LOOPBACK, f"ann.{OTHER_HOST}:8780", None),
    (LOOPBACK, f"a.b.{OWN_HOST}:8780", None),
    (LOOPBACK, f"a_b.{OWN_HOST}:8780", None),
    (LOOPBACK, f"{'a' * 17}.{OWN_HOST}:8780", None),
    (LOOPBACK, f".{OWN_HOST}:8780", None),
    # no host at all, two, or something to trip a parser
    (LOOPBACK, "", None),
    (LOOPBACK, ":8780", None),
    (LOOPBACK, "localhost:8780,evil.example", None),
    (LOOPBACK, "localhost:8780 ", None),
    (LOOPBACK, "user@localhost:8780", None),
    (LOOPBACK, "localhost:8780/", None),
    (LOOPBACK, "localhost:", None),
    (LOOPBACK, "localhost:+8780", None),
    (LOOPBACK, "localhost:008780", None),
    (LOOPBACK, "localhost:８７８０", None),
    (LOOPBACK, "ｌocalhost:8780", None),
    (LOOPBACK, "localhost:8780\n", None),
    (LOOPBACK, "a" * 100_000, None),
]


@pytest.mark.parametrize(("listener", "host", "meant"), HOSTS, ids=lambda value: str(value)[:40])
def test_a_host_means_one_origin_or_is_none_of_ours(listener: Listener, host: str, meant: tuple[Realm, str, str] | None) -> None:
    decision = decide(listener, OriginHeaders(host, local_address=LAN if listener.opened else "127.0.0.1"))
    if meant is None:
        assert isinstance(decision, OriginRefusal)
        assert decision.status == HTTPStatus.MISDIRECTED_REQUEST
    else:
        assert isinstance(decision, Origin)
        assert (decision.realm, decision.peer_id, decision.visitor) == meant
        assert decision.address == f"http://{host.lower().removesuffix(':80')}"


OURS = [(listener, host) for listener, host, meant in HOSTS if meant is not None]
ORIGINS = [
    "",
    "own",
    "null",
    "http://evil.example",
    "http://127.0.0.1:9000",
    "https://own",
    f"http://{OTHER_HOST}:8781",
    "http://" + "a" * 1000,
]
SITES = ["", "none", "same-origin", "same-site", "cross-site", "something new"]
MODES = ["", "navigate", "cors", "no-cors", "websocket", "same-origin"]
DESTINATIONS = ["", "document", "iframe", "frame", "embed", "object", "script", "image", "empty", "serviceworker"]


@pytest.mark.parametrize(("listener", "host"), OURS, ids=lambda value: str(value)[:40])
def test_a_page_of_another_origin_can_do_nothing_but_lead_its_reader_here(listener: Listener, host: str) -> None:
    """All combinations of what browsers say about who asks; the rule in other words than the code's."""
    local = LAN if listener.opened else "127.0.0.1"
    own = f"http://{host.lower().removesuffix(':80')}"
    for written, site, mode, destination, page in product(ORIGINS, SITES, MODES, DESTINATIONS, [True, False]):
        origin = written.replace("https://own", own.replace("http", "https")) if written != "own" else own
        decision = decide(listener, OriginHeaders(host, origin, site, mode, destination, page, local))
        asked_from_within = origin in ("", own) and site in ("", "none", "same-origin")
        followed_a_link = not origin and page and (mode, destination) == ("navigate", "document")
        allowed = asked_from_within or followed_a_link
        assert isinstance(decision, Origin) == allowed, (origin, site, mode, destination, page)
        if isinstance(decision, OriginRefusal):
            long = len(origin) > HEADER_MAX_CHARS
            assert decision.status == (HTTPStatus.MISDIRECTED_REQUEST if long else HTTPStatus.FORBIDDEN)


@pytest.mark.parametrize("own", [host for _, host in OURS if host.endswith(":8780")])
@pytest.mark.parametrize("foreign", [host for listener, host in OURS if host.endswith(":8780") and listener is LOOPBACK])
def test_our_own_origins_are_strangers_to_each_other(own: str, foreign: str) -> None:
    if own.lower() == foreign.lower():
        return
    listener = OPENED if "localhost" not in own.lower() and "1" not in own.split(":")[0][:1] else LOOPBACK
    asking = OriginHeaders(own, f"http://{foreign.lower()}", "cross-site", "cors", "empty", local_address=LAN)
    assert isinstance(decide(listener, asking), OriginRefusal)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=80), st.sampled_from([LOOPBACK, AT_80, OPENED]))
def test_whatever_stands_in_host_gets_a_decision(host: str, listener: Listener) -> None:
    assert isinstance(decide(listener, OriginHeaders(host)), Origin | OriginRefusal)
