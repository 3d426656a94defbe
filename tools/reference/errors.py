"""docs/errors.md: the classes of errors, from the enumeration and from the exceptions that carry one."""

from __future__ import annotations

import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module

import goop2
from goop2.scripting.invocation import ErrorCode
from goop2.web.http.responses import STATUSES

HEAD = """# Errors

Every error has a class, which a program can act on, and a message, which a person can. Made from the declarations; change those, then run
`make pages`.

## Errors of calls

What a page, another peer, `goop2 lua call --json` and the runs of the console name. Over HTTP an error is `{code, message}`, with `script`
and `line` when a script raised it.

| class | status | what happened | what helps |
| --- | --- | --- | --- |
"""
MEANINGS = {
    ErrorCode.BAD_REQUEST: ("the caller sent something that does not fit", "mend the argument that the message names"),
    ErrorCode.FORBIDDEN: ("it is not for this caller", "the owner decides: a table's policy, a role, a setting"),
    ErrorCode.NOT_FOUND: ("there is no such function, table, resource or address", "look at its name"),
    ErrorCode.RATE_LIMITED: ("the caller asked too often", "wait as many seconds as `Retry-After` says"),
    ErrorCode.SCRIPT_ERROR: ("the script raised an error", "the message names file and line; `error({code = …})` chooses its own code"),
    ErrorCode.TIMEOUT: ("the script took longer than `lua.timeout_seconds`", "ask for less at a time"),
    ErrorCode.MEMORY: ("the script wanted more than `lua.max_memory_mb`", "keep less at a time"),
    ErrorCode.UNAVAILABLE: ("it is not possible now, or not here", "try again later; the call may have been carried out"),
}
OFFLINE = "| `offline` | 0 | the peer cannot be reached; only the SDK gives this class | try again later |\n"
OWNERS = """
## Errors of commands

A command that fails prints one sentence and ends with an exit code. With `--json` it prints `{"ok": false, "code": …, "message": …}`.

| code | exit code | what is at fault |
| --- | --- | --- |
| `usage` | 2 | the command itself: an option, an argument |
"""
FAULTS = {
    "settings": "`goop.json`: the message names key, value and what is allowed",
    "unavailable": "what the command needs is not there now: a port, a worker, the network",
    "database": "`data.db`: it is busy, full, damaged or of a newer version",
    "locked": "the folder: a running peer has it",
    "folder": "the folder: it is missing, not empty, or not writable",
    "identity": "the peer's key",
    "template": "the template: it is broken, too large, or would replace something that you have not agreed to",
    "backup": "the backup: its place cannot be reached, is another folder's, or is damaged; or Litestream is missing",
    "cluster": "the server of the cluster, or what `goop.json` says about it",
    "system": "the system refused a file or a socket",
    "internal": "goop2 itself: please report it",
}
"""Code of `--json` → what is at fault. `system` and `internal` belong to no exception of ours."""
BY_MAIN = frozenset(("system", "internal", "usage"))
EXCEPTIONS = """
## Exceptions

For those who change goop2: the exceptions that carry a class, by class. Whoever catches one needs no list of them; `failure_of` in
`src/goop2/web/http/handlers.py` answers each by its `code`.

| class | exceptions |
| --- | --- |
"""


def exceptions() -> Iterator[type[Exception]]:
    """Yield every exception that goop2 declares."""
    for module in pkgutil.walk_packages(goop2.__path__, "goop2."):
        if module.name.endswith("__main__") or module.name.startswith("goop2.sandbox.fork_server"):
            continue
        for value in vars(import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == module.name:
                yield value


def owner_codes() -> set[str]:
    """Return the codes that exceptions carry for `--json`."""
    return {code for each in exceptions() if isinstance(code := vars(each).get("owner_code"), str)}


def page() -> str:
    """Return the text of the page."""
    calls = "".join(f"| `{code}` | {int(STATUSES[code])} | {what} | {help_} |\n" for code, (what, help_) in MEANINGS.items())
    owners = "".join(f"| `{code}` | 2 | {what} |\n" for code, what in FAULTS.items())
    by_class: dict[str, list[str]] = defaultdict(list)
    for each in exceptions():
        code = vars(each).get("code")
        if isinstance(code, str) and not each.__name__.startswith("_"):
            by_class[str(code)].append(f"`{each.__name__}`")
    carried = "".join(f"| `{code}` | {', '.join(sorted(names))} |\n" for code, names in sorted(by_class.items()))
    return HEAD + calls + OFFLINE + OWNERS + owners + EXCEPTIONS + carried
