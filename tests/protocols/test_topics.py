"""What messages carry, by topic."""

from __future__ import annotations

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.nearly import nearly

from goop2.protocols import topics
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.topics import (
    Broadcast,
    ChatPayload,
    Delivered,
    Event,
    Group,
    GroupErrorPayload,
    IdentityPayload,
    Invite,
    Member,
    Members,
    Meta,
    Other,
    Plain,
    Welcome,
    WhoAreYou,
)

EVENTS: list[tuple[str, bytes, Event]] = [
    ("chat", b'{"content":"!hello Alice","timestamp":1700000000000}', ChatPayload("!hello Alice", 1700000000000)),
    ("chat", b'{"content":"hi"}', ChatPayload("hi")),
    ("chat", b'{"content":"hi","timestamp":null}', ChatPayload("hi")),
    ("chat.broadcast", b'{"content":"hi all"}', Broadcast(ChatPayload("hi all"))),
    ("mq.ack", b'{"msg_id":"8b4c"}', Delivered("8b4c")),
    ("identity", b"null", WhoAreYou()),
    ("identity", b'{"whatever":1}', WhoAreYou()),
    (
        "identity.response",
        b'{"peerID":"12D","content":"Alice","email":"a@b","avatarHash":"x","publicKey":"k","encryptionSupported":true,"more":1}',
        IdentityPayload("12D", "Alice", "a@b", "x", "k", True),
    ),
    ("identity.response", b'{"peerID":"12D","publicKey":null,"encryptionSupported":null}', IdentityPayload("12D")),
    ("group.invite", b'{"group_id":"g","group_name":null,"app_type":null,"volatile":null}', Invite("g")),
    ("group:g:join", b"null", Group("g", "join", Plain(b"null"))),
    ("group:g:welcome", b'{"group_name":"G","max_members":8.0,"members":null}', Group("g", "welcome", Welcome("G", max_members=8))),
    ("group.invite", b'{"group_id":"g","app_type":"listen","volatile":true}', Invite("g", app_type="listen", volatile=True)),
    ("group:g:join", b'{"type":"join","group":"g","from":"12D"}', Group("g", "join", Plain(b"null"))),
    ("group:g:ping", b'{"type":"ping","group":"g","payload":{"n":1}}', Group("g", "ping", Plain(b'{"n":1}'))),
    ("group:a:b:msg", b'{"app_type":"listen"}', Group("a:b", "msg", Plain(b'{"app_type":"listen"}'))),
    (
        "group:g:welcome",
        b'{"group_name":"G","app_type":"listen","max_members":8,"volatile":true,"members":[{"peer_id":"12D","joined_at":5}]}',
        Group("g", "welcome", Welcome("G", "listen", "", 8, True, [Member("12D", msgspec.Raw(b"5"))])),
    ),
    ("group:g:members", b'{"members":[]}', Group("g", "members", Members([]))),
    ("group:g:members", b'{"members":null}', Group("g", "members", Members([]))),
    ("chat", b"{}", ChatPayload("")),
    ("chat", b'{"content":null,"timestamp":5}', ChatPayload("", 5)),
    ("group:g:meta", b'{"group_name":"G","group_type":"template"}', Group("g", "meta", Meta("G", "", "template"))),
    (
        "group:g:error",
        b'{"type":"error","group":"g","payload":{"code":"full","message":"no"}}',
        Group("g", "error", GroupErrorPayload("full", "no")),
    ),
    ("group:g:error", b'{"code":"full"}', Group("g", "error", GroupErrorPayload("full"))),
    ("group:g:dance", b"{}", Other("group:g:dance")),
    ("group::msg", b"{}", Other("group::msg")),
    ("weather", b"{}", Other("weather", b"{}")),
]


@pytest.mark.parametrize(("topic", "payload", "event"), EVENTS)
def test_a_payload_becomes_an_event(topic: str, payload: bytes, event: Event) -> None:
    assert topics.read(topic, payload) == event


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("chat", b"[]"),
        ("chat", b'"hi"'),
        ("chat", b'{"content":7}'),
        ("chat", b'{"content":"hi","timestamp":"now"}'),
        ("chat", b"\xff"),
        ("mq.ack", b"null"),
        ("group:g:members", b"[]"),
        ("group:g:join", b"7"),
    ],
)
def test_a_payload_of_another_form_is_the_senders_fault(topic: str, payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=f"the payload of the {topic} message is invalid"):
        topics.read(topic, payload)


@pytest.mark.parametrize("given", [b"0", b"-5", b"null", b"8640000000000001", b"9223372036854775808", b"1e30"])
def test_a_time_no_page_can_show_is_none_and_the_message_is_there(given: bytes) -> None:
    chat = topics.read("chat", b'{"content":"hi","timestamp":%s}' % given)
    assert isinstance(chat, ChatPayload)
    assert (chat.content, chat.at) == ("hi", None)


@pytest.mark.parametrize("given", [b"1700000000000", b"1700000000000.0", b"1700000000000.75", b"1.7e12"])
def test_a_time_may_be_written_as_any_number(given: bytes) -> None:
    chat = topics.read("chat", b'{"content":"hi","timestamp":%s}' % given)
    assert isinstance(chat, ChatPayload)
    assert chat.at == 1700000000000


def test_a_list_of_members_has_an_end() -> None:
    members = json.dumps({"members": [{"peer_id": "x"}] * (topics.MEMBERS_MAX + 1)}).encode()
    with pytest.raises(RemoteProtocolError, match="more than 1024 members"):
        topics.read("group:g:members", members)


@pytest.mark.parametrize("key", ["app_type", "group_type"])
def test_the_app_type_is_read_under_both_its_names(key: str) -> None:
    invite = topics.read("group.invite", json.dumps({"group_id": "g", key: "listen"}).encode())
    assert isinstance(invite, Invite)
    assert invite.kind == "listen"


def test_an_error_stands_in_the_envelope_and_at_its_top() -> None:
    sent = json.loads(topics.envelope("error", "g", b'{"code":"full","message":"no place"}'))
    assert sent == {
        "type": "error",
        "group": "g",
        "payload": {"code": "full", "message": "no place"},
        "code": "full",
        "message": "no place",
    }


def test_an_envelope_holds_no_more_than_it_is_given() -> None:
    assert json.loads(topics.envelope("join", "g", sender="12D")) == {"type": "join", "group": "g", "from": "12D"}


KNOWN = sorted({topic for topic, _, _ in EVENTS})
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["content", "members", "payload", "code"]), inner, max_size=3)
    ),
    max_leaves=5,
)


PAYLOADS = sorted({payload for _, payload, _ in EVENTS})


@given(st.sampled_from(KNOWN), VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=30) | nearly(PAYLOADS))
def test_any_payload_is_an_event_or_a_fault(topic: str, payload: bytes) -> None:
    """Invariant: any topic with any bytes gives an event or RemoteFault, and nothing else."""
    with contextlib.suppress(RemoteProtocolError):
        topics.read(topic, payload)


@given(st.text(min_size=1, max_size=20), st.sampled_from(sorted(topics.ENVELOPED - {"error"})), VALUES)
def test_what_is_put_in_an_envelope_is_read_from_it(group: str, type_: str, value: object) -> None:
    """Invariant: whatever a group is called and whatever is in the envelope, the reader names the same."""
    payload = json.dumps(value).encode()
    event = topics.read(topics.group_topic(group, type_), topics.envelope(type_, group, payload, "12D"))
    assert isinstance(event, Group)
    assert isinstance(event.event, Plain)
    assert (event.id, event.type, json.loads(event.event.json)) == (group, type_, value)
