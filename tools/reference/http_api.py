"""docs/http-api.md: every address a peer answers, from the rules, the data operations and the console's controls.

What an endpoint takes and gives stands here, in `ENDPOINTS`, where no declaration says it; a test compares the paths with those that are
served.
"""

from __future__ import annotations

import ast
from pathlib import Path

from goop2.storage.data_operations import DATA_OPERATIONS, FURTHER_PATHS
from goop2.web.api.endpoints import EndpointAccess, EndpointRule, rule_of

SOURCE = Path(__file__).parents[2] / "src/goop2"
HEAD = """# HTTP API

Every address a peer answers. Pages use the [SDK](pages.md) instead, which is made of these. Made from the declarations; change those,
then run `make pages`.

- A site and the console have an origin each. On a site's origin `/api/…` and `/api/p/<peer id>/…` are the same.
- A request with a body is a POST of JSON (`Content-Type: application/json`). An answer is JSON, and is never kept by a browser.
- An error is `{code, message}` with the status of its class: [errors](errors.md#errors-of-calls).
- Every request is checked for where it comes from: a page reaches its own origin only (`Origin`, `Sec-Fetch-Site`, `Host`).
- The last columns of a table say what each kind of page may use. *all*: everything, as its caller, under policies and limits. *host*: only
  what concerns the peer whose site it is. *self*: who the viewer is, without what the viewer does not share. —: nothing (403).
"""
ADDRESSES = """
## Every origin

| address | |
| --- | --- |
| `GET /healthz` | 200 `{"status": "ok"}` when the peer works, else 503 with what is wrong, without details |

## A site's origin

| address | |
| --- | --- |
| `GET /` | leads to `/p/<peer id>/` |
| `GET /p/<peer id>/…` | the files of the site; `index.html` of a folder. ETag, ranges, compression |
| `GET /sdk/…` | the [SDK](pages.md) |
| `/api/…` | the endpoints below |

## The console's origin

| address | |
| --- | --- |
| `GET /` | the console's pages |
| `GET /docs/…` | this documentation, for the owner |
| `GET /metrics` | the [metrics](metrics.md), for whoever shows `data/metrics.token` as a bearer token |
| `GET /p/<peer id>/…` | leads to that peer's site |
| `GET /as/<name>/…` | leads to the own site as the test visitor `visitor-<name>` |
| `/api/console/…` | the owner's controls, [below](#the-consoles-controls) |
"""
HOST_PEER = "{group, host?}"
ENDPOINTS = {
    "events": ("GET", "", "the events of a page, as a stream; `Last-Event-ID` continues one"),
    "identity": ("GET", "", "`{id, label, email}` of the viewer"),
    "self": ("GET", "", "`{id, label, email, avatar_hash}` of the viewer, as pages of Goop2 ask"),
    "chat/send": ("POST", "{peer?, content}", "stores a message to the peer of the site; the reply to a command comes as an event"),
    "chat/messages": ("POST", "{peer?, before?}", "what the caller and the peer have written, oldest first"),
    "chat/broadcast": ("POST", "{content}", "sends a message to every peer that is here; nobody stores it"),
    "chat/rooms": ("GET", "", "the chat rooms the page may know of"),
    "chat/rooms/join": ("POST", "{host_peer_id, group_id}", "joins a room"),
    "chat/rooms/leave": ("POST", "{group_id}", "leaves a room"),
    "chat/rooms/send": ("POST", "{group_id, text}", "says something in a room"),
    "chat/rooms/state": ("GET", "?group_id=", "a room with its members and its last hundred messages"),
    "chat/rooms/create": ("POST", "{name, description?, context?, max_members?}", "opens a room"),
    "chat/rooms/close": ("POST", "{group_id}", "ends a room"),
    "site/files": ("GET", "", "the files of the site"),
    "site/upload": ("POST", "?path= and the content", "saves a file, at most 50 MB; the body may be a form with one file"),
    "site/remove": ("POST", "{path}", "removes a file"),
    "site/delete": ("POST", "{path}", "the same, as pages of Goop2 ask"),
    "site/content": ("GET", "?path=", "the text of a file"),
    "listen/state": ("GET", "", "the listening session, or null"),
    "listen/events": ("GET", "?join=", "its changes as events; with `join=1` the caller counts as a listener"),
    "listen/audio": ("GET", "?session=&from=", "the file that plays, with ranges"),
    "listen/began": ("GET", "?session=&from=", "the second at which the sound of the same `from` begins"),
    "listen/cover": ("GET", "?session=", "the picture in the track"),
    "listen/files": ("GET", "", "what the owner can load; null for others"),
    "listen/control": ("POST", "{action, name?, path?, seconds?}", "does an action of the owner: create, load, play, pause, seek, close"),
    "group/subscriptions": ("GET", "", "the groups of other peers this peer is in"),
    "group/join": ("POST", HOST_PEER, "joins a group"),
    "group/leave": ("POST", HOST_PEER, "leaves a group"),
    "group/send": ("POST", "{group, host?, payload}", "sends a message to all members"),
    "group/create": ("POST", "{name, type?, max_members?, volatile?, context?}", "opens a group"),
    "group/close": ("POST", "{group}", "ends a group"),
    "group/invite": ("POST", "{group, peer}", "invites a peer"),
    "group/invites": ("GET", "", "the invitations that came"),
    "group/refuse": ("POST", HOST_PEER, "refuses an invitation"),
    "group/remove": ("POST", "{group, peer}", "removes a member"),
    "groups": ("GET or POST", "{name, group_type, max_members?}", "lists the groups hosted here; with a body opens one"),
    "groups/subscriptions": ("GET", "", "as `group/subscriptions`, with the names of Goop2"),
    "groups/join": ("POST", "{host_peer_id, group_id}", "joins a group"),
    "groups/rejoin": ("POST", "{host_peer_id, group_id}", "joins a group again that was joined before"),
    "groups/leave": ("POST", "{group_id?}", "leaves a group; without one, that joined last"),
    "groups/subscriptions/remove": ("POST", "{host_peer_id, group_id}", "forgets a group"),
    "groups/send": ("POST", "{group_id?, payload}", "sends a message to all members"),
    "groups/events": ("GET", "", "the events of groups as a stream"),
    "groups/join-own": ("POST", "{group_id}", "enters a group hosted here"),
    "groups/leave-own": ("POST", "{group_id}", "leaves it without ending it"),
    "groups/close": ("POST", "{group_id}", "ends a group"),
    "groups/invite": ("POST", "{group_id, peer_id}", "invites a peer"),
    "groups/kick": ("POST", "{group_id, peer_id}", "removes a member"),
    "groups/set-role": ("POST", "{group_id, peer_id, role}", "gives a member another role"),
    "groups/set-default-role": ("POST", "{group_id, role}", "sets the role of new members"),
    "groups/set-roles": ("POST", "{group_id, roles}", "sets which roles there may be"),
    "groups/max-members": ("POST", "{group_id, max_members}", "sets how many members there may be"),
    "groups/meta": ("POST", "{group_id, name?, group_context?, max_members?}", "changes a group's name and more"),
    "peers": ("GET", "", "the peers that are here"),
    "avatar": ("GET", "", "the own picture"),
    "avatar/peer/": ("GET", "<peer id>", "a peer's picture"),
    "mq/send": ("POST", "{peer_id, topic, payload, msg_id?}", "sends a message to pages of another peer"),
    "mq/ack": ("POST", "{msg_id, from_peer_id}", "tells the sender that a page has it"),
    "mq/events": ("GET", "", "such messages as a stream"),
    "template/settings": ("GET", "", "the manifest of the template of the site"),
}
"""Path after `/api/`, but for `data/…` → method, what it takes, what it gives."""
CONTROLS_HEAD = """
## The console's controls

Below `/api/console`. Each wants the console's token as a bearer token, but for `/tab`, `/tab/enter` and `/tab/resume`. They are the
console's own, and may change with it.

| `GET /events` | the console's events as a stream |
| --- | --- |
"""
RENDEZVOUS = """
## A rendezvous server

`goop2 rendezvous`, and a peer with `presence.rendezvous_host`, answer:

```text
"""


