"""The messages between an owner and its nodes: one struct each, msgpack on the wire, each with its bounds.

A node is a machine of the owner's, but what it sends is decoded against these types all the same, as what a worker sends is. Times are
seconds left or seconds spent: two machines share no clock.

    owner → node   goop2-cluster.node.NODE.BOOT        NodeSetup, Refused, Call, Cancel, HostAnswer, Farewell
    node → owner   goop2-cluster.owner.NODE.beat       Beat
    node → owner   goop2-cluster.owner.NODE.call.ID    Ended, Logged, Asked: the server answers here too where nobody listens at NODE
    owner → owner  goop2-cluster.owner.self.echo       an echo, which shows that the server is there

NODE is the public key of the node, BOOT is another one after each start, so that two programs with one key are two nodes and no call goes
to both. The server lets a node publish and hear nothing but what has its key.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from goop2.sandbox.messages import Scalar, ShortText
from goop2.storage.run_record import HostCallRecord

PROTOCOL: Final = 1
"""Counted up when the messages change; both sides must have the same."""

NodeKey = Annotated[str, msgspec.Meta(max_length=56)]
Name = Annotated[str, msgspec.Meta(max_length=64)]
CallId = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


class Call(msgspec.Struct, array_like=True, frozen=True, tag=0, gc=False):
    """Run this script. The fields are those of `Invoke`."""

    id: CallId
    kind: str
    script: str
    version: bytes
    source: bytes | None
    """None when this node was sent the version before."""
    argument: bytes
    caller_id: str
    caller_label: str
    caller_email: str
    owner: bool
    """Whether the caller is the owner, whose calls share no worker with those of strangers."""
    seconds_left: float


class Cancel(msgspec.Struct, array_like=True, frozen=True, tag=1, gc=False):
    """Stop the work on a call: nobody waits for it any more."""

    id: CallId


class HostAnswer(msgspec.Struct, array_like=True, frozen=True, tag=2, gc=False):
    """The answer to an `Asked`, as `HostCallAnswer`."""

    id: CallId
    number: int
    shape: bytes
    values: tuple[Scalar, ...]


class NodeSetup(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """Make workers like this, and say so with the digest in the next beat."""

    owner: bytes
    """Random, another one after each start of the owner: calls of an earlier start are over."""
    digest: bytes
    flavour: str
    self_id: str
    self_label: str
    memory_bytes: int
    process_per_call: bool
    time_zone: str
    """The owner's rule of time, so that `os.date` says the same wherever it runs."""


class Refused(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """This node is not used; why, for whoever started it."""

    why: str


class Farewell(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """Nothing more comes: the node said that it leaves."""


ToNode = Call | Cancel | HostAnswer | NodeSetup | Refused | Farewell


class Beat(msgspec.Struct, array_like=True, frozen=True, tag=6):
    """Say that a node is there and what it can do; sent each BEAT_SECONDS, and at once after a change."""

    protocol: int
    version: Annotated[str, msgspec.Meta(max_length=64)]
    """Of goop2."""
    flavours: Annotated[tuple[Annotated[str, msgspec.Meta(max_length=32)], ...], msgspec.Meta(max_length=8)]
    """The flavours of Lua it has."""
    boot: Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
    """Random, another one after each start."""
    slots: Annotated[int, msgspec.Meta(ge=0, le=256)]
    host: Name
    """The name of its machine, for people."""
    digest: Annotated[bytes, msgspec.Meta(max_length=32)] = b""
    """Of the `NodeSetup` by which its workers are made; b"" while they are not."""
    leaving: bool = False


class Ended(msgspec.Struct, array_like=True, frozen=True, tag=7, gc=False):
    """The call ended. The fields are those of `Done`."""

    code: Annotated[str, msgspec.Meta(max_length=32)]
    payload: bytes
    memory_bytes: Annotated[int, msgspec.Meta(ge=0)]
    work_seconds: Annotated[float, msgspec.Meta(ge=0.0)]
    """For which a worker had it."""
    calls: Annotated[tuple[HostCallRecord, ...], msgspec.Meta(max_length=1000)] = ()
    error_code: Annotated[str, msgspec.Meta(max_length=256)] = ""
    traceback: ShortText = ""


class Logged(msgspec.Struct, array_like=True, frozen=True, tag=8, gc=False):
    """A line that the script wrote to the log of its run, in the order in which they were written."""

    level: Literal["info", "warn", "error"]
    text: str


class Asked(msgspec.Struct, array_like=True, frozen=True, tag=9, gc=False):
    """An operation only the owner can do; it is answered by one `HostAnswer` of the same number."""

    number: int
    operation: ShortText
    arguments: tuple[Scalar, ...]


OfCall = Ended | Logged | Asked

encode = msgspec.msgpack.Encoder().encode
to_node: Final = msgspec.msgpack.Decoder[ToNode](ToNode)
of_call: Final = msgspec.msgpack.Decoder[OfCall](OfCall)
beat: Final = msgspec.msgpack.Decoder[Beat](Beat)

SELF: Final = "self"
ECHO: Final = "goop2-cluster.owner.self.echo"
FROM_NODES: Final = "goop2-cluster.owner.>"


def node_subject(node: str, boot: bytes) -> str:
    """Return where a node listens."""
    return f"goop2-cluster.node.{node}.{boot.hex()}"


def beat_subject(node: str) -> str:
    """Return where a node says that it is there."""
    return f"goop2-cluster.owner.{node}.beat"


def call_subject(node: str, call: int) -> str:
    """Return where a node tells of a call."""
    return f"goop2-cluster.owner.{node}.call.{call}"


def places(subject: str) -> tuple[str, str, int | None]:
    """Return node, what it tells of, and the id of the call, of a subject below FROM_NODES; "" for what is none."""
    parts = subject.split(".")
    if len(parts) == 4:
        return parts[2], parts[3], None
    if len(parts) == 5 and parts[3] == "call" and parts[4].isascii() and parts[4].isdigit():
        return parts[2], "call", int(parts[4])
    return "", "", None
