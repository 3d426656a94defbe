"""Certificates that are not the host's."""

from __future__ import annotations

import asyncio
import datetime
import ssl

import pytest
import trustme
from tests.services.http_client.stage import PUBLIC, PUBLIC_6, Stage, answering, fetch, server_tls

from goop2.services.http_client.client import default_tls
from goop2.services.http_client.errors import OutboundError

URL = "https://good.example/"
YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
TOMORROW = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)

WRONG = {
    "of another host": (lambda: server_tls("other.example"), "certificate does not match host"),
    "of a host below": (lambda: server_tls("www.good.example"), "certificate does not match host"),
    "of all hosts below": (lambda: server_tls("*.good.example"), "certificate does not match host"),
    "with the name where names once stood": (
        lambda: server_tls("other.example", common_name="good.example"),
        "certificate does not match host",
    ),
    "of the address instead of the name": (lambda: server_tls(PUBLIC), "certificate does not match host"),
    "that has expired": (
        lambda: server_tls("good.example", not_before=YESTERDAY - datetime.timedelta(1), not_after=YESTERDAY),
        "has expired",
    ),
    "that is not valid yet": (lambda: server_tls("good.example", not_before=TOMORROW), "certificate is not valid yet"),
    "of an unknown authority": (lambda: server_tls("good.example", by=trustme.CA()), "certificate is not trusted"),
}


@pytest.mark.parametrize(("tls", "why"), WRONG.values(), ids=WRONG)
async def test_a_certificate(stage: Stage, tls: object, why: str) -> None:
    assert callable(tls)
    house = await stage.house("good.example", answering(), port=443, tls=tls())
    with pytest.raises(OutboundError, match=why):
        await fetch(stage.client(), URL)
    assert house.heard == []


async def test_the_name_is_verified_though_the_address_was_connected_to(stage: Stage) -> None:
    await stage.house("good.example", answering(), port=443, tls=server_tls("good.example"))
    assert (await fetch(stage.client(), URL)).body == b"hello"
    assert stage.sockets.dialled == [(PUBLIC, 443)]


async def test_the_name_is_told_to_the_server(stage: Stage) -> None:
    context = server_tls("good.example")
    told: list[str | None] = []
    context.sni_callback = lambda _, name, __: told.append(name)
    await stage.house("good.example", answering(), port=443, tls=context)
    await fetch(stage.client(), "https://GOOD.example./")
    assert told == ["good.example"]


@pytest.mark.parametrize("address", [PUBLIC, PUBLIC_6])
async def test_an_address_in_the_certificate_is_verified(stage: Stage, address: str) -> None:
    await stage.house("", answering(), port=443, address=address, tls=server_tls(address))
    host = f"[{address}]" if ":" in address else address
    assert (await fetch(stage.client(), f"https://{host}/")).body == b"hello"


async def test_a_server_without_tls_is_not_spoken_to(stage: Stage) -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    await stage.raw_house("good.example", plain, port=443)
    with pytest.raises(OutboundError, match=r"^good.example speaks no TLS we do$"):
        await fetch(stage.client(), URL)


@pytest.mark.filterwarnings("ignore:.*TLSv1_1 is deprecated:DeprecationWarning")
async def test_old_tls_is_not_spoken(stage: Stage) -> None:
    context = server_tls("good.example")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    await stage.house("good.example", answering(), port=443, tls=context)
    with pytest.raises(OutboundError, match=r"^good.example speaks no TLS we do$|^cannot connect to good.example$"):
        await fetch(stage.client(), URL)


def test_what_is_trusted_by_default_verifies_names() -> None:
    context = default_tls()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.cert_store_stats()["x509_ca"] > 50
