"""JSON that pages send: half a character in it."""

from __future__ import annotations

import pytest
from starlette.types import Message

from goop2.web.bodies import read_json

HALVES = {
    rb'"\ud83d"': rb'"\ufffd"',
    rb'"\uDE00x"': rb'"\ufffdx"',
    rb'"\ud83d\ude00"': rb'"\ud83d\ude00"',
    rb'"\ud83d\ud83d\ude00"': rb'"\ufffd\ud83d\ude00"',
    rb'"\ude00\ud83d"': rb'"\ufffd\ufffd"',
    rb'"\ud83d\n"': rb'"\ufffd\n"',
    rb'"\\ud83d"': rb'"\\ud83d"',
    rb'"\\\ud83d"': rb'"\\\ufffd"',
    rb'"\\\\ud83d \u0041"': rb'"\\\\ud83d \u0041"',
    rb'"\ud7ff\ue000\ud8"': rb'"\ud7ff\ue000\ud8"',
    b'"ud83d"': b'"ud83d"',
}


@pytest.mark.parametrize("sent", HALVES)
async def test_half_a_character_alone_is_replaced_and_nothing_else(sent: bytes) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": sent}

    assert await read_json(receive, 1000) == HALVES[sent]
