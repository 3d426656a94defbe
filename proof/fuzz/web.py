"""Targets: what browsers, proxies and other programs send over HTTP, and addresses that scripts are given."""

from __future__ import annotations

import contextlib
import ipaddress
from http import HTTPStatus
from typing import Any, Final, cast

from starlette.requests import Request

from goop2.protocols.event_ids import UNKNOWN, place_of
from goop2.protocols.source_network import network_of
from goop2.scripting.invocation import Caller
from goop2.services.http_client.addresses import why_not_public
from goop2.services.http_client.errors import OutboundError
from goop2.services.http_client.url import read_redirect, read_url
from goop2.storage.run_record import RunFilter
from goop2.web.app import _asking
from goop2.web.console.controls.replies import BadRequestError
from goop2.web.console.controls.runs import _wanted
from goop2.web.console.markdown import render
from goop2.web.http.files import asked_part
from goop2.web.http.forms import FormError, is_form, read_form
from goop2.web.http.origins import Listener, Origin, OriginHeaders, OriginRefusal, Realm, decide
from goop2.web.http.peer_host import host_label, is_peer_id, peer_of_label
from goop2.web.http.preconditions import unmet
from goop2.web.http.proxies import Proxies
from goop2.web.http.request_context import RequestContext
from goop2.web.http.visitors import visitor
from proof.fuzz.target import Choices, target
from proof.fuzz.wire import PEER

OTHER: Final = "12D3KooWQNgiQ3sMqVJzWm3PJfmKQJwGnWZyGqFhhqRRhcRrMoKv"
CONSOLE_HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
_LISTENERS: Final = (
    Listener(peer_id=PEER, port=8780),
    Listener(peer_id=PEER, port=80, opened=True, names=frozenset({"box.example"})),
    Listener(peer_id=PEER, port=8781, site=Realm.OWN_SITE),
)
_HOSTS: Final = ("127.0.0.1:8780", "localhost:8780", f"{host_label(PEER)}.localhost:8780", f"eve.{host_label(PEER)}.localhost:8780")
_ORIGINS: Final = ("", "null", *(f"http://{host}" for host in _HOSTS), "https://evil.example", "http://box.example")
_SITES: Final = ("", "none", "same-origin", "same-site", "cross-site", "Cross-Site")


@target(seeds=(b"\0\0\0\0127.0.0.1:8780", b"\0\1\2\1\1\1\0", b"\1\3\0\0\0box.example"))
def origins(data: bytes) -> None:
    """Host, Origin and Sec-Fetch headers: a page of another origin never gets the console, and an opened listener never serves it"""
    choices = Choices(data)
    listener = choices.pick(_LISTENERS)
    host, origin = choices.pick((*_HOSTS, "box.example", "")), choices.pick(_ORIGINS)
    site, mode = choices.pick(_SITES), choices.pick(("", "navigate", "cors", "no-cors"))
    destination, page = choices.pick(("", "document", "iframe", "empty")), bool(choices.number(1))
    proxied = bool(choices.number(1))
    host = host or choices.rest().decode("latin-1")
    found = decide(listener, OriginHeaders(host, origin, site, mode, destination, page, "192.0.2.1", proxied))
    if isinstance(found, OriginRefusal):
        assert found.status in (HTTPStatus.FORBIDDEN, HTTPStatus.MISDIRECTED_REQUEST)
        return
    assert isinstance(found, Origin)
    assert not origin or origin.lower() == found.address
    assert found.address.startswith(("http://", "https://"))
    assert not set(found.address) & set("\r\n \t\"'<>;,")
    if found.realm is Realm.CONSOLE:
        assert not listener.opened
        assert listener.site is None
        assert host.lower().rpartition(":")[0] in CONSOLE_HOSTS
    if listener.opened:
        assert found.realm is Realm.OPEN_SITE
    from_another = site.lower() in ("same-site", "cross-site")
    assert not from_another or (page and mode == "navigate" and destination == "document")


_PROXIES: Final = Proxies(["127.0.0.1", "2001:db8::/32"])


@target(seeds=(b"203.0.113.7, 192.0.2.9:443", b"[2001:db8::7]:51234", b"::ffff:192.0.2.1%eth0", b"a=b; goop2_visitor=" + b"0" * 32))
def forwarded(data: bytes) -> None:
    """X-Forwarded-For, addresses, cookies of visitors, ids of events: an address is one in its canonical form, or none"""
    text = data.decode("latin-1")
    client = _PROXIES.client_of([(b"x-forwarded-for", b"1.2.3.4"), (b"x-forwarded-for", data)])
    assert not client or network_of(client) == network_of(network_of(client).partition("/")[0])
    _ = text in _PROXIES
    network_of(text)
    caller, _cookie = visitor(data, client)
    assert isinstance(caller, Caller)
    assert not caller.owner
    assert place_of(text, "4f", 7) == UNKNOWN or 0 <= place_of(text, "4f", 7) <= 7


