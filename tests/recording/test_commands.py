"""Every command's help, and what wrong uses print, are as recorded."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.cli.command import goop2
from tests.recording.recorded import compare, masked

from goop2.folder.creation import create

WIDTH = {"COLUMNS": "100"}
AT_ONCE = 4
"""Commands that run at the same time; some only wait for peers that never come."""
DIR, NO_DIR, FILE = "DIR", "NO-DIR", "FILE"
"""Stand for: a peer's folder, one that is not there, and a file that is no folder."""
ABSENT_ID = "12D3KooWRBy97UB99e3J6hiPesre1MZeuNQvfan4gBziswrRJsNK"
"""The id of no peer here."""

WRONG_USES: tuple[tuple[str, ...], ...] = (
    ("nosuch",),
    ("per",),
    ("--nosuch",),
    ("init",),
    ("init", DIR),
    ("init", FILE),
    ("init", NO_DIR, "--template", "nosuch"),
    ("peer",),
    ("peer", FILE),
    ("peer", DIR, "--lvie"),
    ("console", DIR),
    ("console", NO_DIR),
    ("chat", NO_DIR),
    ("chat", DIR, "--as", ""),
    ("demo", "--nosuch"),
    ("demo", "extra", "words", "here"),
    ("doctor", "extra"),
    ("id",),
    ("id", NO_DIR),
    ("id", FILE),
    ("id", DIR, "extra"),
    ("id", "--json"),
    ("id", NO_DIR, "--json"),
    ("keys",),
    ("keys", NO_DIR),
    ("lua",),
    ("lua", "nosuch"),
    ("lua", "call"),
    ("lua", "call", DIR),
    ("lua", "call", DIR, "nosuch"),
    ("lua", "call", DIR, "nosuch", "{}", "--json"),
    ("lua", "call", DIR, "score-quiz", "{"),
    ("lua", "call", DIR, "score-quiz", "[1]"),
    ("lua", "call", NO_DIR, "score-quiz"),
    ("lua", "call", DIR, "score-quiz", "{}", "--as", "bad id"),
    ("lua", "chat", DIR),
    ("lua", "chat", DIR, "hello"),
    ("lua", "chat", DIR, "!nosuch"),
    ("lua", "chat", DIR, "!nosuch", "--json"),
    ("lua", "chat", NO_DIR, "!hello"),
    ("lua", "check", NO_DIR),
    ("lua", "check"),
    ("lua", "list", NO_DIR),
    ("lua", "list", FILE, "--json"),
    ("data",),
    ("data", DIR),
    ("data", DIR, "nosuch"),
    ("data", NO_DIR, "tables"),
    ("data", DIR, "describe"),
    ("data", DIR, "describe", "nosuch"),
    ("data", DIR, "describe", "nosuch", "--json"),
    ("data", DIR, "query"),
    ("data", DIR, "query", "SELEC 1"),
    ("data", DIR, "query", "SELECT * FROM nosuch"),
    ("data", DIR, "query", "DELETE FROM games"),
    ("data", DIR, "query", "SELECT 1; SELECT 2"),
    ("data", DIR, "query", "SELECT * FROM nosuch", "--json"),
    ("data", DIR, "export"),
    ("data", DIR, "export", "nosuch"),
    ("data", DIR, "export", "games", "--format", "xml"),
    ("data", DIR, "backup"),
    ("data", DIR, "backup", FILE),
    ("data", DIR, "create", "posts", "title"),
    ("data", DIR, "drop", "nosuch"),
    ("data", DIR, "policy", "nosuch"),
    ("data", DIR, "import", "nosuch", "nosuch.csv"),
    ("kv",),
    ("kv", DIR, "nosuch", "list"),
    ("kv", DIR, "hello", "get", "nosuch"),
    ("data", DIR, "restore"),
    ("data", DIR, "restore", FILE),
    ("data", DIR, "restore", NO_DIR),
    ("call",),
    ("call", ABSENT_ID),
    ("call", ABSENT_ID, "hello", "--dir", DIR),
    ("call", ABSENT_ID, "hello", "{", "--dir", DIR),
    ("call", ABSENT_ID, "hello", "--dir", NO_DIR),
    ("send",),
    ("send", ABSENT_ID),
    ("send", ABSENT_ID, "hi", "--dir", DIR),
    ("peers",),
    ("peers", NO_DIR),
    ("connect", DIR),
    ("connect", DIR, "nowhere"),
    ("connect", DIR, "/ip4/127.0.0.1/tcp/1"),
    ("connect", DIR, f"/ip4/127.0.0.1/tcp/1/p2p/{ABSENT_ID}x"),
    ("connect", NO_DIR, f"/ip4/127.0.0.1/tcp/1/p2p/{ABSENT_ID}"),
    ("group",),
    ("group", "nosuch"),
    ("group", "create"),
    ("group", "create", "Friends", "--max", "-1", "--dir", DIR),
    ("group", "join", ABSENT_ID),
    ("group", "join", ABSENT_ID, "g", "--dir", DIR),
    ("group", "list", "--dir", NO_DIR),
    ("group", "close", "g", "--dir", DIR),
    ("group", "invite", "g", "--dir", DIR),
    ("group", "remove", "g", "--dir", DIR),
    ("rendezvous", "nosuch"),
    ("rendezvous", "--port", "99999"),
    ("rendezvous", "--nosuch"),
)
SETTINGS: tuple[str, ...] = (
    "{",
    "[]",
    '{"nosuch": 1}',
    '{"lua": {"timeout_seconds": "x"}}',
    '{"lua": {"max_workers": 0}}',
    '{"viewer": {"http_addr": "nowhere"}}',
    '{"p2p": {"listen_port": 99999}}',
    '{"profile": {"share_email": "x"}}',
    '{"presence": {"rendezvous_wan": 7}}',
    '{"listen": {"nosuch": true}}',
    '{"storage": {"max_mb": -1}}',
)
"""Contents of goop.json that are wrong."""


