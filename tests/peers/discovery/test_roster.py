"""Who is believed to be here. Time is a number the tests turn."""

from __future__ import annotations

import tracemalloc

import pytest
from tests.clock import Clock

from goop2.peers.discovery.roster import PEERS_MAX, Roster, RosterChange
from goop2.protocols.presence import Presence


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def roster(clock: Clock) -> Roster:
    return Roster("me", clock)


@pytest.fixture
def changes(roster: Roster) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []

    def note(change: RosterChange) -> None:
        seen.append((change.what, change.peer.id))

    roster.subscribe(note)
    return seen


def online(peer: str, ts: int = 1, **more: object) -> Presence:
    return Presence("online", peer, ts=ts, **more)  # type: ignore[arg-type]


def labels(roster: Roster) -> dict[str, str]:
    return {peer.id: peer.label for peer in roster.peers()}


def test_a_peer_is_here_from_its_first_sign_until_20_seconds_after_its_last(
    roster: Roster, clock: Clock, changes: list[tuple[str, str]]
) -> None:
    roster.signed("ann", online("ann"))
    clock.now += 19
    roster.signed("ann", online("ann", 2))
    clock.now += 19.9
    assert labels(roster) == {"ann": "ann"}
    clock.now += 0.1
    assert labels(roster) == {}
    assert changes == [("online", "ann"), ("offline", "ann")]


def test_a_peer_that_says_goodbye_is_gone_at_once(roster: Roster, changes: list[tuple[str, str]]) -> None:
    roster.signed("ann", online("ann"))
    roster.signed("ann", Presence("offline", "ann", ts=2))
    assert changes == [("online", "ann"), ("offline", "ann")]


def test_only_what_is_new_is_told(roster: Roster, changes: list[tuple[str, str]]) -> None:
    for ts in range(3):
        roster.signed("ann", online("ann", ts, label="Ann"))
    roster.signed("ann", Presence("update", "ann", "Anna", ts=4))
    assert changes == [("online", "ann"), ("update", "ann")]


def test_nobody_is_believed_about_another(roster: Roster) -> None:
    roster.signed("ann", online("ann"))
    assert not roster.signed("eve", Presence("offline", "ann", ts=9))
    assert not roster.signed("eve", online("bob"))
    assert labels(roster) == {"ann": "ann"}


def test_a_forged_offline_at_a_rendezvous_takes_nobody_away(roster: Roster) -> None:
    roster.signed("ann", online("ann"))
    roster.hearsay(online("bob"))
    for peer in ("ann", "bob"):
        assert not roster.hearsay(Presence("offline", peer, ts=9))
    assert set(labels(roster)) == {"ann", "bob"}


def test_hearsay_changes_nothing_a_peer_has_said_itself(roster: Roster) -> None:
    roster.signed("ann", online("ann", label="Ann", addrs=("/ip4/192.0.2.7/tcp/1",)))
    roster.hearsay(online("ann", 9, label="Mallory", addrs=("/ip4/203.0.113.1/tcp/1",)))
    peer = roster.get("ann")
    assert peer is not None
    assert (peer.label, peer.addresses, peer.proved) == ("Ann", ("/ip4/192.0.2.7/tcp/1",), True)


def test_hearsay_does_not_keep_a_peer_that_is_gone(roster: Roster, clock: Clock) -> None:
    roster.signed("ann", online("ann"))
    for _ in range(3):
        clock.now += 10
        if roster.get("ann") is not None and roster.get("ann").proved:  # type: ignore[union-attr]
            assert not roster.hearsay(online("ann", 9))
        roster.expire()
    assert roster.get("ann") is None


def test_what_a_peer_says_itself_takes_the_place_of_hearsay(roster: Roster) -> None:
    roster.hearsay(online("ann", label="Mallory"))
    roster.signed("ann", online("ann", label="Ann"))
    assert labels(roster) == {"ann": "Ann"}


def test_a_replayed_message_is_dropped_though_the_peer_is_gone(roster: Roster, clock: Clock) -> None:
    roster.signed("ann", online("ann", 5))
    roster.signed("ann", Presence("offline", "ann", ts=6))
    assert not roster.signed("ann", online("ann", 5))
    clock.now += 121
    assert roster.signed("ann", online("ann", 5)), "its clock may have been set back"


def test_a_peer_that_starts_anew_with_its_clock_set_back_does_not_go_offline(roster: Roster, clock: Clock) -> None:
    roster.signed("ann", online("ann", 1_000_000))
    ts = 5
    for _ in range(5):
        clock.now += 5
        ts += 5000
        roster.signed("ann", online("ann", ts))
        roster.expire()
        assert roster.get("ann") is not None


def test_a_new_connection_makes_an_older_sign_no_replay(roster: Roster) -> None:
    roster.signed("ann", online("ann", 1_000_000))
    assert not roster.signed("ann", online("ann", 5))
    roster.connected("ann")
    assert roster.signed("ann", online("ann", 5))


