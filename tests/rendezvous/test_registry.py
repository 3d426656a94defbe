"""Who has left a sign, and what of it is handed on. Time is a number the tests turn."""

from __future__ import annotations

import contextlib
import tracemalloc

import pytest
from tests.clock import Clock

from goop2.net.faults import AddressError
from goop2.protocols import base58
from goop2.protocols.presence import Presence
from goop2.rendezvous import registry as module
from goop2.rendezvous.limits import PEERS_BYTES_MAX, PEERS_MAX, PUBLISHED_PER_MINUTE, SILENT_SECONDS
from goop2.rendezvous.registry import AnnouncementRateError, Registry, RegistryFullError


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(clock: Clock) -> Registry:
    return Registry(clock)


def a_peer(number: int = 0) -> str:
    """An id that holds a key; whether it is a point of the curve is nobody's business here."""
    return base58.encode(b"\x00\x24\x08\x01\x12\x20" + number.to_bytes(32, "big"))


def bytes_of(registry: Registry) -> int:
    """What the texts of all peers take."""
    return sum(room.bytes for room in registry._rooms.values())


ANN = a_peer(1)


def test_a_sign_is_handed_on_and_its_peer_is_here_for_20_seconds(registry: Registry, clock: Clock) -> None:
    said = Presence("online", ANN, "Ann", ts=1)
    assert registry.post("192.0.2.1", said) == said
    clock.now += 19
    assert registry.peers() == [said]
    clock.now += 1
    assert len(registry) == 0


def test_a_goodbye_is_handed_on_from_where_the_peer_spoke_and_from_nowhere_else(registry: Registry) -> None:
    registry.post("192.0.2.1", Presence("online", ANN))
    assert registry.post("203.0.113.9", Presence("offline", ANN)) is None
    assert len(registry) == 1
    assert registry.post("192.0.2.1", Presence("offline", ANN)) is not None
    assert len(registry) == 0
    assert registry.post("192.0.2.1", Presence("offline", ANN)) is None


def test_whoever_pretends_to_be_a_peer_cannot_say_goodbye_for_it(registry: Registry, clock: Clock) -> None:
    registry.post("192.0.2.1", Presence("online", ANN))
    registry.post("203.0.113.9", Presence("online", ANN, addrs=("/ip4/203.0.113.9/tcp/1",)))
    assert registry.post("203.0.113.9", Presence("offline", ANN)) is None
    clock.now += 15
    registry.post("203.0.113.9", Presence("online", ANN))
    clock.now += 6
    assert registry.post("203.0.113.9", Presence("offline", ANN)) is not None, "the peer itself is silent by now"


def test_nobody_is_verified_here(registry: Registry) -> None:
    handed_on = registry.post("192.0.2.1", Presence("online", ANN, verified=True))
    assert handed_on is not None
    assert not handed_on.verified


def test_a_punch_is_handed_on_and_puts_nobody_on_the_list(registry: Registry) -> None:
    assert registry.post("192.0.2.1", Presence("punch", ANN, target=a_peer(2))) is not None
    assert len(registry) == 0


def test_what_is_no_peer_is_refused(registry: Registry) -> None:
    with pytest.raises(AddressError):
        registry.post("192.0.2.1", Presence("online", "<script>"))


def test_an_address_publishes_60_a_minute_and_then_one_a_second(registry: Registry, clock: Clock) -> None:
    for _ in range(PUBLISHED_PER_MINUTE):
        registry.admit("192.0.2.1")
    with pytest.raises(AnnouncementRateError):
        registry.admit("192.0.2.1")
    registry.admit("192.0.2.2")
    clock.now += 1
    registry.admit("192.0.2.1")


def test_ten_thousand_invented_peers_are_held_to_the_bound_and_push_out_nobody(registry: Registry, clock: Clock) -> None:
    assert registry.post("192.0.2.9", Presence("online", ANN)) is not None
    for number in range(10_000):
        with contextlib.suppress(RegistryFullError):
            registry.post("192.0.2.1", Presence("online", a_peer(number)))
    assert len(registry) == PEERS_MAX
    assert ANN in [said.peer_id for said in registry.peers()]
    assert registry.post("192.0.2.9", Presence("update", ANN)) is not None, "who is here may go on"
    with pytest.raises(RegistryFullError):
        registry.post("192.0.2.1", Presence("online", a_peer(20_000)))
    clock.now += 20
    assert registry.post("192.0.2.1", Presence("online", a_peer(20_000))) is not None, "there is room when others fell silent"


@pytest.mark.slow
def test_long_texts_are_held_to_a_bound_too(registry: Registry) -> None:
    addrs = tuple(f"/dns4/{'x' * 235}{number}/tcp/1" for number in range(16))
    tracemalloc.start()
    try:
        for number in range(10_000):
            with contextlib.suppress(RegistryFullError):
                registry.post("192.0.2.1", Presence("online", a_peer(number), f"{number}" * 60, addrs=addrs))
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert PEERS_BYTES_MAX / 2 < bytes_of(registry) <= PEERS_BYTES_MAX
    assert held < 2 * PEERS_BYTES_MAX
    registry._clock.now += 20  # type: ignore[attr-defined]
    registry.expire()
    assert bytes_of(registry) == 0


def test_who_is_here_stays_though_there_is_no_room_for_a_longer_text(
    registry: Registry, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.post("192.0.2.1", Presence("online", ANN, "Ann"))
    most = bytes_of(registry) + 10
    monkeypatch.setattr(module, "PEERS_BYTES_MAX", most)
    clock.now += 19
    longer = Presence("update", ANN, "Ann" * 50)
    assert registry.post("192.0.2.1", longer) == longer, "it is handed on"
    clock.now += 19
    assert ([each.label for each in registry.peers()], bytes_of(registry) <= most) == (["Ann"], True)
    with pytest.raises(RegistryFullError):
        registry.post("192.0.2.1", Presence("online", a_peer(2)))


def test_what_says_nothing_new_is_handed_on_every_second_time_and_a_change_at_once(registry: Registry, clock: Clock) -> None:
    handed_on = []
    for number in range(9):
        said = Presence("update", ANN, "Ann" if number < 5 else "Ann Other", ts=number)
        handed_on.append(registry.post("192.0.2.1", said) is not None)
        clock.now += 5
    assert handed_on == [True, False, True, False, True, True, False, True, False]


@pytest.mark.parametrize("pause", [1.0, 2.5, 4.0, 5.0, 6.0, 7.0, 8.5, 9.5, 15.0, 19.0])
def test_a_peer_that_is_here_is_handed_on_before_others_think_it_is_gone(registry: Registry, clock: Clock, pause: float) -> None:
    last, longest = clock.now, 0.0
    while clock.now < 200:
        if registry.post("192.0.2.1", Presence("update", ANN, ts=int(clock.now))) is not None:
            longest, last = max(longest, clock.now - last), clock.now
        clock.now += pause
    assert longest < SILENT_SECONDS


def test_a_peer_that_comes_back_is_handed_on_at_once(registry: Registry, clock: Clock) -> None:
    registry.post("192.0.2.1", Presence("online", ANN))
    registry.post("192.0.2.1", Presence("offline", ANN))
    assert registry.post("192.0.2.1", Presence("online", ANN)) is not None


def test_those_who_are_asked_for_are_found_if_they_are_here(registry: Registry) -> None:
    registry.post("192.0.2.1", Presence("online", ANN, "Ann"))
    registry.post("192.0.2.1", Presence("online", a_peer(2), "Bob"))
    assert [b"Bob" in each for each in registry.present((a_peer(2), a_peer(3)))] == [True]
    assert len(registry.present()) == 2
