"""The payloads of mq's messages, by topic: JSON in, events out, and back.

    chat, chat.broadcast        {"content", "timestamp"?}
    mq.ack                      {"msg_id"}
    identity                    no meaning: a request
    identity.response           {"peerID", "content", "email", …}
    group.invite                {"group_id", "group_name", "host_peer_id", "app_type" or "group_type", "group_context"?, "volatile"}
    group:<id>:<type>           bare: welcome members msg state meta; in an envelope {"type","group","from"?,"payload"?}: the others

Any other topic is `Other`: acknowledged, and shown to pages that listen. Ids in a payload (`from`, `peerID`, `peer_id`) are data, not
proof.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from goop2.protocols import tolerant_json
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.untrusted_json import InvalidJsonError, decode

CHAT: Final = "chat"
BROADCAST: Final = "chat.broadcast"
ACK: Final = "mq.ack"
IDENTITY: Final = "identity"
IDENTITY_RESPONSE: Final = "identity.response"
INVITE: Final = "group.invite"
GROUP_PREFIX: Final = "group"
PLAIN: Final = frozenset((IDENTITY, IDENTITY_RESPONSE))
"""Never encrypted: the keys become known by these."""

BARE: Final = frozenset(("welcome", "members", "msg", "state", "meta"))
ENVELOPED: Final = frozenset(("join", "leave", "close", "ping", "pong", "error"))
MOMENT_MAX_MS: Final = 8_640_000_000_000_000
"""The last moment a browser's Date knows; one beyond it breaks the page that shows it."""
MEMBERS_MAX: Final = 1024
"""Nobody plays or listens with more; a list without end would be kept."""
ROLE_MAX_CHARS: Final = 64
"""A word such as `viewer`; pages show it beside a name."""
CONTEXT_MAX_CHARS: Final = 200
"""The name of a template, of as many characters as a group's name may have."""

_null: Final = msgspec.Raw(b"null")
_SHOWN_CHARS: Final = 80
"""Of a topic, in an error's text."""
_WIRE_NAMES: Final = {
    "peer_id": "peerID",
    "label": "content",
    "avatar_hash": "avatarHash",
    "public_key": "publicKey",
    "encryption_supported": "encryptionSupported",
}


class ChatPayload(msgspec.Struct, frozen=True, omit_defaults=True):
    """A direct message, or one to all. `timestamp` in ms since 1970 is the sender's. Both may be missing (network.md)."""

    content: str = ""
    timestamp: int | float | None = None

    @property
    def at(self) -> int | None:
        """Return `timestamp` if a page can show it; otherwise None."""
        known = self.timestamp is not None and 0 < self.timestamp <= MOMENT_MAX_MS
        return int(self.timestamp or 0) if known else None


class Delivered(msgspec.Struct, frozen=True):
    """`mq.ack`: the other side's browser has the message."""

    msg_id: str


class WhoAreYou(msgspec.Struct, frozen=True):
    """`identity`: the peer asks for our identity."""


class IdentityPayload(msgspec.Struct, frozen=True, rename=_WIRE_NAMES):
    """`identity.response`: what a peer says about itself."""

    peer_id: str = ""
    label: str = ""
    email: str = ""
    avatar_hash: str = ""
    public_key: str = ""
    encryption_supported: bool = False


class Invite(msgspec.Struct, frozen=True):
    """An invitation to a group. The app type is called `group_type` by newer peers."""

    group_id: str
    group_name: str = ""
    host_peer_id: str = ""
    app_type: str = ""
    group_type: str = ""
    volatile: bool = False
    group_context: str = ""

    @property
    def kind(self) -> str:
        """Return the app type, under whichever name it came."""
        return self.app_type or self.group_type


class Member(msgspec.Struct, frozen=True, omit_defaults=True):
    """A member as the host lists it; `joined_at` is the host's clock in whatever form it writes it. Older peers tell no role."""

    peer_id: str
    joined_at: msgspec.Raw = _null
    role: str = ""
    name: str = ""


class Welcome(msgspec.Struct, frozen=True):
    """The message by which a host takes a peer into its group."""

    group_name: str = ""
    app_type: str = ""
    group_type: str = ""
    max_members: int = 0
    volatile: bool = False
    members: list[Member] = []
    group_context: str = ""


class Members(msgspec.Struct, frozen=True):
    """The members of the group now; existing peers write null for none."""

    members: list[Member] = []


class Meta(msgspec.Struct, frozen=True):
    """The group has another name or another limit."""

    group_name: str = ""
    app_type: str = ""
    group_type: str = ""
    max_members: int = 0
    group_context: str = ""


class GroupErrorPayload(msgspec.Struct, frozen=True, omit_defaults=True):
    """The host does not admit us: `full`, or a code we do not know."""

    code: str = ""
    message: str = ""


class Plain(msgspec.Struct, frozen=True):
    """A group event whose payload only the group understands, as JSON text: msg, state, join, leave, close, ping, pong."""

    json: bytes