def page() -> str:
    """Return the text of the page."""
    parts = [
        HEAD,
        ADDRESSES,
        "\n## Endpoints of pages\n",
        _table(),
        "\n## Endpoints of tables and scripts\n",
        DATA_HEAD,
        _data(),
        _console(),
        _rendezvous(),
    ]
    return "".join(parts)


DATA_HEAD = """
A request names a `table`; `where` is SQL with `?` for each of `args`. The table's [policies](data.md#who-may-do-what-from-outside) decide
for each caller. *owner*: for the owner of the site only.

| address | takes | | who |
| --- | --- | --- | --- |
"""


def paths() -> set[str]:
    """Return every path after `/api/` that the page has."""
    return {*ENDPOINTS, *(f"data/{each.path}" for each in DATA_OPERATIONS), *(f"data/{path}" for path in FURTHER_PATHS)}


def _who(rule: EndpointRule | None) -> str:
    assert rule is not None, "web/api/endpoints.py has a rule for each"
    words = {EndpointAccess.ALL: "all", EndpointAccess.HOST: "host", EndpointAccess.SELF: "self", EndpointAccess.NONE: "—"}
    return " | ".join(words[access] for access in rule)


def _table() -> str:
    head = "\n| address | takes | | owner, own site | visited site | visitor |\n| --- | --- | --- | --- | --- | --- |\n"
    return head + "".join(
        f"| `{method} /api/{path}` | {f'`{takes}`' if takes else ''} | {gives} | {_who(rule_of(path.rstrip('/')))} |\n"
        for path, (method, takes, gives) in ENDPOINTS.items()
    )


