"""Addresses written to get past the gate. What counts is that nobody is connected to."""

from __future__ import annotations

import socket

import pytest
from tests.services.http_client.stage import Listener, Stage, answering, client_tls, fetch

from goop2.services.http_client.client import Client, Dependencies
from goop2.services.http_client.errors import BlockedError, OutboundError
from goop2.services.http_client.url import read_url

FORBIDDEN = {
    "loopback": ("http://127.0.0.1/", "127.0.0.1 is a loopback address"),
    "loopback beside the usual one": ("http://127.8.9.10/", "127.8.9.10 is a loopback address"),
    "the end of loopback": ("http://127.255.255.254/", "127.255.255.254 is a loopback address"),
    "a private network of class A": ("http://10.0.0.5/", "10.0.0.5 is a private address"),
    "a private network of class B": ("http://172.31.255.255/", "172.31.255.255 is a private address"),
    "a home network": ("http://192.168.1.1/", "192.168.1.1 is a private address"),
    "a home network on a high port": ("http://192.168.1.1:8123/", "192.168.1.1 is a private address"),
    "a home network with TLS": ("https://192.168.1.1/", "192.168.1.1 is a private address"),
    "a cloud's metadata service": ("http://169.254.169.254/latest/meta-data/", "169.254.169.254 is a link-local address"),
    "another cloud's metadata service": ("http://100.100.100.200/", "100.100.100.200 is a carrier-grade NAT address"),
    "the unspecified address": ("http://0.0.0.0/", "0.0.0.0 is the unspecified address"),
    "this network": ("http://0.1.2.3/", "0.1.2.3 is a reserved address"),
    "protocol assignments": ("http://192.0.0.8/", "192.0.0.8 is a reserved address"),
    "documentation": ("http://192.0.2.1/", "192.0.2.1 is a documentation address"),
    "benchmarking": ("http://198.18.0.1/", "198.18.0.1 is a benchmarking address"),
    "multicast": ("http://224.0.0.251:5353/", "224.0.0.251 is a multicast address"),
    "reserved for ever": ("http://240.0.0.1/", "240.0.0.1 is a reserved address"),
    "broadcast": ("http://255.255.255.255/", "255.255.255.255 is a reserved address"),
    "a relay of 6to4": ("http://192.88.99.1/", "192.88.99.1 is a 6to4 address"),
    "loopback in IPv6": ("http://[::1]/", "::1 is a loopback address"),
    "loopback in IPv6 written out": ("http://[0:0:0:0:0:0:0:1]/", "::1 is a loopback address"),
    "loopback in IPv6 with zeros": ("http://[0000:0000:0000:0000:0000:0000:0000:0001]/", "::1 is a loopback address"),
    "the unspecified address in IPv6": ("http://[::]/", ":: is the unspecified address"),
    "a private network in IPv6": ("http://[fd00::1]/", "fd00::1 is a private address"),
    "a metadata service in IPv6": ("http://[fd00:ec2::254]/", "fd00:ec2::254 is a private address"),
    "link-local in IPv6": ("http://[fe80::1]/", "fe80::1 is a link-local address"),
    "site-local in IPv6": ("http://[fec0::1]/", "fec0::1 is a private address"),
    "multicast in IPv6": ("http://[ff02::fb]:5353/", "ff02::fb is a multicast address"),
    "documentation in IPv6": ("http://[2001:db8::1]/", "2001:db8::1 is a documentation address"),
    "loopback mapped": ("http://[::ffff:127.0.0.1]/", "127.0.0.1 is a loopback address"),
    "loopback mapped in hexadecimal": ("http://[::ffff:7f00:1]/", "127.0.0.1 is a loopback address"),
    "loopback mapped and written out": ("http://[0:0:0:0:0:ffff:127.0.0.1]/", "127.0.0.1 is a loopback address"),
    "loopback mapped in capitals": ("http://[::FFFF:7F00:1]/", "127.0.0.1 is a loopback address"),
    "a private network mapped": ("http://[::ffff:10.0.0.5]/", "10.0.0.5 is a private address"),
    "a metadata service mapped": ("http://[::ffff:a9fe:a9fe]/", "169.254.169.254 is a link-local address"),
    "the unspecified address mapped": ("http://[::ffff:0.0.0.0]/", "0.0.0.0 is the unspecified address"),
    "loopback in a compatible address": ("http://[::127.0.0.1]/", "::7f00:1 is an IPv4-compatible address"),
    "loopback translated": ("http://[::ffff:0:127.0.0.1]/", "::ffff:0:7f00:1 is a reserved address"),
    "loopback behind NAT64": ("http://[64:ff9b::127.0.0.1]/", "127.0.0.1 is a loopback address"),
    "a private network behind NAT64": ("http://[64:ff9b::a00:5]/", "10.0.0.5 is a private address"),
    "a private network behind local NAT64": ("http://[64:ff9b:1::a00:5]/", "64:ff9b:1::a00:5 is a local NAT64 address"),
    "loopback in 6to4": ("http://[2002:7f00:1::]/", "2002:7f00:1:: is a 6to4 address"),
    "a private network in 6to4": ("http://[2002:c0a8:101::1]/", "2002:c0a8:101::1 is a 6to4 address"),
    "a private network in Teredo": ("http://[2001:0:a00:5::1]/", "2001:0:a00:5::1 is a Teredo address"),
    "loopback inverted in Teredo": ("http://[2001::80ff:fffe]/", "2001::80ff:fffe is a Teredo address"),
    "loopback in ISATAP": ("http://[2606:4700::5efe:7f00:1]/", "is an ISATAP address"),
    "the discard prefix": ("http://[100::1]/", "100::1 is a reserved address"),
}

