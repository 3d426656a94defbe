"""Redirects that lead astray."""

from __future__ import annotations

import asyncio

import pytest
from tests.services.http_client.stage import ANOTHER, Heard, Listener, Stage, answering, fetch, get, post, redirecting, server_tls

from goop2.services.http_client.errors import OutboundError

ASTRAY = {
    "loopback": ("http://127.0.0.1/", "blocked: 127.0.0.1 is a loopback address"),
    "loopback on another port": ("http://127.0.0.1:8780/", "blocked: 127.0.0.1 is a loopback address"),
    "a private network": ("http://10.0.0.5/", "blocked: 10.0.0.5 is a private address"),
    "a metadata service": ("http://169.254.169.254/", "blocked: 169.254.169.254 is a link-local address"),
    "IPv6 loopback": ("http://[::1]/", "blocked: ::1 is a loopback address"),
    "loopback without a scheme": ("//127.0.0.1/", "blocked: 127.0.0.1 is a loopback address"),
    "loopback by a name": ("http://inside.example/", "blocked: 127.0.0.1 is a loopback address"),
    "loopback behind a user": ("http://evil.example@127.0.0.1/", "blocked: 127.0.0.1 is a loopback address"),
    "loopback with TLS": ("https://127.0.0.1/", "blocked: 127.0.0.1 is a loopback address"),
    "an odd spelling": ("http://0x7f.1/", "blocked: 0x7f.1 is no plain spelling"),
    "a file": ("file:///etc/passwd", "blocked: file:///etc/passwd is no http or https address"),
    "gopher": ("gopher://127.0.0.1/", "blocked: gopher://127.0.0.1/ is no http or https address"),
    "data": ("data:text/plain,hello", "blocked: data:text/plain,hello is no http or https address"),
    "port 0": ("http://evil.example:0/", "blocked: port 0 is not between"),
    "a tab in a scheme": ("ht\ttp://127.0.0.1/", "blocked: the address holds a control character"),
    "a broken address": ("http://[::1/", "blocked: the redirect to http://[::1/ is no address"),
}
URL = "http://evil.example/"


async def refused(stage: Stage, start: str = URL) -> str:
    with pytest.raises(OutboundError) as caught:
        await fetch(stage.client(), start)
    assert stage.trap.connections == 0
    return str(caught.value)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize(("location", "why"), ASTRAY.values(), ids=ASTRAY)
async def test_a_redirect_to(stage: Stage, location: str, why: str, status: str) -> None:
    await stage.house("evil.example", redirecting(location, status))
    stage.names["inside.example"] = ["127.0.0.1"]
    assert (await refused(stage)).startswith(why)


async def test_the_last_of_several_hops_passes_the_same_gate(stage: Stage) -> None:
    async def onward(heard: Heard, writer: asyncio.StreamWriter) -> None:
        step = int(heard.path[1:] or 0)
        await redirecting("http://127.0.0.1/" if step == 4 else f"/{step + 1}")(heard, writer)

    house = await stage.house("evil.example", onward)
    assert await refused(stage) == "blocked: 127.0.0.1 is a loopback address"
    assert house.connections == 5


async def test_a_redirect_without_end_ends_after_five(stage: Stage) -> None:
    house = await stage.house("evil.example", redirecting("/"))
    assert await refused(stage) == "more than 5 redirects"
    assert house.connections == 6


async def test_five_redirects_are_followed(stage: Stage) -> None:
    async def onward(heard: Heard, writer: asyncio.StreamWriter) -> None:
        step = int(heard.path[1:] or 0)
        await (answering(b"there") if step == 5 else redirecting(f"/{step + 1}"))(heard, writer)

    await stage.house("good.example", onward)
    assert (await fetch(stage.client(), "http://good.example/")).body == b"there"


async def test_a_name_that_changes_between_hops_is_checked_again(stage: Stage) -> None:
    async def moving(heard: Heard, writer: asyncio.StreamWriter) -> None:
        stage.names["evil.example"] = ["127.0.0.1"]
        await redirecting("/again")(heard, writer)

    await stage.house("evil.example", moving)
    assert await refused(stage) == "blocked: 127.0.0.1 is a loopback address"


async def test_a_server_elsewhere_cannot_send_scripts_to_what_the_owner_allows(stage: Stage) -> None:
    await stage.house("evil.example", redirecting("http://192.168.1.5:8123/turn_on"))
    box = await stage.house("box", answering(), port=8123, address="192.168.1.5")
    with pytest.raises(OutboundError, match=r"^blocked: 192.168.1.5 is a private address$"):
        await fetch(stage.client(("192.168.1.5", 8123)), URL)
    assert box.connections == 0


