"""The server's page: who is here, live. Strangers wrote every text on it, so each is escaped, and only our script may run."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from goop2.protocols.presence import Presence
from goop2.rendezvous.limits import PAGE_PEERS_MAX
from goop2.rendezvous.said_relay import ListedRelay

HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}

_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{count} · Goop2 rendezvous</title>
<link rel="stylesheet" href="/page.css">
<script src="/page.js" defer></script>
<main>
<h1>Who is here</h1>
<div id="here">
<p class="count">{count}</p>
{peers}
{relays}
</div>
<footer>A meeting point for Goop2 peers. Names are what peers call themselves; nothing here proves them.</footer>
</main>
</html>
"""

STYLE: Final = """:root { color-scheme: light dark;
        --ink: #1c2530; --soft: #5d6b7a; --paper: #f5f7f9; --card: #fff; --line: #dfe5ea; --here: #2e9e62; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ebf0; --soft: #93a1af; --paper: #12171c; --card: #1a2129; --line: #2b3540; --here: #4fc98a; }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 44rem; margin: 0 auto; padding: 3rem 1.25rem; }
h2 { margin: 2rem 0 .75rem; font-size: 1.1rem; }
h1 { margin: 0; font-size: 1.75rem; letter-spacing: -.01em; }
.count, footer, .id { color: var(--soft); }
.count { margin: .25rem 0 1.5rem; }
ul { list-style: none; margin: 0; padding: 0; display: grid; gap: .5rem; }
li { display: grid; grid-template-columns: auto minmax(0, 1fr); column-gap: .75rem; align-items: center; padding: .75rem 1rem;
     background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
li::before { content: ""; width: .6rem; height: .6rem; border-radius: 50%; background: var(--here); grid-row: span 2; }
.label { font-weight: 600; overflow-wrap: anywhere; }
.id { font: .8rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
footer { margin-top: 2.5rem; font-size: .875rem; }
.away { opacity: .5; }
"""

SCRIPT: Final = """// Fetches the page again when somebody comes or goes; the server has escaped every text in it.
const here = document.getElementById("here");
let due = 0, again = false;

async function refresh() {
  const page = await fetch("/", { cache: "no-store" });
  if (!page.ok) return;
  const fresh = new DOMParser().parseFromString(await page.text(), "text/html");
  const list = fresh.getElementById("here");
  if (list.innerHTML === here.innerHTML) return;
  here.replaceChildren(...list.childNodes);
  document.title = fresh.title;
}

function soon() {
  if (due) { again = true; return; }
  due = setTimeout(() => {
    refresh().catch(() => {}).finally(() => { due = 0; if (again) { again = false; soon(); } });
  }, 500);
}

const events = new EventSource("/events");
events.onmessage = soon;
events.onopen = () => { here.classList.remove("away"); soon(); };
events.onerror = () => here.classList.add("away");
// A peer that falls silent sends nothing.
setInterval(soon, 10000);
"""


def render(peers: Sequence[Presence], relays: Sequence[ListedRelay] = (), servers: int = 0) -> str:
    """Return the page with these peers and relays on it; `servers` others are joined by a bus."""
    shown = "\n".join(_line(said.label or "(no name)", said.peer_id) for said in peers[:PAGE_PEERS_MAX])
    others = f" · with {servers} other server{'s' if servers > 1 else ''}" if servers else ""
    return _PAGE.format(count=_count(len(peers)) + others, peers=_list(shown), relays=_relays(relays))


def _line(label: str, id_: str) -> str:
    return f'<li><span class="label">{escape(label)}</span><span class="id">{escape(id_)}</span></li>'


def _list(lines: str) -> str:
    return f"<ul>\n{lines}\n</ul>" if lines else ""


def _relays(relays: Sequence[ListedRelay]) -> str:
    if not relays:
        return ""
    lines = [
        _line(f"{each.free} free place{'' if each.free == 1 else 's'}", each.addrs[0] if each.addrs else each.peer_id) for each in relays
    ]
    return f"<h2>Relays</h2>\n{_list(chr(10).join(lines[:PAGE_PEERS_MAX]))}"


def _count(number: int) -> str:
    if not number:
        return "Nobody yet"
    shown = f", the first {PAGE_PEERS_MAX} shown" if number > PAGE_PEERS_MAX else ""
    return f"{number} peer{'s' if number > 1 else ''}{shown}"
