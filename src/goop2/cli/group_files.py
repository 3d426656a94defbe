"""`goop2 group files DIR …`: files shared in groups of type `files`; through the running peer when there is one."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from goop2.cli import output
from goop2.cli.errors import CommandError
from goop2.cli.lua import unicode
from goop2.cli.main import EXIT_FAILED
from goop2.cli.options import folder_argument, json_option
from goop2.cli.peers import alone, ask

if TYPE_CHECKING:
    from goop2.control_socket import Answer, Request

LOOK_SECONDS: Final = 0.5
"""Between two answers about a transfer, each of which is a line on a terminal."""
NAME_CHARS: Final = 40
PROBLEM_CHARS: Final = 300
KILOBYTE_BYTES, MEGABYTE_BYTES = 1000, 1_000_000

host_option = click.option("--host", default="", metavar="PEER", help="Who hosts it, where two peers have a group of this id.")


@click.group("files")
@folder_argument
@click.pass_context
def files(context: click.Context, folder: Path) -> None:
    """Files that members of a group share with each other.

    \b
    goop2 group create Papers --type files --dir mysite
    goop2 group files mysite share GROUP thesis.pdf
    goop2 group files mysite list GROUP
    goop2 group files mysite fetch GROUP notes.txt

    Each member gives its files to the others while it is here. They lie in shared/GROUP of its folder.
    """
    context.obj = folder


@files.command("list")
@click.argument("group", metavar="[GROUP]", default="")
@host_option
@json_option
@click.pass_obj
def list_(folder: Path, group: str, host: str, as_json: bool) -> int:
    """List what is shared in a group; without GROUP the groups.

    A line for each file: its member, its size and its name.
    """
    if not group:
        return _groups(folder, as_json)
    answer, code = ask(folder, "files-list", {"group": unicode(group), "host": unicode(host)}, as_json)
    members: Any = answer["members"] if answer is not None else []
    if as_json and answer is not None:
        output.answer_json(members)
    for one in () if as_json else members:
        who = "this peer" if one["this"] else _short(one["label"]) or one["id"]
        for file in one["files"]:
            print(f"{who}  {_size(file['size'])}  {output.one_line(file['name'])}")
        if one["problem"]:
            output.note(f"{who}: {output.one_line(one['problem'], PROBLEM_CHARS)}")
    if answer is not None and not as_json and not any(one["files"] for one in members):
        output.note("nobody who is here shares a file in it")
    return code


def _groups(folder: Path, as_json: bool) -> int:
    answer, code = ask(folder, "files-groups", {}, as_json)
    if answer is None:
        return code
    groups: Any = answer["groups"]
    if as_json:
        output.answer_json({"groups": groups, "quota_bytes": answer["quota_bytes"]})
        return code
    for one in groups:
        state = "" if one["joined"] else ", its host is away"
        number = "1 file" if one["files"] == 1 else f"{one['files']} files"
        print(f"{one['id']}  {_short(one['name'])}  ({number} shared here, {_size(one['used_bytes'])}{state})")
    if not groups:
        output.note('no group of type "files" is hosted or joined; "goop2 group create NAME --type files" makes one')
    return code


@files.command("share")
@click.argument("group", metavar="GROUP")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--name", default="", metavar="NAME", help="Another name than the file's own.")
@host_option
@json_option
@click.pass_obj
def share(folder: Path, group: str, path: Path, name: str, host: str, as_json: bool) -> int:
    """Share a copy of FILE with the members of a group.

    A file of that name that is shared already is replaced. At most 50 MB; storage.shared_mb says how much a group may have in all.
    """
    request: dict[str, object] = {
        "group": unicode(group),
        "host": unicode(host),
        "name": unicode(name),
        "path": unicode(str(path.absolute())),
    }
    answer, code = ask(folder, "files-share", request, as_json)
    if answer is not None:
        output.answer_json(_plain(answer)) if as_json else output.note(f"shared as {output.one_line(str(answer['name']))}")
    return code


@files.command("remove")
@click.argument("group", metavar="GROUP")
@click.argument("name", metavar="NAME")
@host_option
@json_option
@click.pass_obj
def remove(folder: Path, group: str, name: str, host: str, as_json: bool) -> int:
    """Share a file no more: its copy here is deleted.

    Who has fetched it keeps it.
    """
    answer, code = ask(folder, "files-remove", {"group": unicode(group), "host": unicode(host), "name": unicode(name)}, as_json)
    if answer is not None:
        output.answer_json(_plain(answer)) if as_json else output.note("removed")
    return code


@files.command("fetch")
@click.argument("group", metavar="GROUP")
@click.argument("name", metavar="NAME")
@click.option("--from", "peer", default="", metavar="PEER", help="Whose file it is; else that of any member who has it.")
@click.option("--to", "target", metavar="FILE", type=click.Path(path_type=Path), help="Put a copy there; else it is in received/GROUP.")
@host_option
@json_option
@click.pass_obj
def fetch(folder: Path, group: str, name: str, peer: str, target: Path | None, host: str, as_json: bool) -> int:
    """Fetch a file that a member shares; prints where it is.

    A fetch that breaks goes on by itself, and where it stopped when the command is given again. What came is compared with the hash
    that the member has told.
    """
    if target is not None and target.is_dir():
        target = target / unicode(name)
    request: dict[str, object] = {"group": unicode(group), "host": unicode(host), "name": unicode(name), "peer": unicode(peer)}
    answer, code = _fetched(folder, request, as_json)
    if answer is None:
        return code
    if answer["state"] != "done":
        output.note(f"stopped: {output.one_line(str(answer['problem']), PROBLEM_CHARS)}")
        if as_json:
            output.answer_json({"ok": False, "code": "unavailable", "message": answer["problem"], **_plain(answer)})
        return EXIT_FAILED
    path = Path(str(answer["path"]))
    if target is not None:
        try:
            path = Path(shutil.copyfile(path, target))
        except OSError as error:
            raise CommandError(f"the file is in {path}, and cannot be copied to {target}: {error.strerror or error}") from None
    output.answer_json({**_plain(answer), "path": str(path)}) if as_json else output.answer(str(path))
    return code


def _fetched(folder: Path, request: dict[str, object], as_json: bool) -> tuple[Any, int]:
    """Return the transfer when it has ended; say on a terminal how far it is."""
    while True:
        answer, code = ask(folder, "files-fetch", {**request, "wait": LOOK_SECONDS}, as_json, alone=_fetch_alone)
        if answer is None:
            return None, code
        if answer["state"] == "running":
            _tell(answer)
            time.sleep(LOOK_SECONDS / 10)
            continue
        return answer, code


async def _fetch_alone(folder: Path, op: str, request: Request) -> Answer:
    """Fetch with a network of this command's own, which must stay open until the file is here."""
    return await alone(folder, op, request, lambda answer: answer.get("state") != "running", _tell)


def _tell(answer: Answer) -> None:
    if output.is_terminal(sys.stderr):
        size, received = int(str(answer["size"])), int(str(answer["received"]))
        print(f"\r{received * 100 // max(size, 1):3} % of {_size(size)}", end="\r", file=sys.stderr, flush=True)


def _size(count: int) -> str:
    if count >= MEGABYTE_BYTES:
        return f"{count / MEGABYTE_BYTES:.1f} MB"
    return f"{count // KILOBYTE_BYTES} KB" if count >= KILOBYTE_BYTES else f"{count} B"


def _short(text: str) -> str:
    return output.one_line(text, NAME_CHARS)


def _plain(answer: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in answer.items() if name != "ok"}