def test_what_a_peer_tells_us_of_its_address_its_signs_do_not_erase(roster: Roster) -> None:
    roster.signed("ann", online("ann", 1))
    roster.introduced("ann", "Ann", "ann@example.org")
    roster.signed("ann", online("ann", 2))
    assert (known := roster.get("ann")) is not None
    assert known.email == "ann@example.org"
    roster.introduced("ann", "Ann", "")
    assert (known := roster.get("ann")) is not None
    assert known.email == ""


def test_a_clock_that_is_years_off_does_no_harm(roster: Roster) -> None:
    for ts in (0, -(10**15), 10**15):
        peer = f"peer-{ts}"
        assert roster.signed(peer, online(peer, ts))
    assert len(roster) == 3


def test_a_missing_key_does_not_erase_a_known_one(roster: Roster) -> None:
    roster.signed("ann", online("ann", 1, public_key="k", encryption_supported=True))
    roster.signed("ann", online("ann", 2))
    peer = roster.get("ann")
    assert peer is not None
    assert (peer.public_key, peer.encryption_supported) == ("k", True)


def test_a_key_somebody_else_tells_is_never_the_peers_own(roster: Roster) -> None:
    roster.hearsay(online("ann", 1, public_key="lie", encryption_supported=True))
    roster.signed("ann", online("ann", 2, encryption_supported=True))
    roster.hearsay(online("ann", 3, public_key="another"))
    peer = roster.get("ann")
    assert peer is not None
    assert (peer.public_key, peer.encryption_supported, peer.hinted_key) == ("", True, "another")


def test_a_connection_is_a_sign(roster: Roster, clock: Clock) -> None:
    roster.signed("ann", online("ann", label="Ann"))
    clock.now += 15
    roster.alive("ann")
    roster.alive("bob")
    clock.now += 15
    assert labels(roster) == {"ann": "Ann", "bob": "bob"}


def test_this_peer_is_not_in_its_own_list(roster: Roster) -> None:
    roster.alive("me")
    assert not roster.signed("me", online("me"))
    assert not roster.hearsay(online("me"))
    assert len(roster) == 0


def test_invented_peers_push_out_no_proved_one(roster: Roster) -> None:
    roster.signed("ann", online("ann"))
    for number in range(PEERS_MAX + 100):
        roster.hearsay(online(f"invented-{number}"))
    assert len(roster) == PEERS_MAX
    assert roster.get("ann") is not None


def test_nobody_comes_and_goes_when_there_are_more_peers_than_are_kept(roster: Roster, clock: Clock) -> None:
    peers = [f"peer-{number}" for number in range(PEERS_MAX + 100)]
    for _ in range(2):
        for peer in peers:
            roster.hearsay(online(peer))
    changes: list[RosterChange] = []
    roster.subscribe(changes.append)
    for _ in range(3):
        clock.now += 5
        for peer in peers:
            roster.hearsay(online(peer))
    assert changes == []
    roster.signed("ann", online("ann"))
    assert [change.what for change in changes] == ["offline", "online"], "one that has proved itself takes a place"


def test_500_peers_coming_and_going_for_a_day_leave_memory_flat(roster: Roster, clock: Clock) -> None:
    def hour(number: int) -> None:
        for peer in (f"peer-{number}-{each}" for each in range(500)):
            roster.signed(peer, online(peer, int(clock.now * 1000)))
        clock.now += 3600
        roster.expire()

    for number in range(6):
        hour(number)
    tracemalloc.start()
    try:
        hour(6)
        before = tracemalloc.get_traced_memory()[0]
        for number in range(7, 24):
            hour(number)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(roster) == 0
    assert len(roster._last_ts) == PEERS_MAX
    # What is traced only replaces, peer by peer, what was kept before tracing began.
    assert grown < 600_000


def test_what_a_peer_is_called_when_asked_stands_until_its_signs_say_more(roster: Roster) -> None:
    roster.introduced("ann", "Ann\x1b")
    roster.introduced("ann", "Anna")
    assert labels(roster) == {"ann": "Ann"}
    roster.signed("ann", online("ann", 5, label="Annie"))
    roster.introduced("ann", "Ann")
    assert labels(roster) == {"ann": "Annie"}


def test_who_comes_by_hearsay_after_all_were_proved_gives_its_place_to_one_who_proves_itself(roster: Roster) -> None:
    for number in range(PEERS_MAX):
        roster.signed(f"peer-{number}", online(f"peer-{number}"))
    roster.signed("late", online("late"))
    assert roster.get("late") is None
    roster.signed("peer-7", Presence("offline", "peer-7", ts=2))
    roster.hearsay(online("named"))
    assert roster.get("named") is not None
    roster.signed("late", online("late", 2))
    assert roster.get("late") is not None
    assert roster.get("named") is None
    assert len(roster) == PEERS_MAX


def test_one_search_says_that_all_have_proved_themselves(roster: Roster) -> None:
    for number in range(PEERS_MAX):
        roster.signed(f"peer-{number}", online(f"peer-{number}"))
    roster.signed("late", online("late"))
    assert roster._all_proved
    roster.signed("later", online("later"))
    assert len(roster) == PEERS_MAX
    roster.signed("peer-7", Presence("offline", "peer-7", ts=2))
    roster.hearsay(online("named"))
    assert not roster._all_proved
