"""Headers and bodies a script would smuggle something in with, and addresses that would write headers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.services.http_client.stage import Stage, answering, fetch, get, post

from goop2.services.http_client.errors import BlockedError, OutboundError
from goop2.services.http_client.request import USER_AGENT, checked_headers

SMUGGLED = {
    "a header in a value": ("X-A", "b\r\nX-Injected: yes"),
    "a header after a bare new line": ("X-A", "b\nX-Injected: yes"),
    "a header after a bare return": ("X-A", "b\rX-Injected: yes"),
    "a second request in a value": ("X-A", "b\r\n\r\nGET /admin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    "a null byte in a value": ("X-A", "b\0c"),
    "an escape in a value": ("X-A", "\x1b[2J"),
    "a header in a name": ("X-A: b\r\nX-Injected", "yes"),
    "a colon in a name": ("X-A: b", "yes"),
    "a blank in a name": ("X A", "yes"),
    "a blank after a name": ("Transfer-Encoding ", "chunked"),
    "a new line after a name": ("X-A\n", "yes"),
    "a name of nothing": ("", "yes"),
    "a name of other letters": ("Höst", "127.0.0.1"),
    "the first line in a name": ("GET / HTTP/1.1", "yes"),
    "another host": ("Host", "127.0.0.1"),
    "another host in capitals": ("HOST", "127.0.0.1"),
    "another length": ("Content-Length", "5"),
    "another framing": ("Transfer-Encoding", "chunked"),
    "a kept connection": ("Connection", "keep-alive"),
    "a protocol switched": ("Upgrade", "h2c"),
    "an encoding that could be a bomb": ("Accept-Encoding", "br"),
    "another sender": ("User-Agent", "Mozilla/5.0"),
    "credentials for a proxy": ("Proxy-Authorization", "Basic x"),
    "an expectation": ("Expect", "100-continue"),
    "trailers": ("TE", "trailers"),
}


@pytest.mark.parametrize("header", SMUGGLED.values(), ids=SMUGGLED)
def test_smuggled(header: tuple[str, str]) -> None:
    with pytest.raises(BlockedError) as caught:
        checked_headers([("Accept", "text/plain"), header])
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("count", [51, 1000])
def test_too_many_headers(count: int) -> None:
    with pytest.raises(OutboundError, match="at most 50 headers"):
        checked_headers((f"X-{number}", "") for number in range(count))


def test_headers_too_large() -> None:
    with pytest.raises(OutboundError, match="16384 characters"):
        checked_headers([("X-A", "b" * 16384)])


@pytest.mark.parametrize("value", ["", "plain", "with a blank", "a\tb", "é", "x" * 1000])
async def test_an_honest_value_arrives(stage: Stage, value: str) -> None:
    house = await stage.house("good.example", answering())
    await fetch(stage.client(), get("http://good.example/", x_a=value))
    assert house.heard[0].headers["x-a"].encode("latin-1").decode() == value


async def test_blanks_around_a_value_are_taken_off(stage: Stage) -> None:
    house = await stage.house("good.example", answering())
    await fetch(stage.client(), get("http://good.example/", x_a="  b "))
    assert house.heard[0].headers["x-a"] == "b"


async def test_the_address_writes_no_header(stage: Stage) -> None:
    house = await stage.house("good.example", answering())
    await fetch(stage.client(), "http://good.example/a HTTP/1.1?q=b c&d=\u2028\u0085\u010d\u010a")
    heard = house.heard[0]
    assert heard.path == "/a%20HTTP/1.1?q=b%20c&d=%E2%80%A8%C2%85%C4%8D%C4%8A"
    assert set(heard.headers) == {"host", "user-agent", "accept-encoding", "connection"}


async def test_the_sender_is_this_software_and_nothing_of_the_owner(stage: Stage) -> None:
    house = await stage.house("good.example", answering())
    await fetch(stage.client(), "http://good.example/")
    assert house.heard[0].headers == {"host": "good.example", "user-agent": USER_AGENT, "accept-encoding": "gzip", "connection": "close"}
    assert USER_AGENT.startswith("goop2-python/")


async def test_the_host_header_is_the_canonical_name(stage: Stage) -> None:
    house = await stage.house("good.example", answering(), port=8080)
    await fetch(stage.client(), "http://me@GOOD.example.:8080/")
    assert house.heard[0].headers["host"] == "good.example:8080"


async def test_a_body_that_looks_like_a_request_stays_a_body(stage: Stage) -> None:
    house = await stage.house("good.example", answering())
    smuggled = b"0\r\n\r\nGET /admin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    await fetch(stage.client(), post("http://good.example/", smuggled))
    assert (len(house.heard), house.heard[0].body) == (1, smuggled)


async def test_cookies_are_not_kept_between_requests(stage: Stage) -> None:
    house = await stage.house("good.example", answering(headers=["Set-Cookie: session=secret; Path=/"]))
    client = stage.client()
    await fetch(client, "http://good.example/")
    await fetch(client, "http://good.example/")
    assert "cookie" not in house.heard[1].headers


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"])
async def test_a_proxy_of_the_environment_is_ignored(stage: Stage, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, f"http://127.0.0.1:{stage.trap.port}")
    house = await stage.house("good.example", answering())
    await fetch(stage.client(), "http://good.example/")
    assert (house.connections, stage.trap.connections) == (1, 0)


async def test_credentials_of_the_owners_netrc_are_ignored(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine good.example login me password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    house = await stage.house("good.example", answering())
    await fetch(stage.client(), "http://good.example/")
    assert "authorization" not in house.heard[0].headers
