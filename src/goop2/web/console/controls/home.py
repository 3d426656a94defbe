"""Home: who this peer is, what is running, what needs attention, the last runs.

GET /who   {id, label, site, avatar}; avatar: the hash of the own picture, "" when there is none
GET /home  the whole page
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import cache
from typing import Final, Literal
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.scripting.catalog import ScriptEntry
from goop2.scripting.engine import RATE_LIMIT_MET
from goop2.scripting.invocation import ErrorCode
from goop2.scripting.printable import printable
from goop2.scripting.run_texts import error_shown, script_shown, times_shown
from goop2.services.backup.service import BackupStatus
from goop2.services.chat.service import Refusals
from goop2.services.storage_health import StorageHealth
from goop2.storage.run_database import FailureCount
from goop2.storage.run_history import RunHistory
from goop2.storage.run_record import FAILED, REFUSED, SCRIPT_ERROR, RunFilter
from goop2.web.app import AS_VISITOR, Web
from goop2.web.console.controls.replies import reply, route
from goop2.web.console.events import short_run
from goop2.web.console.first_steps import FirstSteps
from goop2.web.http.origins import Listener, origin_address
from goop2.web.http.passes import OWN
from goop2.web.http.peer_host import host_label, peer_path
from goop2.web.http.site_ports import needs_port

RUNS_SHOWN: Final = 8
WHY_MAX_CHARS: Final = 200
HOUR_SECONDS: Final = 3600.0
"""What fails is counted over the last hour."""
INVITES_NAMED: Final = 3
INVITE_NAME_MAX_CHARS: Final = 60
CALLS_NAMED: Final = 3
ATTENTION_MAX: Final = 50
"""Items shown at most. A folder may hold ten thousand broken scripts, and the page asks twice a second while something runs."""
VISITOR_PLACE: Final = "NAME"
"""Placeholder for the test visitor's name in the address of the own site."""


