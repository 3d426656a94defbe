"""What happens in a peer, as events for its console: a run ended, a script changed, a message, a session or a group.

On the path of every run, so what is told is short; the console asks for a run's log when somebody opens it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from goop2.scripting.catalog import Catalog, CatalogChange
from goop2.scripting.runs import Runs
from goop2.services.chat.service import ChatReply, ChatService
from goop2.services.groups.service import GroupService, Invited
from goop2.services.groups.state import NAME_MAX_CHARS
from goop2.services.groups.state import GroupChange as GroupChange
from goop2.services.listen.service import Listening
from goop2.storage.messages import StoredMessage
from goop2.storage.run_record import Run
from goop2.web.app import Parts
from goop2.web.http.event_log import Events

End = Callable[[], None]
"""Ends a telling."""
CONSOLE: Final = "console"
"""The audience of these events."""


class RunEnded(msgspec.Struct, frozen=True, gc=False):
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


class ScriptChanged(msgspec.Struct, frozen=True):
    """A script was loaded, broken or removed."""

    what: str
    kind: str
    name: str
    path: str
    line: int | None
    message: str


def short_run(run: Run) -> RunEnded:
    """Return `run` as lists of runs show it."""
    return RunEnded(
        run.id,
        run.kind,
        run.script,
        run.caller,
        run.status,
        run.message,
        run.line,
        run.started,
        run.milliseconds,
        run.memory_bytes,
        run.caller_kind,
        run.caller_label,
        run.refused,
        run.count,
    )


class MessageShown(msgspec.Struct, frozen=True, rename={"sender": "from"}):
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
    return MessageShown(message.peer, message.id, message.sender, message.content, message.timestamp, message.state)


class GroupChanged(msgspec.Struct, frozen=True):
    """Who is in a group changed, or an invitation came (`invited`). Name and message are the host's text."""

    what: str
    group: str
    host: str
    name: str
    message: str = ""


def tell(events: Events, parts: Parts) -> Callable[[], None]:
    """Tell the console of every run, change and message, and that something about listening or groups changed; gives what ends it."""
    ends = (
        *_tell_scripts(events, parts.runs, parts.catalog),
        _tell_messages(events, parts.chat),
        *_tell_listening(events, parts.listening),
        *_tell_groups(events, parts.grouping),
    )

    def end() -> None:
        for each in ends:
            each()

    return end


def _tell_scripts(events: Events, runs: Runs, catalog: Catalog) -> tuple[End, ...]:
    def run_ended(run: Run) -> None:
        events.publish("run", short_run(run), CONSOLE)

    def script_changed(change: CatalogChange) -> None:
        fault = change.fault
        line, message = (fault.line, fault.message) if fault else (None, "")
        events.publish("script", ScriptChanged(change.what, change.kind, change.name, change.path, line, message), CONSOLE)

    return runs.subscribe(run_ended), catalog.subscribe(script_changed)


def _tell_messages(events: Events, chat: ChatService) -> End:
    def said(what: ChatReply) -> None:
        events.publish("message", message_shown(what.message), CONSOLE)
        if events.heard(CONSOLE):
            chat.shown([what.message])

    return chat.subscribe(said)


def _tell_listening(events: Events, listening: Listening) -> tuple[End, ...]:
    def listens(_what: object) -> None:
        events.publish("listen", {}, CONSOLE)

    return listening.subscribe(listens), listening.counts.add(listens), listening.following.subscribe(listens)


def _tell_groups(events: Events, grouping: GroupService) -> tuple[End, ...]:
    def changed(change: GroupChange) -> None:
        if change.what not in ("msg", "state"):
            group, why = change.group, change.refused.message or change.refused.code
            events.publish("group", GroupChanged(change.what, group.id, group.host, group.name, why[:NAME_MAX_CHARS]), CONSOLE)

    def invited(invite: Invited) -> None:
        events.publish("group", GroupChanged("invited", invite.group, invite.host, invite.name), CONSOLE)

    return grouping.groups.subscribe(changed), grouping.subscribe_invites(invited)