class Group(msgspec.Struct, frozen=True):
    """An event of a group; `type` says which."""

    id: str
    type: str
    event: Welcome | Members | Meta | GroupErrorPayload | Plain


class Broadcast(msgspec.Struct, frozen=True):
    """A message to everybody its sender knows; it is not saved."""

    chat: ChatPayload


class Other(msgspec.Struct, frozen=True):
    """A message of a topic this peer does not know; `json` is its payload, a page's own affair."""

    topic: str
    json: bytes = b"null"


Event = ChatPayload | Broadcast | Delivered | WhoAreYou | IdentityPayload | Invite | Group | Other


class _Envelope(msgspec.Struct, frozen=True):
    """A group payload in an envelope. `code` and `message` at top level are an error's, for existing readers."""

    type: str = ""
    group: str = ""
    payload: msgspec.Raw = _null
    code: str = ""
    message: str = ""


T = TypeVar("T", bound=msgspec.Struct)

_DIRECT: Final[dict[str, type[ChatPayload | Delivered | IdentityPayload | Invite]]] = {
    CHAT: ChatPayload,
    ACK: Delivered,
    IDENTITY_RESPONSE: IdentityPayload,
    INVITE: Invite,
}
_GROUP: Final[dict[str, type[Welcome | Members | Meta]]] = {"welcome": Welcome, "members": Members, "meta": Meta}


def read(topic: str, payload: bytes) -> Event:
    """Return the event a message carries. Raises `RemoteProtocolError`, whose message names topic and place."""
    if topic in _DIRECT:
        event = _decode(topic, payload, _DIRECT[topic])
        if isinstance(event, Invite):
            _check_context(topic, event.group_context)
        return event
    if topic == BROADCAST:
        return Broadcast(_decode(topic, payload, ChatPayload))
    if topic == IDENTITY:
        return WhoAreYou()
    if topic.startswith(GROUP_PREFIX + ":"):
        return _group(topic, payload)
    return Other(topic, payload)


def is_free(topic: str) -> bool:
    """Return whether only the group understands the payload, whatever its form."""
    return topic.startswith(GROUP_PREFIX + ":") and topic.rpartition(":")[2] in ("msg", "state")


def group_topic(group: str, type_: str) -> str:
    """Return the topic `group:<id>:<type>`."""
    return f"{GROUP_PREFIX}:{group}:{type_}"


def envelope(type_: str, group: str, payload: bytes = b"", sender: str = "") -> bytes:
    """Return the payload of a group message in an envelope. An error's fields are at top level too, where existing readers look."""
    fields: dict[str, object] = {"type": type_, "group": group}
    if sender:
        fields["from"] = sender
    if payload:
        fields["payload"] = msgspec.Raw(payload)
        if type_ == "error":
            fields |= msgspec.to_builtins(decode(payload, GroupErrorPayload))
    return msgspec.json.encode(fields)


def _group(topic: str, payload: bytes) -> Event:
    _, _, rest = topic.partition(":")
    id_, _, type_ = rest.rpartition(":")
    if not id_ or type_ not in BARE | ENVELOPED:
        return Other(topic)
    if type_ in ENVELOPED:
        inside = _decode(topic, payload, _Envelope)
        return Group(id_, type_, _refused(topic, inside) if type_ == "error" else Plain(bytes(inside.payload)))
    if type_ not in _GROUP:
        return Group(id_, type_, Plain(payload))
    event = _decode(topic, payload, _GROUP[type_])
    _check_context(topic, getattr(event, "group_context", ""))
    members: list[Member] = getattr(event, "members", [])
    if len(members) > MEMBERS_MAX:
        raise RemoteProtocolError(f"the {topic[:_SHOWN_CHARS]} message names more than {MEMBERS_MAX} members")
    longest = max((len(member.role) for member in members), default=0)
    if longest > ROLE_MAX_CHARS:
        raise RemoteProtocolError(f"the {topic[:_SHOWN_CHARS]} message has a role of {longest} characters; the most is {ROLE_MAX_CHARS}")
    return Group(id_, type_, event)


def _check_context(topic: str, context: str) -> None:
    if len(context) > CONTEXT_MAX_CHARS:
        raise RemoteProtocolError(
            f"the {topic[:_SHOWN_CHARS]} message has a group_context of {len(context)} characters; the most is {CONTEXT_MAX_CHARS}"
        )


def _refused(topic: str, inside: _Envelope) -> GroupErrorPayload:
    if inside.code or inside.message or inside.payload in (_null, msgspec.Raw(b"")):
        return GroupErrorPayload(inside.code, inside.message)
    return _decode(topic, bytes(inside.payload), GroupErrorPayload)


def _decode(topic: str, payload: bytes, as_: type[T]) -> T:
    try:
        return tolerant_json.decode(payload, as_, absent=as_ is _Envelope)
    except InvalidJsonError as error:
        raise RemoteProtocolError(f"the payload of the {topic[:_SHOWN_CHARS]} message is invalid: {error}") from None