class Attention(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An item of "Needs attention"."""

    level: Literal["warn", "bad"]
    title: str
    text: str
    remedy: str = ""
    script: str = ""
    """Path of the script it is about."""
    page: str = ""
    """Page of the console where the owner can act on it."""


def routes(web: Web, listener: Listener, opened: str) -> list[BaseRoute]:
    """Return the routes of the home page's controls.

    :param listener: the loopback listener, which the addresses of the site name.
    :param opened: the site's address from beyond loopback, "" when it is not opened.
    """
    peer = web.peer
    steps = FirstSteps(peer)
    host = f"{host_label(peer.identity.peer_id)}.localhost"
    path = peer_path(peer.identity.peer_id)
    named = f"{origin_address(host, listener.port)}{path}", f"{origin_address(f'{VISITOR_PLACE}.{host}', listener.port)}{path}"
    led = path, f"{AS_VISITOR}{VISITOR_PLACE}/"

    def addresses(request: Request) -> tuple[str, str]:
        """Return the addresses of the site as its owner and as a test visitor.

        By host name; over the console's redirects for a browser that does not resolve `*.localhost`, or that has only a pass to show.
        """
        known_by_name = not needs_port(request.headers.get("user-agent", "")) and web.admission.is_owner(request.scope, b"", OWN)
        return named if known_by_name else led

    async def who(request: Request) -> Response:
        return reply(
            {"id": peer.identity.peer_id, "label": peer.owner.label, "site": addresses(request)[0], "avatar": peer.avatars.own_hash}
        )

    async def home(request: Request) -> Response:
        site, visitor = addresses(request)
        return reply(
            {
                "id": peer.identity.peer_id,
                "label": peer.owner.label,
                "site": site,
                "visitor": visitor,
                "opened": opened,
                "qr": await asyncio.to_thread(_qr, peer.identity.peer_id),
                "steps": await steps.steps(),
                "up": _up(web),
                "attention": _first(_attention(web, await peer.history.failures(time.time() - HOUR_SECONDS))),
                "runs": [short_run(run) for run in await peer.history.find(RunFilter(), RUNS_SHOWN)],
            }
        )

    return [route("/who", who), route("/home", home)]


@cache
def _qr(text: str) -> str:
    """Return a QR code as the data URL of an SVG picture, black on a transparent ground."""
    # On first use, in a thread: an idle peer does without it, and drawing the first one takes some hundredths of a second.
    from goop2.web.console.qr_code import as_data_url

    return as_data_url(text)


def _up(web: Web) -> dict[str, object]:
    peer = web.peer
    listing = peer.catalog.listing()
    return {
        "lua": peer.settings.lua.enabled,
        "commands": sum(one.kind == "command" for one in listing),
        "functions": sum(one.kind == "function" for one in listing),
        "workers": len(peer.pool.worker_pids),
        "workers_max": peer.settings.lua.max_workers,
        "waiting": peer.pool.waiting,
        "confinement": dict(peer.confinement),
        "backup": _backup(peer.backup.status),
        "seconds": time.monotonic() - web.started,
    }


def _backup(status: BackupStatus) -> dict[str, object] | None:
    """Return how old the last copy and the last test of restoring are, None without a backup."""
    if not status.place:
        return None
    now = time.time()
    return {
        "place": status.place,
        "age": now - status.copied_at if status.copied_at is not None else None,
        "check_age": now - status.check.at if status.check is not None else None,
    }


def _attention(web: Web, failures: list[FailureCount]) -> Iterator[Attention]:
    peer, remote = web.peer, web.remote
    if not peer.settings.lua.enabled:
        yield Attention(
            level="warn",
            title="Scripts are switched off",
            text="No script answers anybody.",
            remedy="Switch lua.enabled on in the settings.",
        )
    if invites := peer.grouping.invites():
        yield _of_invites([(one.name or one.group, remote.label(one.host) or one.host) for one in invites])
    if missed := peer.missed_calls.recent():
        yield _of_calls([(remote.label(one.peer) or one.peer, one.at) for one in missed])
    if remote.problem:
        yield Attention(
            level="bad",
            title="This peer is not on the network",
            text=f"{remote.problem}.",
            remedy="Its pages are still served. It tries again by itself.",
        )
    if peer.chat.refusals.count:
        yield _of_refusals(peer.chat.refusals, peer.chat.removed)
    for listed in peer.catalog.listing():
        yield from _of_script(listed)
    yield from _of_runs(failures, peer.history)
    yield from _of_database(peer.health)
    yield from _of_backup(peer.backup.status)
    for warning in (*peer.warnings, *peer.schemas.warnings, *peer.catalog.warnings):
        yield Attention(level="warn", title="Warning", text=warning)
    for layer, why in peer.confinement.items():
        if why:
            yield Attention(
                level="warn",
                title=f"Scripts run without the protection “{layer}”",
                text=why,
                remedy="Run goop2 doctor: it says what this protects from and how to switch it on.",
            )


def _first(everything: Iterator[Attention]) -> list[Attention]:
    """Return the items that are shown: `bad` ones first, at most ATTENTION_MAX, then how many more there are."""
    items = sorted(everything, key=lambda each: each.level != "bad")
    more = len(items) - ATTENTION_MAX
    rest = [Attention(level="warn", title=f"{more} more", text="Only the first ones are shown here.", page="scripts")] if more > 0 else []
    return [*items[:ATTENTION_MAX], *rest]


def _of_runs(failures: list[FailureCount], history: RunHistory) -> Iterator[Attention]:
    """Of what failed in the last hour, and that the history cannot be kept."""
    for count in failures:
        yield from _of_failures(count)
    if history.problem:
        remedy = "The last runs are kept in memory until the peer stops."
        yield Attention(level="warn", title="Runs are not saved", text=history.problem, remedy=remedy)
    if history.lost:
        text = f"{history.lost:,} runs that failed since the start are missing: the disk was too slow for them."
        yield Attention(level="warn", title="Some failures are not saved", text=text)


def _of_failures(count: FailureCount) -> Iterator[Attention]:
    """Of a script that failed in the last hour, or whose callers were turned away. That it does not compile is said by its own entry."""
    script, times = script_shown(count.kind, count.script), times_shown(count.count)
    asked = {"script": count.script, "kind": count.kind, "status": REFUSED if count.refused else FAILED}
    page = f"runs?{urlencode(asked)}"
    if not count.refused:
        at = time.strftime("%H:%M", time.localtime(count.last_at))
        error = error_shown(count.script, count.line, count.message)
        title = f"{script} failed {times} in the last hour, last at {at}"
        yield Attention(level="bad", title=title, text=error, page=page)
    elif count.status == ErrorCode.NOT_FOUND:
        title = f"{script} was called {times} in the last hour"
        yield Attention(level="warn", title=title, text="There is no script of that name.", page=page)
    elif count.status != SCRIPT_ERROR:
        why = printable(count.message.removeprefix(f"{RATE_LIMIT_MET}: "), WHY_MAX_CHARS)
        title = f"Visitors were turned away {times} ({why})"
        yield Attention(level="warn", title=title, text="In the last hour, before the script ran.", page=page)


def _of_database(health: StorageHealth) -> Iterator[Attention]:
    if health.problem:
        yield Attention(
            level="bad", title="The database cannot be used", text=health.problem, remedy="Nothing can be saved until this is solved."
        )
    if size := health.size():
        yield Attention(level="warn", title="The database is large", text=size, page="settings")


def _of_backup(status: BackupStatus) -> Iterator[Attention]:
    if status.problem:
        remedy = "Everything else works. It is tried again by itself."
        yield Attention(level="bad", title="The backup does not work", text=f"{status.problem}.", remedy=remedy)
    if status.check is not None and status.check.problem:
        remedy = 'Run "goop2 backup DIR --check" when the reason is gone.'
        yield Attention(level="bad", title="The backup cannot be restored", text=f"{status.check.problem}.", remedy=remedy)
    if status.left_out:
        yield Attention(level="warn", title="The backup is not complete", text=f"Left out: {', '.join(status.left_out)}.")


def _of_refusals(refusals: Refusals, removed: int) -> Attention:
    """Return the item about messages of other peers that were refused."""
    title = "A message from another peer was refused" if refusals.count == 1 else f"{refusals.count} messages from other peers were refused"
    ago = max(0, int(time.time() - refusals.last_at) // 60)
    when = "less than a minute ago" if not ago else f"{ago} min ago" if ago < 120 else f"{ago // 60} h ago"
    text = f"The last one {when}: {refusals.last_reason}."
    if removed:
        text += f" {removed} older messages of others were deleted to make room for newer ones."
    return Attention(
        level="warn", title=title, text=text, remedy="You can delete conversations you do not want on the Chat page.", page="chat"
    )


def _of_invites(invites: list[tuple[str, str]]) -> Attention:
    """Return the item about invitations, given as group name and host label, the last one last."""
    # Both are other people's text. `printable` removes direction marks, which would turn around the text behind a name.
    last = [f"“{printable(name, INVITE_NAME_MAX_CHARS)}”, from {host}" for name, host in invites[: -INVITES_NAMED - 1 : -1]]
    more = [f"and {len(invites) - len(last)} more"] if len(invites) > len(last) else []
    title = "An invitation to a group" if len(invites) == 1 else f"{len(invites)} invitations to groups"
    return Attention(level="warn", title=title, text="; ".join((*last, *more)), page="groups")


def _of_calls(missed: list[tuple[str, float]]) -> Attention:
    """Return the item about calls that were hung up, given as the caller's label and when, the last one last."""
    callers = [f"{printable(label, INVITE_NAME_MAX_CHARS)} at {time.strftime('%H:%M', time.localtime(at))}" for label, at in missed]
    last = "; ".join(callers[: -CALLS_NAMED - 1 : -1])
    more = f"; and {len(callers) - CALLS_NAMED} more" if len(callers) > CALLS_NAMED else ""
    title = "A call was hung up" if len(missed) == 1 else f"{len(missed)} calls were hung up"
    text = f"{last}{more}. Calls with sound and picture are not supported yet."
    return Attention(level="warn", title=title, text=text, remedy="Write a message instead.", page="chat")


def _of_script(listed: ScriptEntry) -> Iterator[Attention]:
    if listed.fault is not None:
        runs = "The last version without errors still runs." if listed.older_runs else "It does not run until the error is fixed."
        yield Attention(level="bad", title=listed.path, text=listed.fault.located(listed.name), remedy=runs, script=listed.path)
    for warning in listed.warnings:
        yield Attention(level="warn", title=listed.path, text=warning, script=listed.path)
