"""Who is believed about whom they speak for, and which address they name."""

from __future__ import annotations

import pytest

from goop2.web.http.proxies import NO_PROXIES, Proxies


@pytest.mark.parametrize(
    ("proxies", "address", "believed"),
    [
        (["192.0.2.1"], "192.0.2.1", True),
        (["192.0.2.1"], "::ffff:192.0.2.1", True),
        (["192.0.2.1"], "192.0.2.2", False),
        (["10.0.0.0/8", "::1"], "10.9.8.7", True),
        (["10.0.0.0/8", "::1"], "::1", True),
        (["10.0.0.0/8"], "nonsense", False),
        ([], "127.0.0.1", False),
    ],
)
def test_who_is_believed(proxies: list[str], address: str, believed: bool) -> None:
    assert (address in Proxies(proxies)) is believed
    assert address not in NO_PROXIES


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        ([], ""),
        ([""], ""),
        (["unknown"], ""),
        (["203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, 2001:db8::1"], "2001:db8::1"),
        # A proxy may add its word in a line of its own.
        (["198.51.100.7", "203.0.113.9"], "203.0.113.9"),
        # Some add the client's port.
        (["203.0.113.9:51234"], "203.0.113.9"),
        (["[2001:db8::1]:51234"], "2001:db8::1"),
        (["[2001:db8::2]"], "2001:db8::2"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, "], ""),
    ],
)
def test_the_last_address_is_the_clients(lines: list[str], client: str) -> None:
    assert Proxies(["::1"]).client_of([(b"host", b"x"), *((b"x-forwarded-for", line.encode()) for line in lines)]) == client
