"""Home: who this peer is, what is up, what needs its owner, the last runs.

GET /who   {id, label, site}
GET /home  the whole page
"""

from __future__ import annotations

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
from goop2.services.chat.service import Refusals
from goop2.services.storage_health import StorageHealth
from goop2.storage.run_database import FailureCount
from goop2.storage.run_record import FAILED, REFUSED, SCRIPT_ERROR, RunFilter
from goop2.web.app import AS_VISITOR, Parts
from goop2.web.console.controls.replies import reply, route
from goop2.web.console.events import short_run
from goop2.web.http.admission import Entrance
from goop2.web.http.origins import Listener, origin_address
from goop2.web.http.passes import OWN
from goop2.web.http.peer_host import host_label
from goop2.web.http.site_ports import needs_port

RUNS_SHOWN: Final = 8
WHY_MAX_CHARS: Final = 200
HOUR_SECONDS: Final = 3600.0
"""What fails is counted over the last hour."""
INVITES_NAMED: Final = 3
INVITE_NAME_MAX_CHARS: Final = 60
ATTENTION_MAX: Final = 50
"""Shown; a folder may hold ten thousand broken scripts, and the page is asked for twice a second while something runs."""
VISITOR_PLACE: Final = "NAME"
"""Stands in the address of the own site as a visitor for the visitor's name."""


