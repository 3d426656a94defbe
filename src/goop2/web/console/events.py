"""The events of the console: a run ended; a script, a message, a session, a group or the network changed.

This is on the path of every run, so events are short: the console asks for the log of a run when somebody opens it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from goop2.protocols.rooms import RoomMessage
from goop2.scripting.catalog import Catalog, CatalogChange
from goop2.scripting.printable import printable
from goop2.scripting.runs import Runs
from goop2.services.avatars import Avatars
from goop2.services.chat.service import ChatReply, ChatService
from goop2.services.groups.limits import NAME_MAX_CHARS
from goop2.services.groups.records import GroupChange as GroupChange
from goop2.services.groups.service import GroupService, Invited
from goop2.services.listen.service import ListenService
from goop2.services.peer import Peer
from goop2.services.rooms.service import RoomEvent, RoomService
from goop2.services.shared_files.service import SharedFiles
from goop2.storage.messages import StoredMessage
from goop2.storage.run_record import Run
from goop2.web.http.event_log import Events
from goop2.web.remote.network import NetworkView, RemoteNetwork

FILES_SECONDS: Final = 0.3
"""Between two events about files that come."""
Unsubscribe = Callable[[], None]
"""Ends a subscription."""
LABEL_MAX_CHARS: Final = 64
"""Of a caller's label, which is a stranger's text."""
CONSOLE: Final = "console"
"""The audience of these events."""


class RunEnded(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A run without its log and host calls."""

    id: int
    kind: str
    script: str
    caller: str
    status: str
    message: str
    line: int | None
    started: float
    milliseconds: float
    memory_bytes: int
    caller_kind: str
    caller_label: str
    refused: bool
    count: int


class ScriptChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A script was loaded, failed to compile, or was removed."""

    what: str
    kind: str
    name: str
    path: str
    line: int | None
    message: str


def short_run(run: Run) -> RunEnded:
    """Return `run` as lists of runs show it."""
    return RunEnded(
        id=run.id,
        kind=run.kind,
        script=run.script,
        caller=run.caller,
        status=run.status,
        message=run.message,
        line=run.line,
        started=run.started,
        milliseconds=run.milliseconds,
        memory_bytes=run.memory_bytes,
        caller_kind=run.caller_kind,
        caller_label=printable(run.caller_label, LABEL_MAX_CHARS),
        refused=run.refused,
        count=run.count,
    )


class MessageShown(msgspec.Struct, frozen=True, kw_only=True, rename={"sender": "from"}):
    """A direct message as the console shows it."""

    peer: str
    """The other side."""
    id: int
    sender: str
    content: str
    timestamp: int
    state: str


def message_shown(message: StoredMessage) -> MessageShown:
    """Return `message` as the console shows it."""
    return MessageShown(
        peer=message.peer, id=message.id, sender=message.sender, content=message.content, timestamp=message.timestamp, state=message.state
    )


class GroupChanged(msgspec.Struct, frozen=True):
    """Who is in a group changed, or an invitation came (`invited`). Name and message are the host's text."""

    what: str
    group: str
    host: str
    name: str
    message: str = ""


class RoomChanged(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something was said in a room, or who is there changed. All but ids is other people's text."""

    room: str
    host: str
    what: str
    message: RoomMessage | None = None


def publish_changes(events: Events, peer: Peer, remote: RemoteNetwork) -> Callable[[], None]:
    """Publish every run, change and message, and that something about listening, groups or the network changed. Return what ends that."""
    remote.on_join(partial(_publish_network, events))
    subscriptions = (
        *_publish_scripts(events, peer.runs, peer.catalog),
        _publish_messages(events, peer.chat),
        *_publish_listening(events, peer.listening),
        *_publish_groups(events, peer.grouping),
        _publish_rooms(events, peer.rooms),
        _publish_pictures(events, peer.avatars),
        peer.missed_calls.subscribe(lambda call: events.publish("call", {"peer": call.peer, "label": remote.label(call.peer)}, CONSOLE)),
        _publish_files(events, peer.shared_files),
    )

    def unsubscribe() -> None:
        for each in subscriptions:
            each()

    return unsubscribe


def _publish_files(events: Events, files: SharedFiles) -> Unsubscribe:
    last = -FILES_SECONDS

    def changed(_what: None) -> None:
        nonlocal last
        now = time.monotonic()
        # A transfer changes with every piece; its end is told whenever it comes.
        if not events.has_reader(CONSOLE) or (now - last < FILES_SECONDS and any(one.state == "running" for one in files.transfers())):
            return
        last = now
        events.publish("files", {}, CONSOLE)

    return files.subscribe(changed)


def _publish_pictures(events: Events, avatars: Avatars) -> Unsubscribe:
    def changed(peer: str) -> None:
        # Many peers come at once at a start: nothing is made for nobody.
        if events.has_reader(CONSOLE):
            events.publish("avatar", {"peer": peer}, CONSOLE)

    return avatars.subscribe(changed)


def _publish_scripts(events: Events, runs: Runs, catalog: Catalog) -> tuple[Unsubscribe, ...]:
    def run_ended(run: Run) -> None:
        events.publish("run", short_run(run), CONSOLE)

    def script_changed(change: CatalogChange) -> None:
        fault = change.fault
        line, message = (fault.line, fault.message) if fault else (None, "")
        events.publish(
            "script",
            ScriptChanged(what=change.what, kind=change.kind, name=change.name, path=change.path, line=line, message=message),
            CONSOLE,
        )

    return runs.subscribe(run_ended), catalog.subscribe(script_changed)


def _publish_messages(events: Events, chat: ChatService) -> Unsubscribe:
    def changed(change: ChatReply) -> None:
        events.publish("message", message_shown(change.message), CONSOLE)
        # With a console open the owner sees the message, so its sender gets to know that it was delivered.
        if events.has_reader(CONSOLE):
            chat.shown([change.message])

    return chat.subscribe(changed)


def _publish_listening(events: Events, listening: ListenService) -> tuple[Unsubscribe, ...]:
    def changed(_what: object) -> None:
        events.publish("listen", {}, CONSOLE)

    return listening.subscribe(changed), listening.counts.add(changed), listening.following.subscribe(changed)


def _publish_network(events: Events, network: NetworkView) -> Unsubscribe:
    def changed() -> None:
        # Many connections come at once at a start: nothing is made for nobody.
        if events.has_reader(CONSOLE):
            events.publish("network", {}, CONSOLE)

    return network.watch(changed)


def _publish_groups(events: Events, grouping: GroupService) -> tuple[Unsubscribe, ...]:
    def changed(change: GroupChange) -> None:
        # Messages of a group belong to the pages that use it; the console shows who is in it.
        if change.what not in ("msg", "state"):
            group, why = change.group, change.refused.message or change.refused.code
            events.publish("group", GroupChanged(change.what, group.id, group.host, group.name, why[:NAME_MAX_CHARS]), CONSOLE)

    def invited(invite: Invited) -> None:
        events.publish("group", GroupChanged("invited", invite.group, invite.host, invite.name), CONSOLE)

    return grouping.groups.subscribe(changed), grouping.subscribe_invites(invited)


def _publish_rooms(events: Events, rooms: RoomService) -> Unsubscribe:
    def happened(event: RoomEvent) -> None:
        group = event.room.group
        events.publish("room", RoomChanged(group.id, group.host, event.what, event.message), CONSOLE)

    return rooms.subscribe(happened)
