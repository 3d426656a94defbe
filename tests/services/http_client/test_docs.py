"""docs/http.md says what the code does, and its examples run."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from tests.services.http_client.peers import given, peer_with, said
from tests.services.http_client.stage import Heard, Stage, answering, fetch, server_tls

from goop2.sandbox.answers import Answer
from goop2.services.http_client import limits
from goop2.services.http_client.disabled import DISABLED
from goop2.services.http_client.errors import OutboundError
from goop2.services.http_client.operations import TOO_MANY

PAGE = (Path(__file__).parents[3] / "docs/http.md").read_text("utf-8")
COMMAND, FUNCTION = re.findall(r"```lua\n(.*?)```", PAGE, re.DOTALL)

LIMITS = {
    "requests of one call, refused ones too": str(limits.REQUESTS_PER_INVOCATION),
    "redirects of one request": str(limits.REDIRECTS_MAX),
    "answer, decompressed": f"{limits.BODY_MAX_BYTES // 1024**2} MB",
    "headers of an answer": f"{limits.HEADERS_MAX_BYTES // 1024} KB",
    "address": f"{limits.URL_MAX_BYTES} bytes",
    "headers a script adds": f"{limits.REQUEST_HEADERS_MAX}, with {limits.REQUEST_HEADERS_MAX_BYTES} characters",
    "a name is looked up within": f"{limits.LOOKUP_SECONDS:g} s",
    "all of it, redirects included": f"what the call has left of `lua.timeout_seconds`, less {limits.ANSWER_SECONDS:g} s to say so",
}


@pytest.mark.parametrize(("what", "limit"), LIMITS.items())
def test_the_page_has_the_limit_of(what: str, limit: str) -> None:
    assert f"| {what} | {limit} |" in PAGE


@pytest.mark.parametrize("answer", [DISABLED, TOO_MANY])
def test_the_page_has_the_words_of_a_refusal(answer: Answer) -> None:
    message = answer[-1]
    assert isinstance(message, bytes)
    assert f"`{message.decode()}`" in PAGE


@pytest.mark.parametrize("url", ["http://10.0.0.5/", "http://127.1/", "http://api.example.com/"])
async def test_the_page_has_the_words_of_an_error(stage: Stage, url: str) -> None:
    with pytest.raises(OutboundError) as caught:
        await fetch(stage.client(), url)
    assert f"| `{caught.value}` |" in PAGE


async def test_the_examples_run(stage: Stage, tmp_path: Path) -> None:
    async def service(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await answering(json.dumps({"text": f"Fine in {heard.path.partition('=')[2]}"}).encode())(heard, writer)

    house = await stage.house("api.example.com", service, port=443, tls=server_tls("api.example.com"))
    async with peer_with(tmp_path, stage.world(), {"weather": COMMAND}, {"store": FUNCTION}) as peer:
        assert await said(peer, "!weather Utrecht") == "Fine in Utrecht"
        assert await given(peer, "store", {"token": "secret"}) == {"stored": True}
    assert json.loads(house.heard[1].body) == {"player": "stranger", "points": 100}
    assert house.heard[1].headers["authorization"] == "Bearer secret"


async def test_the_example_of_what_the_owner_allows_is_a_setting(stage: Stage, tmp_path: Path) -> None:
    settings = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
    await stage.house("printer.local", answering(b"paper is out"), address="192.168.1.9")
    script = "function handle(url) local body, err = goop.http.get(url) return err or body end"
    async with peer_with(tmp_path, stage.world(), {"get": script}, **settings["lua"]) as peer:
        assert await said(peer, "!get http://printer.local/") == "paper is out"
