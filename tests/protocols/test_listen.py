"""The listening protocol: requests, headers, what a host says, and who is to blame."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.nearly import nearly

from goop2.protocols import listen
from goop2.protocols.errors import LocalProtocolError, RemoteProtocolError
from goop2.protocols.listen import SessionControl, SoundHeader, SoundRefusal, TrackPayload

GROUP = "listen-0123456789abcdef"


@pytest.mark.parametrize(
    ("line", "group"),
    [
        (b"LISTEN listen-0123456789abcdef", GROUP),
        (b"LISTEN listen-0123456789abcdef\r", GROUP),
        (b"LISTEN what", "what"),
        (b"LISTEN " + b"x" * 129, None),
        (b"LISTEN  listen-0123456789abcdef", None),
        (b"LISTEN listen-0123456789abcdef x", None),
        (b"listen listen-0123456789abcdef", None),
        (b"LISTEN", None),
        (b"LISTEN \xff\xfe", None),
        (b"", None),
    ],
)
def test_a_request_names_a_group_or_is_bad(line: bytes, group: str | None) -> None:
    assert listen.requested(line) == group


def test_we_ask_only_for_what_can_be_asked() -> None:
    assert listen.request(GROUP) == b"LISTEN listen-0123456789abcdef\n"
    for group in ("", "template-1", GROUP + "\n", GROUP + "0"):
        with pytest.raises(LocalProtocolError):
            listen.request(group)


@pytest.mark.parametrize(
    ("line", "first"),
    [
        (b"OK mp3 192000 215.37", SoundHeader("mp3", 192_000, 215.37)),
        (b"OK flac 0 7\r", SoundHeader("flac", 0, 7.0)),
        (b"ERR not found", SoundRefusal("not found")),
        (b"ERR no track", SoundRefusal("no track")),
        (b"ERR", SoundRefusal("")),
    ],
)
def test_an_answer_has_a_header_or_a_reason(line: bytes, first: SoundHeader | SoundRefusal) -> None:
    assert listen.answered(line) == first


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"OK",
        b"OK mp3 192000",
        b"OK mp3 192000 nan",
        b"OK mp3 192000 1e9",
        b"OK mp3 -1 5.00",
        b"OK mp3 999999999 5",
        b"OK mp3 1 999999999",
        b"OK mp3 1 5 6",
        b"OK \xff 1 5",
        "OK mp3 ٣ 5".encode(),
        b"HTTP/1.1 200 OK",
    ],
)
def test_a_header_that_is_none_is_the_other_sides_fault(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        listen.answered(line)


def test_our_header_and_refusals_are_the_networks() -> None:
    assert listen.header("mp3", 192_000, 215.368) == b"OK mp3 192000 215.37\n"
    assert listen.refusal(listen.NO_TRACK) == b"ERR no track\n"


def test_what_a_host_says_has_the_networks_form() -> None:
    said = listen.control("load", TrackPayload("Song", 12.5, 128_000, "mp3"), 0.0)
    assert json.loads(said) == {
        "app_type": "listen",
        "listen": {
            "action": "load",
            "track": {"name": "Song", "duration": 12.5, "bitrate": 128000, "format": "mp3", "is_stream": False},
            "position": 0.0,
            "queue_index": 0,
            "queue_total": 1,
        },
    }
    with pytest.raises(LocalProtocolError):
        listen.control("dance")


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b'{"app_type":"listen","listen":{"action":"play","position":3,"queue":["x"],"queue_index":0}}', SessionControl("play", None, 3.0)),
        (
            b'{"app_type":"listen","listen":{"action":"load","track":{"name":"S","duration":5}}}',
            SessionControl("load", TrackPayload("S", 5.0)),
        ),
        (b'{"group_type":"listen","listen":{"action":"play","track":null,"queue":null}}', SessionControl("play")),
        (b'{"app_type":"listen","listen":{"action":"dance"}}', None),
        (b'{"app_type":"chess","listen":{"action":"play"}}', None),
        (b'{"move":"e4"}', None),
    ],
)
def test_a_message_is_understood_or_not_ours(payload: bytes, said: SessionControl | None) -> None:
    assert listen.controlled(payload) == said


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{",
        b'{"app_type":"listen"}',
        b'{"app_type":"listen","listen":{"action":1}}',
        b"[" * 100000,
        b'{"app_type":"listen","listen":{"action":"play","position":-1}}',
        b'{"app_type":"listen","listen":{"action":"seek","position":1e300}}',
        b'{"app_type":"listen","listen":{"action":"load","track":{"duration":-5}}}',
    ],
)
def test_a_message_that_is_none_is_the_other_sides_fault(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        listen.controlled(payload)


@given(
    st.binary(max_size=60)
    | st.builds(lambda rest: b"OK mp3 " + rest, st.binary(max_size=20))
    | nearly([b"OK mp3 128000 61.50", b"EAOK mp3 128000 61.50", b"ERR no track"])
)
def test_any_line_is_a_header_a_reason_or_a_fault(line: bytes) -> None:
    """Invariant: any line gives a header within its bounds, a reason, or `RemoteProtocolError`; nothing else is raised."""
    with contextlib.suppress(RemoteProtocolError):
        first = listen.answered(line)
        if isinstance(first, SoundHeader):
            assert 0 <= first.duration <= listen.DURATION_MAX_SECONDS
            assert listen.answered(listen.header(first.format, first.bitrate, first.duration).rstrip()) is not None


@pytest.mark.slow
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_message_is_understood_not_ours_or_a_fault(value: object) -> None:
    """Invariant: whatever stands where the action should, there is a known action with a position there is, None, or
    `RemoteProtocolError`."""
    for whole in (value, {"app_type": "listen", "listen": value}, {"app_type": "listen", "listen": {"action": "seek", "position": value}}):
        with contextlib.suppress(RemoteProtocolError):
            said = listen.controlled(json.dumps(whole).encode("utf-8", "replace"))
            assert said is None or (said.action in listen.ACTIONS and 0 <= (said.position or 0) <= listen.DURATION_MAX_SECONDS)


@given(st.binary(max_size=40) | nearly([b"LISTEN " + GROUP.encode()]))
def test_any_line_asks_for_a_group_or_is_a_bad_request(line: bytes) -> None:
    """Invariant: any line names a group or nothing; nothing is raised, and what we ask ourselves names the same."""
    group = listen.requested(line)
    if group is not None and listen.is_session(group):
        assert listen.requested(listen.request(group).rstrip(b"\n")) == group
