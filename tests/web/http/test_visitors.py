"""Who visitors from beyond loopback are."""

from __future__ import annotations

import re

import pytest

from goop2.protocols.source_network import network_of
from goop2.web.http.visitors import named_visitor, visitor

SECRET = "0123456789abcdef0123456789abcdef"


def test_a_new_visitor_is_given_a_cookie_by_which_they_are_the_same_next_time() -> None:
    first, cookie = visitor(b"", "10.0.0.7")
    assert cookie is not None
    again, none = visitor(cookie.split(b";")[0], "10.0.0.7")
    assert again == first
    assert none is None
    assert re.fullmatch(r"visitor-[0-9a-f]{20}", first.id)
    assert not first.owner


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites() -> None:
    _, cookie = visitor(b"", "10.0.0.7")
    assert cookie is not None
    assert b"; HttpOnly" in cookie
    assert b"; SameSite=Lax" in cookie


def test_two_new_visitors_are_two() -> None:
    assert visitor(b"", "10.0.0.7")[0].id != visitor(b"", "10.0.0.7")[0].id


def test_whoever_sees_an_id_cannot_become_its_owner() -> None:
    seen, _ = visitor(f"goop2_visitor={SECRET}".encode(), "10.0.0.7")
    tail = seen.id.removeprefix("visitor-")
    for forged in (tail, tail + "0" * 12, seen.id):
        other, cookie = visitor(f"goop2_visitor={forged}".encode(), "10.0.0.8")
        assert other.id != seen.id
        assert cookie is None or cookie
    assert SECRET[:20] not in seen.id


@pytest.mark.parametrize(
    "cookies",
    [f"a=b; goop2_visitor={SECRET}", f"goop2_visitor={SECRET}; theme=dark", f"x=1;goop2_visitor={SECRET};y=2", f" goop2_visitor={SECRET} "],
)
def test_other_cookies_of_the_host_do_not_matter(cookies: str) -> None:
    assert visitor(cookies.encode(), "")[1] is None


@pytest.mark.parametrize(
    "cookies", [f"goop2_visitor={SECRET[1:]}", f"goop2_visitor={SECRET}0", f"goop2_visitor={SECRET.upper()}", f"xgoop2_visitor={SECRET}"]
)
def test_a_cookie_of_another_form_is_none(cookies: str) -> None:
    assert visitor(cookies.encode(), "")[1] is not None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_addresses_one_subscriber_has_count_as_one(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_test_visitor_is_a_stranger_with_the_name_of_its_origin() -> None:
    caller = named_visitor("ann")
    assert (caller.id, caller.owner) == ("visitor-ann", False)
