"""The text of an address becomes one target, or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.services.http_client.errors import BlockedError, OutboundError
from goop2.services.http_client.url import Target, canonical_host, read_redirect, read_url


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://example.com", Target("http", "example.com", 80, "/")),
        ("https://example.com/", Target("https", "example.com", 443, "/")),
        ("HTTPS://EXAMPLE.com:8443/A?b=C", Target("https", "example.com", 8443, "/A?b=C")),
        ("http://example.com?q=1", Target("http", "example.com", 80, "/?q=1")),
        ("http://example.com/a b?q=New York", Target("http", "example.com", 80, "/a%20b?q=New%20York")),
        ("http://example.com/%20é?x=%zz", Target("http", "example.com", 80, "/%20%C3%A9?x=%zz")),
        ("http://example.com/a#part", Target("http", "example.com", 80, "/a")),
        ("http://example.com#part?no=query", Target("http", "example.com", 80, "/")),
        ("http://example.com.:80/", Target("http", "example.com", 80, "/")),
        ("http://example.com:/", Target("http", "example.com", 80, "/")),
        ("http://münchen.example/", Target("http", "xn--mnchen-3ya.example", 80, "/")),
        ("http://8.8.8.8/", Target("http", "8.8.8.8", 80, "/")),
        ("http://[2606:4700:0::1]:81/", Target("http", "2606:4700::1", 81, "/")),
        ("http://me:p%40ss@example.com/", Target("http", "example.com", 80, "/", "me:p@ss")),
        ("http://my_box.local/", Target("http", "my_box.local", 80, "/")),
    ],
)
def test_an_address_is_read(url: str, target: Target) -> None:
    assert read_url(url) == target


def test_bytes_that_are_no_text_are_percent_encoded() -> None:
    assert read_url(b"http://example.com/\xff".decode("utf-8", "surrogateescape")).path == "/%FF"


def test_an_address_may_have_8192_bytes() -> None:
    start = "http://example.com/"
    assert read_url(start + "a" * (8192 - len(start)))
    with pytest.raises(OutboundError, match="the address has 8193 bytes; the most is 8192"):
        read_url(start + "a" * (8193 - len(start)))


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/next", "https://example.com/next"),
        ("next?x=1", "https://example.com/dir/next?x=1"),
        ("../up", "https://example.com/up"),
        ("?q", "https://example.com/dir/page?q"),
        ("//other.example/x", "https://other.example/x"),
        ("http://other.example/", "http://other.example/"),
        ("/a b", "https://example.com/a%20b"),
        ("https://me:secret@other.example/", "https://other.example/"),
    ],
)
def test_a_redirect_is_read_from_where_it_came(location: str, expected: str) -> None:
    assert read_redirect(read_url("https://example.com/dir/page"), location) == read_url(expected)


@given(st.text(max_size=60))
def test_whatever_the_text_the_host_has_one_spelling_or_none(host: str) -> None:
    try:
        canonical = canonical_host(host)
    except BlockedError:
        return
    assert canonical.isascii()
    assert canonical == canonical.lower()
    assert canonical_host(f"[{canonical}]" if ":" in canonical else canonical) == canonical


@given(st.text(alphabet=st.sampled_from("http:/@[]%\\?#.127x localh\t\n\u3002é"), max_size=40))
def test_whatever_the_text_it_is_read_or_refused_in_a_sentence(text: str) -> None:
    try:
        target = read_url(f"http://{text}")
    except OutboundError:
        return
    assert str(target).isascii()
    assert not set(str(target)) & set(" \t\r\n\\")
