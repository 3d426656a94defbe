"""The server's page."""

from __future__ import annotations

from goop2.protocols.presence import Presence
from goop2.rendezvous.limits import PAGE_PEERS_MAX
from goop2.rendezvous.page import HEADERS, render


def test_the_page_shows_who_is_here() -> None:
    page = render([Presence("online", "12D3KooA", "Ann"), Presence("online", "12D3KooB")])
    assert "2 peers" in page
    assert "Ann" in page
    assert "(no name)" in page
    assert "Nobody yet" in render([])


def test_a_strangers_text_is_text() -> None:
    page = render([Presence("online", "12D3KooA", '<script>alert(1)</script>{count}"')])
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{count}&quot;" in page


def test_no_script_runs_but_the_servers_own() -> None:
    assert "script-src 'self'" in HEADERS["content-security-policy"]
    assert "default-src 'none'" in HEADERS["content-security-policy"]


def test_a_crowd_is_shown_in_part() -> None:
    page = render([Presence("online", f"12D3KooA{number}") for number in range(PAGE_PEERS_MAX + 1)])
    assert page.count("<li>") == PAGE_PEERS_MAX
    assert f"the first {PAGE_PEERS_MAX} shown" in page
