"""A template in the style of existing sites, and others that differ in one thing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

SCHEMA = {
    "name": "posts",
    "system_key": True,
    "columns": [{"name": "title", "type": "text", "required": True}],
    "access": {"read": "open", "insert": "group", "update": "group", "delete": "group"},
    "roles": {"coauthor": {"read": True, "insert": True, "update": True, "delete": False}},
}
SEED = 'function call() goop.orm("posts"):insert({title = goop.template.name .. tostring(goop.peer.id == goop.self.id)}) end'
SQL = (
    "CREATE TABLE notes (_id INTEGER PRIMARY KEY AUTOINCREMENT, _owner TEXT NOT NULL, _owner_email TEXT DEFAULT '', "
    "_created_at DATETIME DEFAULT CURRENT_TIMESTAMP, _updated_at DATETIME DEFAULT CURRENT_TIMESTAMP, text TEXT);"
    "INSERT INTO notes (_owner, text) VALUES ('x', 'one')"
)
CLUBHOUSE: Mapping[str, str] = {
    "manifest.json": json.dumps(
        {"name": "Clubhouse", "default_role": "coauthor", "schemas": ["posts"], "tables": {"notes": {"insert_policy": "open"}}}
    ),
    "index.html": "<h1>Club</h1>",
    "css/style.css": "b{}",
    "schema.sql": SQL,
    "schemas/posts.json": json.dumps(SCHEMA),
    "schemas/draft.json": '{"name": "draft", "columns": [',
    "lua/functions/seed.lua": SEED,
    "lua/functions/board.lua": 'function call() return goop.kv.get("x") or goop.orm("posts"):count() end\n'
    'function handle() return "board" end',
}


def template(folder: Path, changes: Mapping[str, str | None] | None = None, name: str = "club") -> str:
    """Write a template; `changes`: files that differ, None for one that is not there. Return its path."""
    for path, text in {**CLUBHOUSE, **(changes or {})}.items():
        if text is not None:
            file = folder / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return str(folder / name)