async def test_what_the_owner_allows_may_redirect_to_what_the_owner_allows_and_no_further(stage: Stage) -> None:
    await stage.house("box", redirecting("http://192.168.1.5:81/"), port=80, address="192.168.1.5")
    await stage.house("box", answering(b"the box"), port=81, address="192.168.1.5")
    both = stage.client(("192.168.1.5", 80), ("192.168.1.5", 81))
    assert (await fetch(both, "http://192.168.1.5/")).body == b"the box"
    with pytest.raises(OutboundError, match=r"^blocked: 192.168.1.5 is a private address$"):
        await fetch(stage.client(("192.168.1.5", 80)), "http://192.168.1.5/")


# What another origin is told.

SECRETS = {
    "authorization": "Bearer secret",
    "cookie": "session=secret",
    "x-api-key": "secret",
    "api_key": "secret",
    "x-auth-token": "secret",
    "private-token": "secret",
    "referer": "http://evil.example/secret",
    "origin": "http://secret.example",
}
ELSEWHERE = {
    "another host": "http://other.example/",
    "another port": "http://evil.example:81/",
    "a host below": "http://www.evil.example/",
    "the same host unencrypted": "http://evil.example/",
}


async def told(stage: Stage, location: str, status: str = "302 Found", *, encrypted: bool = False) -> Heard:
    """What the server at `location` hears of a request with secrets."""
    other = Listener(answering())
    await stage.open(other)
    for name, port in (("other.example", 80), ("evil.example", 81), ("www.evil.example", 80), ("evil.example", 80)):
        stage.names[name] = [ANOTHER if name != "evil.example" else "93.184.216.34"]
        stage.houses[stage.names[name][0], port] = other
    tls = server_tls("evil.example") if encrypted else None
    await stage.house("evil.example", redirecting(location, status), port=443 if encrypted else 80, tls=tls)
    start = "https://me:secret@evil.example/" if encrypted else "http://me:secret@evil.example/"
    await fetch(stage.client(), get(start, accept="text/plain", **SECRETS))
    return other.heard[0]


@pytest.mark.parametrize("secret", SECRETS)
async def test_another_origin_is_not_told(stage: Stage, secret: str) -> None:
    heard = await told(stage, "http://other.example/")
    assert secret not in heard.headers
    assert heard.headers["accept"] == "text/plain"


@pytest.mark.parametrize("location", ELSEWHERE.values(), ids=ELSEWHERE)
async def test_no_secret_goes_to(stage: Stage, location: str) -> None:
    heard = await told(stage, location, encrypted=True)
    assert "secret" not in str(heard)


async def test_the_same_origin_is_told_all(stage: Stage) -> None:
    async def once(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await (redirecting("/next") if heard.path == "/" else answering())(heard, writer)

    house = await stage.house("good.example", once)
    await fetch(stage.client(), get("http://good.example/", **SECRETS))
    assert house.heard[1].headers["authorization"] == "Bearer secret"


async def test_credentials_in_a_redirect_are_not_used(stage: Stage) -> None:
    await stage.house("evil.example", redirecting("http://me:secret@other.example/"))
    other = await stage.house("other.example", answering(), address=ANOTHER)
    await fetch(stage.client(), URL)
    assert "authorization" not in other.heard[0].headers


async def test_a_cookie_of_a_redirect_is_not_sent_to_the_next_hop(stage: Stage) -> None:
    async def baking(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await answering(b"", "302 Found", ["Set-Cookie: a=b", "Location: /next"])(heard, writer)
        stage.houses["93.184.216.34", 80].handler = answering()

    house = await stage.house("good.example", baking)
    await fetch(stage.client(), "http://good.example/")
    assert "cookie" not in house.heard[1].headers


# Bodies.


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other"])
async def test_a_post_becomes_a_get_without_a_body(stage: Stage, status: str) -> None:
    await stage.house("good.example", redirecting("http://other.example/", status))
    other = await stage.house("other.example", answering(), address=ANOTHER)
    await fetch(stage.client(), post("http://good.example/", b"secret", content_type="text/plain"))
    heard = other.heard[0]
    assert (heard.method, heard.body, heard.headers.get("content-type"), heard.headers.get("content-length")) == ("GET", b"", None, None)


@pytest.mark.parametrize("status", ["307 Temporary", "308 Permanent"])
async def test_a_post_stays_a_post_where_the_server_says_so(stage: Stage, status: str) -> None:
    await stage.house("good.example", redirecting("http://other.example/", status))
    other = await stage.house("other.example", answering(), address=ANOTHER)
    await fetch(stage.client(), post("http://good.example/", b"data", content_type="text/plain"))
    assert (other.heard[0].method, other.heard[0].body) == ("POST", b"data")


@pytest.mark.parametrize("status", ["307 Temporary", "308 Permanent"])
async def test_a_body_does_not_follow_from_https_to_http(stage: Stage, status: str) -> None:
    await stage.house("good.example", redirecting("http://other.example/", status), port=443, tls=server_tls("good.example"))
    other = await stage.house("other.example", answering(), address=ANOTHER)
    with pytest.raises(OutboundError, match=r"^blocked: a redirect from https to http would send the body unencrypted$"):
        await fetch(stage.client(), post("https://good.example/", b"secret"))
    assert other.connections == 0
