"""`goop2 group`: groups that this peer hosts or is in, from a terminal; through the running peer when there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from goop2.cli import output
from goop2.cli.group_files import files
from goop2.cli.lua import unicode
from goop2.cli.options import json_option
from goop2.cli.peers import ask, dir_option

NAME_CHARS = 40


@click.group()
def group() -> None:
    """Groups of peers: those hosted here and those of others.

    Their members talk on pages (/sdk/goop-group.js), and may what the table policy "group" says where the type is "template".
    """


@group.command("list")
@dir_option
@json_option
def list_(folder: Path | None, as_json: bool) -> int:
    """List the groups hosted here, those joined, and invitations."""
    answer, code = ask(folder, "group-list", {}, as_json)
    if answer is None:
        return code
    found: Any = {kind: answer[kind] for kind in ("hosted", "joined", "invites")}
    if as_json:
        output.answer_json(found)
        return code
    for line in (*map(_hosted, found["hosted"]), *map(_joined, found["joined"]), *map(_invite, found["invites"])):
        print(line)
    if not any(found.values()):
        output.note("no group is hosted here or joined")
    return code


@group.command("create")
@click.argument("name", metavar="NAME")
@click.option("--type", "kind", default="template", show_default=True, help="What its pages know it by; members of a template may more.")
@click.option("--max", "max_members", default=0, metavar="N", type=click.IntRange(0), help="Members at most; 0 for no bound.")
@click.option("--context", default="", metavar="TEXT", help="What it is for, such as the name of a template.")
@dir_option
@json_option
def create(name: str, kind: str, max_members: int, context: str, folder: Path | None, as_json: bool) -> int:
    """Make a group hosted here; prints the id by which peers join."""
    request: dict[str, object] = {"name": unicode(name), "type": unicode(kind), "max_members": max_members, "context": unicode(context)}
    answer, code = ask(folder, "group-create", request, as_json)
    if answer is not None:
        output.answer_json(_plain(answer)) if as_json else output.answer(str(answer["id"]))
    return code


@group.command("close")
@click.argument("id_", metavar="GROUP")
@dir_option
@json_option
def close(id_: str, folder: Path | None, as_json: bool) -> int:
    """End a group hosted here."""
    return _done(folder, "group-close", {"group": unicode(id_)}, as_json, "closed")


@group.command("invite")
@click.argument("id_", metavar="GROUP")
@click.argument("peer", metavar="PEER")
@dir_option
@json_option
def invite(id_: str, peer: str, folder: Path | None, as_json: bool) -> int:
    """Tell a peer that it may join a group hosted here."""
    return _done(folder, "group-invite", {"group": unicode(id_), "peer": unicode(peer)}, as_json, "invited")


@group.command("members")
@click.argument("id_", metavar="GROUP")
@dir_option
@json_option
def members(id_: str, folder: Path | None, as_json: bool) -> int:
    """List the members of a group hosted here, and their roles.

    A role is printed where it is another one than new members get.
    """
    answer, code = ask(folder, "group-members", {"group": unicode(id_)}, as_json)
    found: Any = answer["members"] if answer is not None else []
    if as_json and answer is not None:
        output.answer_json(found)
    elif answer is not None and not found:
        output.note("nobody has joined it yet")
    for one in () if as_json else found:
        role = "" if answer is not None and one["role"] == answer["default_role"] else f"  [{_short(one['role'])}]"
        print(f"{output.one_line(one['id'])}  {_short(one['label']) or '(has not said its name)'}{role}{'' if one['here'] else '  (away)'}")
    return code


@group.command("remove")
@click.argument("id_", metavar="GROUP")
@click.argument("peer", metavar="PEER")
@dir_option
@json_option
def remove(id_: str, peer: str, folder: Path | None, as_json: bool) -> int:
    """Remove a member from a group hosted here.

    It is told, and comes back only when it is invited again.
    """
    return _done(folder, "group-remove", {"group": unicode(id_), "peer": unicode(peer)}, as_json, "removed")


@group.command("change")
@click.argument("id_", metavar="GROUP")
@click.option("--name", metavar="NAME", help="Another name.")
@click.option("--max", "max_members", metavar="N", type=click.IntRange(0), help="Members at most; 0 for no bound. Nobody is put out.")
@click.option("--context", metavar="TEXT", help="What it is for.")
@dir_option
@json_option
def change(id_: str, name: str | None, max_members: int | None, context: str | None, folder: Path | None, as_json: bool) -> int:
    """Change name, bound or context of a group hosted here."""
    given = {"name": name and unicode(name), "max_members": max_members, "context": None if context is None else unicode(context)}
    request: dict[str, object] = {key: value for key, value in given.items() if value is not None}
    if not request:
        raise click.UsageError("nothing to change is given: give --name, --max or --context")
    return _done(folder, "group-change", {"group": unicode(id_), **request}, as_json, "changed")


@group.command("set-role")
@click.argument("id_", metavar="GROUP")
@click.argument("peer", metavar="PEER")
@click.argument("role")
@dir_option
@json_option
def set_role(id_: str, peer: str, role: str, folder: Path | None, as_json: bool) -> int:
    """Give a member of a group hosted here a role.

    What a role may do with a table stands in the table's "roles"; the role "owner" may do everything.
    """
    request: dict[str, object] = {"group": unicode(id_), "peer": unicode(peer), "role": unicode(role)}
    return _done(folder, "group-set-role", request, as_json, "set")


@group.command("default-role")
@click.argument("id_", metavar="GROUP")
@click.argument("role")
@dir_option
@json_option
def default_role(id_: str, role: str, folder: Path | None, as_json: bool) -> int:
    """Choose the role of those who join a group from now on."""
    return _done(folder, "group-default-role", {"group": unicode(id_), "role": unicode(role)}, as_json, "set")


@group.command("roles")
@click.argument("id_", metavar="GROUP")
@click.argument("roles", nargs=-1, metavar="[ROLE]...")
@dir_option
@json_option
def name_roles(id_: str, roles: tuple[str, ...], folder: Path | None, as_json: bool) -> int:
    """Name the roles that members of a group may have.

    Without a ROLE any is allowed. Nobody's role changes.
    """
    return _done(folder, "group-roles", {"group": unicode(id_), "roles": [unicode(one) for one in roles]}, as_json, "set")


@group.command("join")
@click.argument("peer", metavar="PEER")
@click.argument("id_", metavar="GROUP")
@dir_option
@json_option
def join(peer: str, id_: str, folder: Path | None, as_json: bool) -> int:
    """Join a group that PEER hosts."""
    return _done(folder, "group-join", {"peer": unicode(peer), "group": unicode(id_)}, as_json, "joined")


@group.command("leave")
@click.argument("id_", metavar="GROUP")
@click.option("--host", default="", metavar="PEER", help="Who hosts it, where two peers have a group of this id.")
@dir_option
@json_option
def leave(id_: str, host: str, folder: Path | None, as_json: bool) -> int:
    """Leave a group of another peer."""
    return _done(folder, "group-leave", {"group": unicode(id_), "peer": unicode(host)}, as_json, "left")


@group.command("refuse")
@click.argument("id_", metavar="GROUP")
@click.option("--host", default="", metavar="PEER", help="Who invited, where two peers have a group of this id.")
@dir_option
@json_option
def refuse(id_: str, host: str, folder: Path | None, as_json: bool) -> int:
    """Forget an invitation that came.

    Whoever invited is not told.
    """
    return _done(folder, "group-refuse", {"group": unicode(id_), "peer": unicode(host)}, as_json, "refused")


group.add_command(files)


def _hosted(one: Any) -> str:
    said = f"{_short(one['type'])}, hosted here, {len(one['members'])} here, {len(one['away'])} away"
    if one["default_role"] != "viewer":
        said += f", new members are {_short(one['default_role'])}"
    return f"{one['id']}  {_short(one['name'])}  ({said})"


def _joined(one: Any) -> str:
    state = "joined" if one["joined"] else "its host is away"
    kind, role = (f", {_short(text)}" if text else "" for text in (one["type"], one["role"] and f"role {one['role']}"))
    return f"{output.one_line(one['id'])}  {_short(one['name'])}  ({state}, hosted by {one['host']}{kind}{role})"


def _invite(one: Any) -> str:
    return f"{output.one_line(one['group'])}  {_short(one['name'])}  (invited by {one['host']})"


def _short(text: str) -> str:
    return output.one_line(text, NAME_CHARS)


def _done(folder: Path | None, op: str, request: dict[str, object], as_json: bool, what: str) -> int:
    answer, code = ask(folder, op, request, as_json)
    if answer is not None:
        output.answer_json(_plain(answer)) if as_json else output.note(what)
    return code


def _plain(answer: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in answer.items() if name != "ok"}
