"""The manual's weather command, word for word, against a stand-in of the service: real TLS, the real name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.outbound.peers import peer_with, said
from tests.outbound.stage import Heard, Stage, answering, server_tls

from goop2 import peer
from goop2.outbound import operations
from goop2.outbound.operations import HttpOperations
from goop2.scripting.invocation import HostAnswer, PeerOperation

SERVICE = "api.openweathermap.org"

# The manual, "Example: weather command"; what the peer keeps for the script stands in front.
WEATHER = """
function handle(args)
if args == "" then return "Usage: !weather <city>" end
local key = goop.kv.get("api_key")
if not key then return "Weather API key not configured." end
local url = "https://api.openweathermap.org/data/2.5/weather"
.. "?q=" .. args .. "&appid=" .. key .. "&units=metric"
local body, err = goop.http.get(url)
if err then return "Error: " .. err end
local data = goop.json.decode(body)
return string.format("%s: %s C, %s",
data.name,
tostring(math.floor(data.main.temp)),
data.weather[1].description)
end
"""


async def service(heard: Heard, writer: asyncio.StreamWriter) -> None:
    """Answers as openweathermap.org does, for one key."""
    query = heard.path.partition("?")[2]
    if "appid=secret123" not in query:
        await answering(b'{"cod":401}', "401 Unauthorized")(heard, writer)
        return
    city = query.partition("q=")[2].partition("&")[0].replace("%20", " ")
    weather = {"name": city, "main": {"temp": 21.7}, "weather": [{"id": 800, "description": "clear sky"}]}
    await answering(json.dumps(weather).encode(), headers=["Content-Type: application/json"])(heard, writer)


async def the_key(*_: object) -> HostAnswer:
    """goop.kv.get of a peer that holds one key."""
    return HostAnswer(b"v", (b"secret123",))


class WithKey(HttpOperations):
    """What the peer lends to scripts, and a key in its store."""

    @property
    def by_name(self) -> Mapping[str, PeerOperation]:
        return {**super().by_name, "kv.get": the_key}


@pytest.fixture
def with_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for goop.kv."""
    monkeypatch.setattr(peer, "PEER_OPERATIONS", (*peer.PEER_OPERATIONS, "kv.get"))
    monkeypatch.setattr(operations, "HttpOperations", WithKey)


@pytest.mark.usefixtures("with_key")
async def test_the_weather_command(stage: Stage, tmp_path: Path) -> None:
    house = await stage.house(SERVICE, service, port=443, tls=server_tls(SERVICE))
    async with peer_with(tmp_path, stage.world(), {"weather": WEATHER}) as this:
        assert await said(this, "!weather Utrecht") == "Utrecht: 21 C, clear sky"
        assert await said(this, "!weather New York") == "New York: 21 C, clear sky"
        assert await said(this, "!weather") == "Usage: !weather <city>"
    assert house.heard[1].path == "/data/2.5/weather?q=New%20York&appid=secret123&units=metric"
    assert house.heard[1].headers["host"] == SERVICE


@pytest.mark.usefixtures("with_key")
async def test_the_weather_command_says_what_is_wrong(stage: Stage, tmp_path: Path) -> None:
    await stage.house(SERVICE, service, port=443, tls=server_tls("weather.example"))
    async with peer_with(tmp_path, stage.world(), {"weather": WEATHER}) as this:
        assert await said(this, "!weather Utrecht") == "Error: certificate does not match host"
        stage.names[SERVICE] = ["10.0.0.5"]
        assert await said(this, "!weather Utrecht") == "Error: blocked: 10.0.0.5 is a private address"