BEFORE: dict[str, tuple[str, ...]] = {"data": (DIR,), "kv": (DIR, "hello"), "new": (DIR,), "schedule": (DIR,)}
"""Command → the arguments that stand before the names of those below it."""


def help_of(command: tuple[str, ...]) -> str:
    """Return what `--help` prints."""
    # Some commands stand behind a folder, which their help does not look at.
    placed = (command[0], *BEFORE[command[0]], *command[1:]) if len(command) > 1 and command[0] in BEFORE else command
    done = goop2(*placed, "--help", env=WIDTH)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def helps(threads: ThreadPoolExecutor) -> dict[tuple[str, ...], str]:
    """Return command → help; which commands there are is read from the helps themselves."""
    texts: dict[tuple[str, ...], str] = {}
    level: list[tuple[str, ...]] = [()]
    while level:
        found = dict(zip(level, threads.map(help_of, level), strict=True))
        texts |= found
        level = [(*command, name) for command, text in found.items() for name in commands_in(text)]
    return dict(sorted(texts.items()))


def commands_in(text: str) -> list[str]:
    """Return the names below "Commands:" in a help."""
    _, _, listed = text.partition("\nCommands:\n")
    return re.findall(r"^  ([a-z][a-z-]*) ", listed.partition("\n\n")[0], re.MULTILINE)


def shown_alone(arguments: tuple[str, ...], place: Path, prepared: Path) -> str:
    """Return what a wrong use prints in a place of its own, beside a copy of the peer folder `prepared`."""
    shutil.copytree(prepared, place / "peer")
    (place / "file").write_text("no folder, no archive\n")
    text = shown(arguments, place)
    assert not (place / "absent").exists(), f"{arguments} is no wrong use: it made the folder"
    return text


def shown(arguments: tuple[str, ...], root: Path) -> str:
    """Return what a wrong use prints, and its exit code."""
    peer, absent, file = root / "peer", root / "absent", root / "file"
    names = {DIR: peer, NO_DIR: absent, FILE: file}
    done = goop2(*(str(names.get(word, word)) for word in arguments), cwd=root, env=WIDTH)
    parts = [f"$ goop2 {' '.join(arguments)}", done.stdout, done.stderr, f"exit {done.returncode}"]
    return masked("\n".join(part.rstrip("\n") for part in parts if part) + "\n", **{DIR: peer, "NO-DIR": absent, FILE: file, "CWD": root})


def test_every_help_is_as_recorded() -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        texts = [masked(f"$ goop2 {' '.join([*command, '--help'])}\n{text}") for command, text in helps(threads).items()]
    assert len(texts) > 30
    compare("help.txt", "\n".join(texts))


def test_wrong_uses_are_met_as_recorded(tmp_path: Path) -> None:
    create(tmp_path / "peer", "Recorded", "start")
    goop2("lua", "chat", tmp_path / "peer", "!hello")  # makes the database
    places = [tmp_path / str(number) for number in range(len(WRONG_USES))]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        texts = list(threads.map(lambda arguments, place: shown_alone(arguments, place, tmp_path / "peer"), WRONG_USES, places))
    compare("wrong-uses.txt", "\n".join(texts))


def test_wrong_settings_are_met_as_recorded(tmp_path: Path) -> None:
    create(tmp_path / "peer", "Recorded", "blank")
    texts = []
    for document in SETTINGS:
        (tmp_path / "peer/goop.json").write_text(document)
        texts.append(f"goop.json: {document}\n{shown(('lua', 'list', DIR), tmp_path)}")
    compare("wrong-settings.txt", "\n".join(texts))
