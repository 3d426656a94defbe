"""Several rendezvous servers on a bus that the tests play: what is heard where, and what a server that lies can do."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch

import pytest
from structlog.testing import capture_logs
from tests.clock import Clock
from tests.rendezvous.test_registry import a_peer
from tests.rendezvous.test_said_relay import RELAY

from goop2.cluster.keys import new_key
from goop2.protocols.presence import Presence, write
from goop2.rendezvous import bus as module
from goop2.rendezvous import registry as registry_module
from goop2.rendezvous.bus import RendezvousBus
from goop2.rendezvous.bus_messages import BusHead, heard_at, messages, subject
from goop2.rendezvous.limits import BUS_ANSWER_SECONDS, BUS_LINES_MAX, BUS_SILENT_SECONDS, UNCHANGED_SECONDS
from goop2.rendezvous.registry import Registry, RegistryFullError
from goop2.rendezvous.said_relay import ListedRelay

ANN, BOB = a_peer(1), a_peer(2)


class Wire:
    """A bus for all: what is sent is heard by everybody who listens there, the sender included, as with NATS."""

    def __init__(self) -> None:
        self.connected = True
        self.max_bytes = 1 << 20
        self.listeners: list[tuple[str, Callable[[str, bytes], None]]] = []
        self.sent: list[tuple[str, bytes]] = []

    def send(self, subject: str, content: bytes, reply: str = "") -> None:
        self.sent.append((subject, content))
        for place, take in list(self.listeners):
            if fnmatch(subject, place):
                take(subject, content)


class Place:
    """A server on the wire, and what its readers hear."""

    def __init__(self, wire: Wire, clock: Clock, name: str, relay: ListedRelay | None = None) -> None:
        self.key = new_key(name)
        self.registry = Registry(clock)
        self.heard: list[Presence] = []
        self.bus = RendezvousBus(self.key, self.registry, self.heard.append, lambda: relay, clock)
        wire.listeners += [(place, self.bus.take) for place in heard_at(self.key.public)]
        self.bus.join(wire)

    def post(self, said: Presence, source: str = "192.0.2.1") -> None:
        """Have a peer of this server announce something, as http.py does."""
        handed_on = self.registry.post(source, said)
        if handed_on is not None:
            self.heard.append(handed_on)
            self.bus._said.append(write(handed_on))
            self.bus._flush()

    def said(self) -> list[tuple[str, str]]:
        """Return who was heard of with which label since the last look."""
        found, self.heard[:] = [(each.peer_id, each.label or each.type) for each in self.heard], []
        return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_peers_of_one_server_are_heard_at_the_others_once_with_changes_and_goodbyes(wire: Wire, clock: Clock) -> None:
    places = [Place(wire, clock, name) for name in ("north", "south", "west")]
    north, south, west = places
    north.post(Presence("online", ANN, "Ann"))
    north.post(Presence("update", ANN, "Ann Other"))
    south.post(Presence("punch", BOB, target=ANN))
    assert [each.said() for each in places] == [[(ANN, "Ann"), (ANN, "Ann Other"), (BOB, "punch")]] * 3
    assert [each.label for each in west.registry.peers()] == ["Ann Other"]
    north.post(Presence("offline", ANN))
    assert [each.said() for each in places] == [[(ANN, "offline")]] * 3
    assert sum(content.count(b"peerId") for _, content in wire.sent) == 4  # each is said once, by its own server


def test_a_peer_at_two_servers_is_heard_of_once_at_all_of_them(wire: Wire, clock: Clock) -> None:
    north, south, west = (Place(wire, clock, name) for name in ("north", "south", "west"))
    for _ in range(5):
        north.post(Presence("update", ANN, "Ann", ts=int(clock.now)))
        south.post(Presence("update", ANN, "Ann", ts=int(clock.now)))
        clock.now += UNCHANGED_SECONDS
    assert [len(each.said()) for each in (north, south, west)] == [5, 5, 5]


def test_whoever_joins_hears_who_is_here_and_tells_who_is_with_it(wire: Wire, clock: Clock) -> None:
    north = Place(wire, clock, "north")
    for number in range(2 * BUS_LINES_MAX):
        north.registry.post("192.0.2.1", Presence("online", a_peer(number)))
    south = Place(wire, clock, "south")
    assert len(south.said()) == 2 * BUS_LINES_MAX
    south.post(Presence("online", a_peer(5000)))
    # A third server is told of each peer by the server where it is, and by no other.
    before = len(wire.sent)
    west = Place(wire, clock, "west")
    assert len(west.said()) == 2 * BUS_LINES_MAX + 1
    assert sum(content.count(b"peerId") for _, content in wire.sent[before:]) == 2 * BUS_LINES_MAX + 1
    # Whoever asks again and again is not answered each time.
    before = len(wire.sent)
    west.bus.join(wire)
    assert len(wire.sent) == before + 1
    clock.now += BUS_ANSWER_SECONDS
    west.bus.join(wire)
    assert len(wire.sent) > before + 2


def test_a_server_that_lies_takes_no_peer_of_another_away(wire: Wire, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "PEERS_MAX", 3)
    north, liar = Place(wire, clock, "north"), new_key("liar").public
    north.post(Presence("online", ANN, "Ann"))
    north.said()

    def lie(*said: Presence) -> None:
        for message in messages(BusHead("lies", "liar"), map(write, said)):
            wire.send(subject(liar), message)

    lie(Presence("offline", ANN))
    assert north.said() == []
    assert [each.label for each in north.registry.peers()] == ["Ann"]
    lie(Presence("online", BOB, verified=True))
    assert not north.heard[0].verified
    with capture_logs() as told:
        lie(*(Presence("online", a_peer(number)) for number in range(10, 20)))
    assert len(north.registry) == 1 + 3
    assert [each["event"] for each in told] == [
        f"the rendezvous server liar ({liar[:8]}) brings more peers than there is room for; the rest is not heard"
    ]
    # Peers of this server have the room that is theirs, and one that the liar has invented first comes into it.
    north.post(Presence("online", BOB, "Bob"), "192.0.2.2")
    north.post(Presence("online", a_peer(3)), "192.0.2.3")
    with pytest.raises(RegistryFullError):
        north.post(Presence("online", a_peer(4)), "192.0.2.4")
    lie(Presence("online", a_peer(30)))
    assert len(north.registry) == 3 + 3


def test_nonsense_and_a_flood_are_dropped_and_said_once(wire: Wire, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    north, liar = Place(wire, clock, "north"), new_key("liar").public
    with capture_logs() as told:
        for content in (b"", b"{", b'{"start":""}', b'{"start":"x"}\n{', b'{"start":"x"}\n{"type":"online","peerId":"x"}', b"\n" * 999):
            wire.send(subject(liar), content)
    assert len(told) == 1
    assert "says what is no message, which is dropped: " in told[0]["event"]
    assert (north.said(), len(north.registry)) == ([], 0)
    monkeypatch.setattr(module, "BUS_PER_MINUTE", 100)
    south = Place(wire, clock, "south")
    flood = next(messages(BusHead("x"), [write(Presence("online", a_peer(number))) for number in range(40)]))
    with capture_logs() as told:
        for _ in range(5):
            wire.send(subject(liar), flood.replace(b"online", b"update"))
    assert len(south.said()) == 40
    assert [each["event"].partition(" says ")[2] for each in told] == ["more than 100 things a minute; the rest is dropped"]


def test_relays_are_listed_while_their_servers_are_there(wire: Wire, clock: Clock) -> None:
    north, south = Place(wire, clock, "north"), Place(wire, clock, "south", RELAY)
    assert north.bus.relays() == [RELAY]
    assert south.bus.relays() == []
    wire.send(subject(south.key.public), next(messages(BusHead("another", "south"))))
    assert north.bus.relays() == []  # it was started anew, without one
    south.bus.beat()
    assert north.bus.relays() == [RELAY]
    with capture_logs() as told:
        wire.send(subject(south.key.public), next(messages(BusHead("another", "south", leaves=True))))
        clock.now += BUS_SILENT_SECONDS
        north.bus.beat()
    assert (north.bus.relays(), told) == ([], [])  # whoever says that it leaves is not missed


def test_a_server_that_falls_silent_is_missed_once_and_heard_again(wire: Wire, clock: Clock) -> None:
    north, south = Place(wire, clock, "north"), Place(wire, clock, "south", RELAY)
    name = f"the rendezvous server south ({south.key.public[:8]})"
    south.post(Presence("online", ANN))
    clock.now += BUS_SILENT_SECONDS
    with capture_logs() as told:
        for _ in range(3):
            north.bus.beat()
        assert (len(north.registry), north.bus.relays()) == (0, [])
        south.bus.beat()
        north.bus.beat()
    assert [each["event"] for each in told if "south" in each["event"]] == [
        f"{name} is not heard any more, nor are its peers until it is back",
        f"{name} is heard again",
    ]
    # Whoever was cut off itself does not blame the others.
    clock.now += BUS_SILENT_SECONDS
    wire.listeners.clear()
    with capture_logs() as told:
        north.bus.join(wire)
        north.bus.beat()
    assert told == []