def _request(headers: list[tuple[bytes, bytes]], query: bytes = b"") -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": "/", "query_string": query, "headers": headers, "server": ("127.0.0.1", 8780)}


@target(
    seeds=(b'bytes=0-5\n"x"\nW/"y"\nSun, 06 Nov 1994 08:49:37 GMT', b"bytes=-9", b"bytes=9-1\n*", b"\n\n\nSunday, 06-Nov-94 08:49:37 GMT")
)
def conditions(data: bytes) -> None:
    """Range, If-Match, If-None-Match, If-Modified-Since: a part lies inside its file"""
    lines = data.split(b"\n")
    names = (b"range", b"if-none-match", b"if-match", b"if-modified-since", b"if-range", b"if-unmodified-since", b"range")
    scope = _request(list(zip(names, lines, strict=False)))
    call = RequestContext(cast("Any", None), cast("Any", None), scope, cast("Any", None), cast("Any", None), [])
    assert unmet(call, "x", 784111777.0) in (None, HTTPStatus.NOT_MODIFIED, HTTPStatus.PRECONDITION_FAILED)
    part = asked_part(call, "x", 10, 784111777.0)
    assert 0 <= part.first <= part.first + part.size <= 10


@target(
    FormError,
    seeds=(
        b"x",
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nhello\r\n--x--\r\n',
        b'multipart/form-data; boundary="x',
    ),
)
def forms(data: bytes) -> None:
    """Uploaded forms, and the type that says how they are cut"""
    is_form(data.decode("latin-1"))
    with contextlib.suppress(FormError):
        read_form(data.decode("latin-1"), data)
    form = read_form("multipart/form-data; boundary=x", data)
    assert form.file in data
    assert len(form.fields) <= 16


@target(
    BadRequestError, seeds=(b"script=a&status=failed&since=1&limit=5", b"level=warn&before=999999999999999&text=%ff%00", b"since=%D9%A3")
)
def run_filters(data: bytes) -> None:
    """The filters of the console's page Runs"""
    wanted = _wanted("12D3KooWOwn", Request(_request([], data)))
    assert isinstance(wanted, RunFilter)
    assert 0 <= wanted.after < 10**15


_BASE: Final = "https://example.org/a/b?c"


@target(
    OutboundError,
    seeds=(b"http://user:pw@EXAMPLE.org:80/a?b#c", b"https://[::ffff:7f00:1]/", b"http://0x7f.1/", b"//x/..//", b"http://\xc3\xa4.de"),
)
def urls(data: bytes) -> None:
    """Addresses of goop.http and redirects: reading one twice gives the same, and no line break survives"""
    text = data.decode("utf-8", "surrogateescape")
    try:
        redirected = read_redirect(read_url(_BASE), text)
        assert read_url(str(redirected)) == redirected
    except OutboundError:
        pass
    found = read_url(text)
    again = read_url(str(found))
    assert (again.scheme, again.host, again.port, again.path) == (found.scheme, found.host, found.port, found.path)
    assert not set(str(found)) & set("\r\n\t ")
    if found.host.replace(".", "").isdigit():
        why_not_public(ipaddress.ip_address(found.host))


@target(seeds=(host_label(PEER).encode(), PEER.encode(), b"k51qzi5uqu5" + b"z" * 51))
def host_labels(data: bytes) -> None:
    """Peers as host names: one peer has one label, and back"""
    text = data.decode("latin-1")
    peer = peer_of_label(text)
    if peer is not None:
        assert is_peer_id(peer)
        assert host_label(peer) == text
    if is_peer_id(text):
        assert peer_of_label(host_label(text)) == text


@target(
    seeds=(b"host: 127.0.0.1:8780\norigin: x\ncookie: a=b", b"x-forwarded-for: 1.2.3.4\nx-forwarded-proto: https\nsec-fetch-site: none")
)
def request_heads(data: bytes) -> None:
    """The heads of requests as the site reads them"""
    headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in data.split(b"\n"))]
    asking, cookies, path = _asking(_request(headers) | {"raw_path": data[:64], "client": ("127.0.0.1", 1)}, shows_pages=True)
    assert isinstance(asking, OriginHeaders)
    assert isinstance(cookies, bytes)
    assert isinstance(path, str)


@target(seeds=(b"# A\n\n[x](javascript:alert(1)) <script>alert(1)</script>\n\n![a](http://x/y)\n", b"`a`\n\n```lua\nx\n```\n|a|\n|-|\n|b|"))
def markdown(data: bytes) -> None:
    """Markdown of the documentation as the console shows it: no script and no foreign address gets into the page"""
    page = render(data.decode("utf-8", "replace"), {"a.md"}).html.lower()
    assert "<script" not in page
    assert 'href="javascript:' not in page
    assert 'src="http' not in page