def _data() -> str:
    rows = [
        f"| `{each.method or 'GET or POST'} /api/data/{each.path}` | {', '.join(f'`{key}`' for key in each.keys)} | {each.does} | "
        f"{'owner' if each.owner_only else 'all'} |\n"
        for each in DATA_OPERATIONS
    ]
    rows += [
        f"| `POST /api/data/{path}` | {', '.join(f'`{key}`' for key in operation.keys)} | "
        f"As `{operation.path}`, under a name that pages of Goop2 know. | all |\n"
        for path, (operation, _) in FURTHER_PATHS.items()
    ]
    return "".join(rows)


def controls() -> dict[str, str]:
    """Return title → the lines with which a module of the console says what it answers."""
    found = {}
    modules = [
        *sorted((SOURCE / "web/console/controls").glob("[a-z]*.py")),
        SOURCE / "web/console/places.py",
        SOURCE / "web/console/tabs.py",
    ]
    for file in modules:
        text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
        lines = _indented(text)
        if lines:
            found[text.partition("\n")[0]] = lines
    return found


def _indented(text: str) -> str:
    """Return the lines of a docstring that begin with a method, and those that go on with one."""
    lines: list[str] = []
    for line in text.split("\n\n"):
        if line.strip().startswith(("GET ", "POST ")):
            block = line.split("\n")
            margin = min(len(each) - len(each.lstrip()) for each in block)
            lines += [each[margin:] for each in block]
    return "\n".join(lines)


def _console() -> str:
    return CONTROLS_HEAD + "".join(f"\n{title}\n\n```text\n{lines}\n```\n" for title, lines in controls().items())


def _rendezvous() -> str:
    text = ast.get_docstring(ast.parse((SOURCE / "rendezvous/http.py").read_text("utf-8"))) or ""
    return f"{RENDEZVOUS}{_indented(text)}\n```\n"