class Attention(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something the owner should look at."""

    level: Literal["warn", "bad"]
    title: str
    text: str
    remedy: str = ""
    script: str = ""
    """Path of the script it is about."""
    page: str = ""
    """Of the console, where it is seen to."""


def routes(parts: Parts, door: Listener, opened: str, entrance: Entrance) -> list[BaseRoute]:
    """Path → handler. `opened` is the site's address from beyond loopback, "" when it is not opened."""
    host = f"{host_label(parts.peer_id)}.localhost"
    named = f"{origin_address(host, door.port)}/", f"{origin_address(f'{VISITOR_PLACE}.{host}', door.port)}/"
    led = f"/p/{parts.peer_id}/", f"{AS_VISITOR}{VISITOR_PLACE}/"

    def addresses(request: Request) -> tuple[str, str]:
        """The site and the site as a visitor: by name, or by where the console leads a browser that does not know the names, or that is
        the owner's by its pass alone."""
        known_by_name = not needs_port(request.headers.get("user-agent", "")) and entrance.is_owner(request.scope, b"", OWN)
        return named if known_by_name else led

    async def who(request: Request) -> Response:
        return reply({"id": parts.peer_id, "label": parts.owner.label, "site": addresses(request)[0]})

    async def home(request: Request) -> Response:
        site, visitor = addresses(request)
        return reply(
            {
                "id": parts.peer_id,
                "label": parts.owner.label,
                "site": site,
                "visitor": visitor,
                "opened": opened,
                "qr": _qr(parts.peer_id),
                "up": _up(parts),
                "attention": _first(_attention(parts, await parts.history.failures(time.time() - HOUR_SECONDS))),
                "runs": [short_run(run) for run in await parts.history.find(RunFilter(), RUNS_SHOWN)],
            }
        )

    return [route("/who", who), route("/home", home)]


@cache
def _qr(text: str) -> str:
    """Return a QR code as the address of an SVG picture, black on nothing."""
    import segno  # when it is looked at: it takes a twentieth of a start

    return str(segno.make(text, error="m", micro=False).svg_data_uri(border=1, dark="#111"))


def _up(parts: Parts) -> dict[str, object]:
    listing = parts.catalog.listing()
    return {
        "lua": parts.settings.lua.enabled,
        "commands": sum(one.kind == "command" for one in listing),
        "functions": sum(one.kind == "function" for one in listing),
        "workers": len(parts.pool.worker_pids),
        "workers_max": parts.settings.lua.max_workers,
        "waiting": parts.pool.waiting,
        "confinement": dict(parts.confinement),
        "seconds": time.monotonic() - parts.started,
    }


def _attention(parts: Parts, failures: list[FailureCount]) -> Iterator[Attention]:
    if not parts.settings.lua.enabled:
        yield Attention("warn", "Scripts are switched off", "No script answers anybody.", "Switch lua.enabled on in the settings.")
    if invites := parts.grouping.invites():
        yield _of_invites([(one.name or one.group, parts.abroad.label(one.host) or one.host) for one in invites])
    if parts.abroad.problem:
        yield Attention(
            "bad", "This peer is not on the network", f"{parts.abroad.problem}.", "Its pages are served; it is tried again by itself."
        )
    if parts.chat.refusals.count:
        yield _of_refusals(parts.chat.refusals, parts.chat.removed)
    for listed in parts.catalog.listing():
        yield from _of_script(listed)
    yield from _of_runs(failures, parts.history.problem)
    yield from _of_database(parts.health)
    for warning in (*parts.warnings, *parts.schemas.warnings, *parts.catalog.warnings):
        yield Attention("warn", "A warning", warning)
    for layer, why in parts.confinement.items():
        if why:
            yield Attention("warn", f"The wall lacks {layer}", why, "goop2 doctor says what it is good for and how to get it.")


def _first(everything: Iterator[Attention]) -> list[Attention]:
    """Return what is shown of it: what is broken goes before what is only to be looked at, and there is an end."""
    found = sorted(everything, key=lambda each: each.level != "bad")
    more = len(found) - ATTENTION_MAX
    rest = [Attention("warn", f"{more} more", "What is shown here is only the first of it.", page="scripts")] if more > 0 else []
    return [*found[:ATTENTION_MAX], *rest]


def _of_runs(failures: list[FailureCount], problem: str) -> Iterator[Attention]:
    """Of what failed in the last hour, and that the history cannot be kept."""
    for count in failures:
        yield from _of_failures(count)
    if problem:
        yield Attention("warn", "What runs is not kept", problem, "The last runs are kept in memory until the peer stops.")


def _of_failures(count: FailureCount) -> Iterator[Attention]:
    """Of a script that failed in the last hour, or whose callers were turned away. That it does not compile is said by its own entry."""
    script, times = script_shown(count.kind, count.script), times_shown(count.count)
    asked = {"script": count.script, "kind": count.kind, "status": REFUSED if count.refused else FAILED}
    page = f"runs?{urlencode(asked)}"
    if not count.refused:
        at = time.strftime("%H:%M", time.localtime(count.last_at))
        error = error_shown(count.script, count.line, count.message)
        yield Attention("bad", f"{script} failed {times} in the last hour, last at {at}", error, page=page)
    elif count.status == ErrorCode.NOT_FOUND:
        yield Attention("warn", f"{script} was called {times} in the last hour", "There is no script of that name.", page=page)
    elif count.status != SCRIPT_ERROR:
        why = printable(count.message.removeprefix(f"{RATE_LIMIT_MET}: "), WHY_MAX_CHARS)
        yield Attention("warn", f"Visitors were turned away {times} ({why})", "In the last hour, before the script ran.", page=page)


def _of_database(health: StorageHealth) -> Iterator[Attention]:
    if health.problem:
        yield Attention("bad", "The database cannot be used", health.problem, "What would be written meanwhile is refused.")
    if size := health.size():
        yield Attention("warn", "The database is large", size, page="settings")


def _of_refusals(refusals: Refusals, removed: int) -> Attention:
    """Of messages of others that were not taken."""
    title = "A message of another peer was refused" if refusals.count == 1 else f"{refusals.count} messages of other peers were refused"
    ago = max(0, int(time.time() - refusals.last_at) // 60)
    when = "less than a minute ago" if not ago else f"{ago} min ago" if ago < 120 else f"{ago // 60} h ago"
    text = f"The last one {when}: {refusals.last_reason}."
    if removed:
        text += f" {removed} older messages of others made room for newer ones."
    return Attention("warn", title, text, "Conversations you do not want can be deleted on the Chat page.", page="chat")


def _of_invites(invites: list[tuple[str, str]]) -> Attention:
    """Of names and who invites, which are other people's text: a name must not turn the direction of what stands behind it."""
    last = [f"“{printable(name, INVITE_NAME_MAX_CHARS)}”, from {host}" for name, host in invites[: -INVITES_NAMED - 1 : -1]]
    more = [f"and {len(invites) - len(last)} more"] if len(invites) > len(last) else []
    title = "An invitation to a group" if len(invites) == 1 else f"{len(invites)} invitations to groups"
    return Attention("warn", title, "; ".join((*last, *more)), page="groups")


def _of_script(listed: ScriptEntry) -> Iterator[Attention]:
    if listed.fault is not None:
        runs = "Its last good version runs meanwhile." if listed.older_runs else "It answers nobody until it is mended."
        yield Attention("bad", listed.path, listed.fault.located(listed.name), runs, listed.path)
    for warning in listed.warnings:
        yield Attention("warn", listed.path, warning, script=listed.path)
