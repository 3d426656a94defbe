"""Every message our side writes to other peers is, byte for byte, as recorded."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.recording.recorded import as_json, compare

from goop2.protocols import avatar, circuit, content, data, listen, mq, presence, shared_files, site, topics

PEER, OTHER = "12D3KooWRBy97UB99e3J6hiPesre1MZeuNQvfan4gBziswrRJsNK", "12D3KooWKRyzVWW6ChFjQjK4miCty85Niy48tpPV95XdKu1BcvMA"
GROUP, SESSION = "0123456789abcdef", "listen-0123456789abcdef"
MESSAGE = mq.Message("message-1", 7, "chat", msgspec.Raw(b'{"content":"hi"}'))
JOINED = msgspec.Raw(b"1700000000000")


def encoded(value: Any) -> bytes:
    """Return a payload as it is put into a message."""
    return msgspec.json.encode(value)


def presences() -> dict[str, bytes]:
    full = presence.Presence(
        "online", PEER, "Ann", "ann@example.org", "a1", True, "blog", OTHER, ("/ip4/192.0.2.7/tcp/4001",), "token", "key", True, 1, True
    )
    return {f"presence, {type_}": presence.write(presence.Presence(type_, PEER, ts=1)) for type_ in ("online", "update", "offline")} | {
        "presence, everything": presence.write(full)
    }


def lines() -> dict[str, bytes]:
    asked = data.DataRequest("lua-call", function="score", params=msgspec.Raw(b'{"a":1}'))
    fields: dict[str, Any] = {
        field.name: "x" if field.type is str else msgspec.Raw(b"1") for field in msgspec.structs.fields(data.DataRequest)
    }
    everything = data.DataRequest(**fields)
    failed = data.FailureAnswer("no such game", "script_error", 2.0, "buy", 3, {"code": "no_stock"})
    track = listen.TrackPayload("a.mp3", 12.5, 128_000, "mp3")
    return {
        "avatar, answer": avatar.answer(b"picture"),
        "avatar, answer without a picture": avatar.answer(b""),
        "content, answer": content.answer("Ann"),
        "data, request": data.request(asked),
        "data, request with everything": data.request(everything),
        "data, success": data.success(b'{"rows":[]}'),
        "data, success without data": data.success(b"null"),
        "data, failure": data.failure(failed),
        "data, failure without details": data.failure(data.FailureAnswer("no")),
        "shared files, list": shared_files.request(shared_files.FileRequest("list", GROUP)),
        "shared files, get": shared_files.request(shared_files.FileRequest("get", GROUP, "a.pdf", 4, 8)),
        "shared files, answer": shared_files.list_answer([shared_files.SharedFile("a.pdf", 12, 1700000000, f"sha256:{'0' * 64}")]),
        "shared files, header": shared_files.header("application/pdf", 12),
        "shared files, refusal": shared_files.refusal("no"),
        "site, request": site.request("/index.html"),
        "site, header": site.header("text/html; charset=utf-8", 12),
        "site, sealed header": site.header("text/html; charset=utf-8", 12, encrypted=True),
        "site, refusal": site.refusal("not found"),
        "listen, request": listen.request(SESSION),
        "listen, header": listen.header("mp3", 128_000, 12.5),
        "listen, sealed header": listen.header("mp3", 128_000, 12.5, encrypted=True),
        "listen, refusal": listen.refusal("no session"),
        **{f"listen, {action}": listen.control(action, track, 1.5) for action in sorted(listen.ACTIONS)},
        "mq, message": mq.send(MESSAGE),
        "mq, acknowledgement": mq.send_ack(MESSAGE),
        "mq, refusal": mq.send_refusal(MESSAGE, mq.RATE_LIMITED, "too often", 1.2),
        "mq, refusal of a sealed message": mq.send_refusal(MESSAGE, mq.UNAVAILABLE, "no key", cannot_decrypt=True),
    }


def payloads() -> dict[str, bytes]:
    member = topics.Member(PEER, JOINED)
    identity = topics.IdentityPayload(PEER, "Ann", "ann@example.org", "a1", "key", True)
    return {
        topics.CHAT: encoded(topics.ChatPayload("hi", 1)),
        topics.ACK: encoded(topics.Delivered("message-1")),
        topics.IDENTITY: encoded(topics.WhoAreYou()),
        topics.IDENTITY_RESPONSE: encoded(identity),
        topics.INVITE: encoded(topics.Invite(GROUP, "Friends", PEER, "template", "template", True)),
        topics.group_topic(GROUP, "welcome"): encoded(topics.Welcome("Friends", "template", "template", 4, True, [member])),
        topics.group_topic(GROUP, "members"): encoded(topics.Members([member])),
        topics.group_topic(GROUP, "meta"): encoded(topics.Meta("Friends", "template", "template", 4)),
        **{
            topics.group_topic(GROUP, type_): topics.envelope(type_, GROUP, b'{"a":1}', PEER)
            for type_ in sorted(topics.ENVELOPED - {"error"})
        },
        topics.group_topic(GROUP, "error"): topics.envelope("error", GROUP, encoded(topics.GroupErrorPayload("full", "no room"))),
    }


def relayed() -> dict[str, bytes]:
    peer = b"\x01\x02\x03"
    return {
        "hop, reserve": circuit.reserve(),
        "hop, connect": circuit.connect(peer),
        "hop, reservation": circuit.give_place(1_700_000_000, [f"/ip4/192.0.2.7/tcp/4001/p2p/{PEER}"]),
        "hop, circuit": circuit.give_circuit(120, 131_072),
        "hop, refusal": circuit.hop_refusal(circuit.REFUSED),
        "stop, connect": circuit.bring(peer, 120, 131_072),
        "stop, status": circuit.take(),
        "stop, refusal": circuit.take(circuit.FAILED),
    }


def test_what_is_written_to_other_peers_is_as_recorded() -> None:
    texts = {name: message.decode() for name, message in {**presences(), **lines()}.items()}
    recording = {
        "lines and documents": texts,
        "payloads of messages, by topic": {topic: payload.decode() for topic, payload in payloads().items()},
        "relay messages, hexadecimal": {name: message.hex() for name, message in relayed().items()},
    }
    compare("wire.json", as_json(recording))