SPELLINGS = {
    "a number": "http://2130706433/",
    "a number in hexadecimal": "http://0x7f000001/",
    "a number in octal": "http://017700000001/",
    "two parts": "http://127.1/",
    "three parts": "http://127.0.1/",
    "two parts in hexadecimal": "http://0x7f.1/",
    "all parts in hexadecimal": "http://0x7f.0x0.0x0.0x1/",
    "all parts in octal": "http://0177.0.0.01/",
    "a part with a zero before": "http://127.0.0.01/",
    "parts of several kinds": "http://0x7f.0.1/",
    "a lone zero": "http://0/",
    "an empty hexadecimal": "http://0x/",
    "five parts": "http://127.0.0.0.1/",
    "a part too large": "http://127.0.0.256/",
    "a number that overflows": "http://4294967297/",
    "a dot too many inside": "http://127..0.1/",
    "two dots at the end": "http://127.0.0.1../",
    "a dot before": "http://.127.0.0.1/",
    "a hyphen before": "http://-127.0.0.1/",
    "percent escapes": "http://%31%32%37.0.0.1/",
    "an escaped dot": "http://127%2e0.0.1/",
    "an escaped slash": "http://127.0.0.1%2f.example.com/",
    "an escaped null": "http://127.0.0.1%00.example.com/",
    "a negative number": "http://-2130706433/",
    "a blank": "http://127.0.0.1 .example.com/",
    "a zone": "http://[fe80::1%25eth0]/",
    "a zone unescaped": "http://[fe80::1%lo]/",
    "a zone on a public address": "http://[2606:2800:220:1:248:1893:25c8:1946%1]/",
    "a zone on loopback": "http://[::1%1]/",
    "brackets around IPv4": "http://[127.0.0.1]/",
    "brackets around a name": "http://[localhost]/",
    "brackets left open": "http://[::1/",
    "brackets doubled": "http://[[::1]]/",
    "text after brackets": "http://[::1].example.com/",
    "IPv6 without brackets": "http://::1/",
    "IPv6 of the future": "http://[v1.fe80::a]/",
    "IPv4 in octal inside IPv6": "http://[::ffff:0177.0.0.1]/",
    "an underscore of Python's numbers": "http://127_0.0.1:80_80/",
    "digits of another script": "http://١٢٧.٠.٠.١/",
    "circled numbers in five parts": "http://⑫⑦.0.0.1.①/",
    "no host": "http:///etc/passwd",
    "no host but a port": "http://:80/",
    "no host but a name": "http://user@/",
    "a lone dot": "http://./",
}

LOOK_ALIKES = {
    "wide digits": "http://１２７.０.０.１/",
    "circled digits": "http://①②⑦.⓪.⓪.①/",
    "ideographic full stops": "http://127。0。0。1/",
    "halfwidth full stops": "http://127｡0｡0｡1/",
    "a soft hyphen": "http://127.0.0\u00ad.1/",
    "a zero-width space": "http://127.0\u200b.0.1/",
    "mathematical digits": "http://𝟏𝟐𝟕.𝟎.𝟎.𝟏/",
    "superscript digits": "http://¹²⁷.0.0.1/",
    "user information before it": "http://public.example@127.0.0.1/",
    "user and password before it": "http://public.example:80@127.0.0.1/",
    "an escaped at sign before it": "http://public.example%40@127.0.0.1/",
    "a dot at the end": "http://127.0.0.1./",
    "a capital scheme": "HTTP://127.0.0.1/",
    "a scheme of both cases": "hTtP://127.0.0.1/",
    "a fragment that names another": "http://127.0.0.1#@public.example/",
    "a query that names another": "http://127.0.0.1?@public.example/",
    "a path that names another": "http://127.0.0.1/@public.example/",
    "zeros in the port": "http://127.0.0.1:00080/",
    "an empty port": "http://127.0.0.1:/",
    "five digits of port": "http://127.0.0.1:65535/",
}

