"""A request that each endpoint answers well, as a page would send it. An endpoint that is missing here fails `test_http.py`."""

from __future__ import annotations

from typing import Any

HOST = "12D3KooWRBy97UB99e3J6hiPesre1MZeuNQvfan4gBziswrRJsNK"
"""A peer that is not here."""
COLUMNS = [{"name": "title", "type": "text"}, {"name": "done", "type": "integer"}]
ROW = {"title": "milk", "done": 1}
NOTES: dict[str, Any] = {"table": "notes"}

SITE: dict[str, Any] = {
    "identity": None,
    "events": None,
    "peers": None,
    "data/tables": None,
    "data/tables/create": {"name": "notes", "column_defs": COLUMNS},
    "data/insert": {"table": "notes", "data": ROW},
    "data/query": NOTES,
    "data/query-one": {**NOTES, "id": 1},
    "data/update": {**NOTES, "id": 1, "data": {"done": 0}},
    "data/update-where": {**NOTES, "where": "_id = ?", "args": [1], "data": {"done": 1}},
    "data/upsert": {**NOTES, "key_col": "title", "data": {"title": "tea", "done": 0}},
    "data/exists": {**NOTES, "where": "done = 1"},
    "data/count": NOTES,
    "data/distinct": {**NOTES, "column": "title"},
    "data/pluck": {**NOTES, "column": "title"},
    "data/aggregate": {**NOTES, "expr": "sum(done)"},
    "data/orm-schema": NOTES,
    "data/role": NOTES,
    "data/tables/describe": NOTES,
    "data/tables/add-column": {**NOTES, "column": {"name": "more", "type": "text"}},
    "data/tables/drop-column": {**NOTES, "column": "more"},
    "data/delete": {**NOTES, "id": 2},
    "data/delete-where": {**NOTES, "where": "done = 7"},
    "data/tables/rename": {"old_name": "notes", "new_name": "lines"},
    "data/tables/delete": {"table": "lines"},
    "data/lua/list": None,
    "data/lua/call": {"function": "hello", "params": {"name": "Ann"}},
    "chat/send": {"content": "!hello"},
    "chat/messages": {},
    "chat/broadcast": {"content": "hi"},
    "site/files": None,
    "site/upload": {"any": "content"},
    "site/remove": {"path": "nosuch.txt"},
    "group/create": {"name": "Friends"},
    "group/subscriptions": {},
    "group/send": {"group": "nosuch", "payload": 1},
    "group/invite": {"group": "nosuch", "peer": HOST},
    "group/invites": {},
    "group/refuse": {"group": "nosuch"},
    "group/remove": {"group": "nosuch", "peer": HOST},
    "group/join": {"group": "nosuch", "host": HOST},
    "group/leave": {"group": "nosuch", "host": HOST},
    "group/close": {"group": "nosuch"},
    "listen/state": None,
    "listen/events": None,
    "listen/control": {"action": "create", "name": "Evening"},
    "listen/files": None,
    "listen/audio": None,
    "listen/began": None,
    "listen/cover": None,
}
"""Path after `/api/` → the body of a POST; None: it is asked for with GET. In the order in which they are sent."""

CONSOLE: dict[str, Any] = {
    "who": None,
    "home": None,
    "events": None,
    "network": None,
    "network/connect": {"address": "nowhere"},
    "chat": None,
    "chat/send": {"peer": HOST, "content": ""},
    "chat/messages": {"peer": HOST},
    "chat/forget": {"peer": HOST},
    "data": None,
    "data/do": {"op": "tables"},
    "groups": None,
    "groups/do": {"action": "create", "name": "Readers"},
    "listen": None,
    "listen/files": None,
    "listen/control": {"action": "pause"},
    "scripts": None,
    "scripts/table": None,
    "scripts/create": {"kind": "function", "name": "new"},
    "scripts/read": {"kind": "function", "name": "new"},
    "scripts/save": {"kind": "function", "name": "new", "text": "x", "version": "old"},
    "scripts/rename": {"kind": "function", "name": "new", "new_name": "newer"},
    "scripts/try": {"kind": "function", "name": "hello", "argument": "{}"},
    "scripts/delete": {"kind": "function", "name": "newer", "version": "old"},
    "runs": None,
    "runs/{id:int}": None,
    "runs/{id:int}/again": {"caller": "owner"},
    "lines": None,
    "minutes": None,
    "settings": {"version": "old", "changes": {"profile.label": "Fritz"}},
}
"""The same after `/api/console/`."""
