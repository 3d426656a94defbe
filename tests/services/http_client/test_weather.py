"""The manual's weather command, word for word, against a stand-in of the service: real TLS, the real name."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.services.http_client.peers import peer_with, said
from tests.services.http_client.stage import Heard, Stage, answering, server_tls

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


def keep_key(folder: Path) -> None:
    """The key is in the script's store: an older peer kept it in this file, and ours takes it over."""
    state = folder / "site/lua/.state"
    state.mkdir(parents=True)
    (state / "weather.json").write_text('{"api_key": "secret123"}')


async def test_the_weather_command(stage: Stage, tmp_path: Path) -> None:
    house = await stage.house(SERVICE, service, port=443, tls=server_tls(SERVICE))
    keep_key(tmp_path)
    async with peer_with(tmp_path, stage.world(), {"weather": WEATHER}, kv_enabled=True) as this:
        assert await said(this, "!weather Utrecht") == "Utrecht: 21 C, clear sky"
        assert await said(this, "!weather New York") == "New York: 21 C, clear sky"
        assert await said(this, "!weather") == "Usage: !weather <city>"
    assert house.heard[1].path == "/data/2.5/weather?q=New%20York&appid=secret123&units=metric"
    assert house.heard[1].headers["host"] == SERVICE


async def test_the_weather_command_says_what_is_wrong(stage: Stage, tmp_path: Path) -> None:
    await stage.house(SERVICE, service, port=443, tls=server_tls("weather.example"))
    keep_key(tmp_path)
    async with peer_with(tmp_path, stage.world(), {"weather": WEATHER}, kv_enabled=True) as this:
        assert await said(this, "!weather Utrecht") == "Error: certificate does not match host"
        stage.names[SERVICE] = ["10.0.0.5"]
        assert await said(this, "!weather Utrecht") == "Error: blocked: 10.0.0.5 is a private address"