NOT_READ = {
    "a file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp": "ftp://127.0.0.1/",
    "a dictionary": "dict://127.0.0.1:11211/stat",
    "ldap": "ldap://127.0.0.1/",
    "data": "data:text/plain,hello",
    "javascript": "javascript:alert(1)",
    "a web socket": "ws://127.0.0.1/",
    "a scheme with more before it": "view-source:http://127.0.0.1/",
    "a jar": "jar:http://127.0.0.1!/",
    "a socket of this system": "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
    "no scheme": "127.0.0.1/",
    "no scheme but slashes": "//127.0.0.1/",
    "one slash": "http:/127.0.0.1/",
    "no slash": "http:127.0.0.1",
    "backslashes for slashes": "http:\\\\127.0.0.1\\",
    "nothing": "",
    "a blank before": " http://127.0.0.1/",
    "a no-break space before": "\u00a0http://127.0.0.1/",
    "wide letters for a scheme": "ｈｔｔｐ://127.0.0.1/",
    "a tab before": "\thttp://127.0.0.1/",
    "a tab in the scheme": "ht\ttp://127.0.0.1/",
    "a tab in the host": "http://127.0.\t0.1/",
    "a new line in the host": "http://127.0.0.1\n.example.com/",
    "a return and a new line in the path": "http://public.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /",
    "a new line at the end": "http://127.0.0.1/\n",
    "a null byte in the host": "http://127.0.0.1\x00.example.com/",
    "a null byte in the path": "http://public.example/\x00",
    "a delete character": "http://public.example/\x7f",
    "a backslash before the at sign": "http://public.example\\@127.0.0.1/",
    "a backslash in the host": "http://127.0.0.1\\.example.com/",
    "two at signs": "http://public.example@public.example@127.0.0.1/",
    "a blank in the user": "http://public.example @127.0.0.1/",
    "port 0": "http://public.example:0/",
    "port 65536": "http://public.example:65536/",
    "port 70000": "http://public.example:70000/",
    "a port that overflows to 80": "http://public.example:4294967376/",
    "a negative port": "http://public.example:-80/",
    "a port in hexadecimal": "http://public.example:0x50/",
    "a port with a plus": "http://public.example:+80/",
    "a port in wide digits": "http://public.example:８０/",
    "two ports": "http://public.example:80:80/",
    "a name too long": f"http://{'a' * 64}.example/",
    "names too long together": f"http://{'a.' * 127}example/",
    "a look-alike too long": f"http://{'é' * 300}.example/",
    "letters that become a slash": "http://127.0.0.1℀.example/",
    "letters that become a question mark": "http://127.0.0.1？.example/",
    "letters that become a number sign": "http://127.0.0.1＃.example/",
    "letters that become a colon": "http://127.0.0.1：80/",
    "letters that become an at sign": "http://public.example＠127.0.0.1/",
    "an address longer than any": "http://public.example/" + "a" * 9000,
}


async def refused(stage: Stage, url: str) -> str:
    """What the request is told; a house called public.example stands by, and nobody may hear of it."""
    house = await stage.house("public.example", answering())
    with pytest.raises(OutboundError) as caught:
        await fetch(stage.client(), url)
    assert (stage.trap.connections, house.connections, stage.sockets.dialled) == (0, 0, [])
    return str(caught.value)


@pytest.mark.parametrize(("url", "why"), FORBIDDEN.values(), ids=FORBIDDEN)
async def test_a_forbidden_address_is_not_connected_to(stage: Stage, url: str, why: str) -> None:
    assert (await refused(stage, url)).endswith(why)


@pytest.mark.parametrize("url", SPELLINGS.values(), ids=SPELLINGS)
async def test_an_odd_spelling_is_no_address_and_no_name(stage: Stage, url: str) -> None:
    assert (await refused(stage, url)).startswith("blocked: ")
    assert stage.asked == []


@pytest.mark.parametrize("url", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
async def test_a_disguise_of_loopback_is_loopback(stage: Stage, url: str) -> None:
    assert await refused(stage, url) == "blocked: 127.0.0.1 is a loopback address"


@pytest.mark.parametrize("url", NOT_READ.values(), ids=NOT_READ)
async def test_what_can_be_read_in_two_ways_is_not_read(stage: Stage, url: str) -> None:
    message = await refused(stage, url)
    assert message.isprintable()
    assert len(message) < 200
    assert stage.asked == []


CANONICAL = [url for url, _ in FORBIDDEN.values() if url.startswith("http:")]


@pytest.mark.parametrize("url", CANONICAL)
async def test_the_trap_would_have_seen_it(stage: Stage, url: str) -> None:
    target = read_url(url)
    response = await fetch(stage.client((target.host, target.port)), url)
    assert (response.body, stage.trap.connections) == (b"you should not be here", 1)


LOCAL = (
    "127.0.0.1",
    "127.0.0.2",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "ｌｏｃａｌｈｏｓｔ",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
)


def on_every_interface() -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", 0))


@pytest.mark.parametrize("host", [*LOCAL, socket.gethostname()])
async def test_nothing_of_this_machine_is_reached_by_the_real_resolver_and_real_sockets(stage: Stage, host: str) -> None:
    everywhere = Listener(answering())
    await stage.open(everywhere, sock=on_every_interface())
    with pytest.raises(BlockedError):
        await fetch(Client(Dependencies(tls=client_tls())), f"http://{host}:{everywhere.port}/")
    assert everywhere.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
async def test_this_machine_would_have_been_reached(stage: Stage, host: str) -> None:
    await stage.open(here := Listener(answering()), sock=on_every_interface())
    response = await fetch(Client(Dependencies(tls=client_tls()), [(host, here.port)]), f"http://{host}:{here.port}/")
    assert (response.status, here.connections) == (200, 1)
