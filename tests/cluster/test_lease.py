"""Who may speak as a peer, without a server: what owner and standby do about each state of a lease, and how long is waited."""

from __future__ import annotations

import msgspec
import pytest

from goop2.cluster.lease import FoundLease, LeaseRecord, LeaseWatch, Step, owners_step, passed_sentence, standbys_step
from goop2.cluster.limits import HOLD_SECONDS, LEASE_SECONDS, RENEW_SECONDS

MINE = LeaseRecord(holder="me", host="attic", label="blog", writer="me", term=1)


def owner(record: LeaseRecord | None, *, holding: bool = False, is_new: bool = False, is_over: bool = False) -> Step:
    found = FoundLease(record, 7) if record is not None else None
    return owners_step(found, "me", holding=holding, is_new=is_new, is_over=is_over)


def standby(record: LeaseRecord | None, *, is_over: bool = False) -> Step:
    return standbys_step(FoundLease(record, 7) if record is not None else None, "spare", is_over=is_over)


def changed(**changes: object) -> LeaseRecord:
    return msgspec.structs.replace(MINE, **changes)


def test_an_owner_renews_what_it_holds_and_takes_what_was_given_back() -> None:
    assert owner(MINE, holding=True) is Step.WRITE
    assert owner(changed(holder="")) is Step.WRITE
    assert owner(None, is_new=True) is Step.WRITE


def test_an_owner_whose_rows_are_not_the_newest_stops_whatever_else_is_so() -> None:
    for holder in ("", "me", "spare"):
        for is_over in (False, True):
            assert owner(changed(holder=holder, writer="spare", term=2), is_over=is_over) is Step.FENCED


def test_an_owner_waits_for_a_standby_that_is_being_made_the_peer_and_goes_on_when_that_failed() -> None:
    assert owner(changed(holder="spare")) is Step.WAIT
    assert owner(changed(holder="spare"), is_over=True) is Step.WRITE


def test_a_record_that_was_removed_is_written_anew_by_its_holder_at_once_and_by_others_after_a_wait() -> None:
    assert owner(None, holding=True) is Step.WRITE
    assert owner(None) is Step.WAIT
    assert owner(None, is_over=True) is Step.WRITE
    assert standby(None) is Step.WAIT
    assert standby(None, is_over=True) is Step.WRITE


def test_an_owner_hands_over_to_a_standby_that_was_promoted_by_hand_and_does_not_take_it_back() -> None:
    assert owner(changed(wanted_by="spare"), holding=True) is Step.HAND_OVER
    assert owner(changed(wanted_by="spare", holder="")) is Step.WAIT
    assert standby(changed(wanted_by="spare", holder="")) is Step.WRITE
    assert standby(changed(wanted_by="other", holder="")) is Step.WAIT


def test_a_standby_takes_nothing_that_is_renewed() -> None:
    assert standby(MINE) is Step.WAIT
    assert standby(MINE, is_over=True) is Step.WRITE
    assert standby(changed(holder="spare")) is Step.WRITE, "its own it renews"


def test_a_lease_is_over_when_it_was_seen_unchanged_for_its_time_and_a_server_that_was_away_begins_it_anew() -> None:
    watch = LeaseWatch()
    assert not watch.is_over(1e9), "nothing was seen yet"
    watch.see(7, 100.0)
    watch.see(7, 105.0)
    assert not watch.is_over(100.0 + LEASE_SECONDS - 0.01)
    assert watch.is_over(100.0 + LEASE_SECONDS)
    watch.see(8, 111.0)
    assert not watch.is_over(111.0)
    watch.forget()
    assert not watch.is_over(1e9)
    watch.see(8, 200.0)
    assert not watch.is_over(209.0)


def test_the_owner_stops_before_anybody_else_begins() -> None:
    assert RENEW_SECONDS * 2 < HOLD_SECONDS < LEASE_SECONDS - 1


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"holder":1}', b'{"holder":"' + b"x" * 300 + b'"}', b"\xff"])
def test_a_record_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        msgspec.json.decode(content, type=LeaseRecord)


def test_the_owner_of_passed_rows_is_told_by_whom_and_what_to_do() -> None:
    said = passed_sentence(changed(host="barn", term=2), "tls://hub:4222")
    assert said.startswith("barn has taken the place of this peer (term 2 of its backup), so nothing is served or written")
    assert "goop2 standby NEW --join tls://hub:4222" in said
