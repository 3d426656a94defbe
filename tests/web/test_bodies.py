"""JSON that pages send: half a character in it."""

from __future__ import annotations

import json

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

    assert _meant(await read_json(receive, 1000)) == _meant(HALVES[sent])


async def test_what_has_no_half_is_passed_on_to_the_letter() -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": rb'{"a": 1E5, "b": "\ud83d\ude00"}'}

    assert await read_json(receive, 1000) == rb'{"a": 1E5, "b": "\ud83d\ude00"}'


def _meant(text: bytes) -> object:
    """The value, or the text itself where that is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text
