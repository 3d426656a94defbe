"""`goop2 template list|apply|undo`: templates for the site of a peer, applied by the running peer, or here when none runs."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from goop2.cli import output, session
from goop2.cli.errors import CommandError
from goop2.cli.main import EXIT_FAILED, EXIT_OK
from goop2.cli.options import FOLDER, folder_argument, json_option
from goop2.folder.templates import TEMPLATES

if TYPE_CHECKING:
    from goop2.control_socket import Answer

ANSWER_SECONDS: Final = 300.0
"""For the running peer to copy the tables that go and to run `seed`."""
STARTING_TRIES, STARTING_SECONDS = 20, 0.25
"""How long a peer that has just started may take until it answers commands."""
Work = Callable[[str, Mapping[str, object]], Coroutine[Any, Any, "Answer"]]
"""Does an operation of peers/remote_control/templates.py."""

yes_option = click.option("--yes", is_flag=True, help="Agree to what the plan says, without being asked.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
switches_option = click.option(
    "--keep-settings", is_flag=True, help="Leave goop.json's switches as they are: lua.enabled, kv_enabled, http_enabled."
)


@click.group("template")
def template() -> None:
    """Templates: pages, scripts and tables for the site of a peer.

    \b
    goop2 template list
    goop2 template apply mysite blog
    goop2 template apply mysite ./clubhouse.tar.gz --dry-run
    goop2 template undo mysite

    A template's pages and scripts run with your rights. What would be done is always shown first, and nothing is done unless you agree.
    """


@template.command("list")
@click.argument("folder", metavar="[DIR]", type=FOLDER, required=False)
@json_option
def list_templates(folder: Path | None, as_json: bool) -> int:
    """List the templates that came with this program.

    With DIR also the one its site has.
    """
    current, can_undo = "", False
    if folder is not None:
        session.settings_of(folder)
        found = session.run(_in_peer(folder, lambda work: work("template-list", {})))
        current, can_undo = str(found["current"]), bool(found["can_undo"])
    if as_json:
        output.answer_json(
            {
                "templates": [{"name": name, "description": shows} for name, shows in TEMPLATES.items()],
                "current": current,
                "can_undo": can_undo,
            }
        )
        return EXIT_OK
    for name, shows in TEMPLATES.items():
        print(f"{name:<10}  {shows}")
    if folder is not None:
        output.note(
            f"the site in {folder} has {output.one_line(current) or 'no template'}" + ("; undo takes that back" if can_undo else "")
        )
    return EXIT_OK


@template.command("apply")
@folder_argument
@click.argument("name", metavar="NAME|FOLDER|FILE")
@yes_option
@dry_run_option
@switches_option
@json_option
def apply(folder: Path, name: str, yes: bool, dry_run: bool, keep_settings: bool, as_json: bool) -> int:
    """Give the site of DIR a template: one of "goop2 template list", a folder, or a .tar.gz file.

    It shows what would be done: which scripts strangers could have run, which tables come and who may read and write them, what is switched
    on in goop.json, and what goes. Then it asks, on a terminal; elsewhere --yes agrees. "goop2 template undo DIR" brings back what was
    there.

    Beside a running peer that peer does it, and goes on running.
    """
    session.settings_of(folder)
    request: dict[str, object] = {"template": _absolute(name), "switches": not keep_settings}

    async def work(do: Work) -> Answer | None:
        plan = await do("template-plan", request)
        if not agreed(plan, yes=yes, dry_run=dry_run, as_json=as_json):
            return {"plan": plan} if dry_run else None
        return await do("template-apply", {**request, "digest": plan["digest"]})

    undo = f"goop2 template undo {shlex.quote(str(folder))}"
    return _ended(session.run(_in_peer(folder, work)), "applied", dry_run, as_json, f'"{undo}" brings back what was there')


@template.command("undo")
@folder_argument
@dry_run_option
@json_option
def undo(folder: Path, dry_run: bool, as_json: bool) -> int:
    """Bring back what was there before the last template.

    The site, schemas, scripts, settings and the tables that were dropped, with their rows. What is there now is kept: undo again brings
    that back.
    """
    session.settings_of(folder)

    async def work(do: Work) -> Answer | None:
        plan = await do("template-undo-plan", {})
        if not agreed(plan, yes=True, dry_run=dry_run, as_json=as_json):
            return {"plan": plan}
        return await do("template-undo", {"digest": plan["digest"]})

    return _ended(session.run(_in_peer(folder, work)), "taken back", dry_run, as_json, "undo again brings back what was there until now")


def _absolute(name: str) -> str:
    """Return a template's name as another process understands it."""
    is_path = name not in TEMPLATES and ("/" in name or os.path.lexists(name) or name.startswith("~"))
    return str(Path(name).expanduser().absolute()) if is_path else name


def agreed(plan: Answer, *, yes: bool, dry_run: bool, as_json: bool) -> bool:
    """Show the plan; return whether it is to be done."""
    if not as_json:
        print_plan(plan)
    if dry_run:
        return False
    if yes:
        return True
    if as_json or not output.is_terminal(sys.stdin):
        raise CommandError("nothing was changed: --yes agrees to the plan above, and --dry-run only shows it")
    print("Do that? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    output.note("nothing was changed")
    return False


def print_plan(plan: Answer) -> None:
    """Print a plan: a heading, and a sentence a line."""
    for section in _sections(plan):
        title = str(section["title"])
        print(output.styled(title, output.YELLOW if section["warns"] else output.BOLD))
        for line in section["lines"]:
            print(f"  {output.one_line(str(line))}")
    sys.stdout.flush()


def _sections(plan: Answer) -> Sequence[Mapping[str, Any]]:
    sections = plan["sections"]
    assert isinstance(sections, list)
    return sections


def _ended(done: Answer | None, word: str, dry_run: bool, as_json: bool, hint: str) -> int:
    if done is None:
        return EXIT_FAILED
    if as_json:
        output.answer_json({"ok": True, **(done["plan"] if dry_run else done)})  # type: ignore[dict-item]
        return EXIT_OK
    if dry_run:
        output.note("nothing was changed: --dry-run only shows")
        return EXIT_OK
    notes = done["notes"]
    print(f"{word}  {output.one_line(str(done['name']))}")
    for note in notes if isinstance(notes, list) else ():
        output.warn(str(note))
    output.note(hint)
    return EXIT_OK


async def _in_peer(folder: Path, work: Callable[[Work], Coroutine[Any, Any, Any]]) -> Any:
    """Do `work` by the peer that runs in the folder, or by one that is opened here for it, which nobody else then runs."""
    from goop2.control_socket import ControlError, ask
    from goop2.folder.lock import FolderLockedError

    async def by_socket(operation: str, request: Mapping[str, object]) -> Answer:
        answer = await ask(folder, operation, request, ANSWER_SECONDS)
        if answer is None:
            raise CommandError(f"the peer in {folder} ended meanwhile: try again")
        return answer

    for _ in range(STARTING_TRIES):
        try:
            if (folder / "data").is_dir() and await ask(folder, "template-list", {}, ANSWER_SECONDS) is not None:
                return await work(by_socket)
        except ControlError as error:
            raise CommandError(str(error)) from None
        except TimeoutError:
            raise CommandError(f"the peer that runs in {folder} does not answer; its log may say why") from None
        try:
            with await session.own(folder, passing=True):
                return await _opened_here(folder, work)
        except FolderLockedError as held:
            if held.passing:
                raise
        await asyncio.sleep(STARTING_SECONDS)
    raise CommandError(f"the peer in {folder} runs, but answers no commands: its log says why")


async def _opened_here(folder: Path, work: Callable[[Work], Coroutine[Any, Any, Any]]) -> Any:
    from goop2.cli import logs
    from goop2.control_socket import ControlError

    logs.set_up(logs.ABOUT_OTHER_SCRIPTS)
    async with session.open_for(folder, beside=True, history=True) as peer:
        from goop2.peers.remote_control.templates import TemplateRemote

        operations = TemplateRemote(peer.templates).operations

        async def here(operation: str, request: Mapping[str, object]) -> Answer:
            return await operations[operation](request)

        await peer.templates.finish()
        try:
            return await work(here)
        except ControlError as error:
            raise CommandError(str(error)) from None


def start_from(folder: Path, label: str | None, name: str, *, yes: bool, dry_run: bool, keep_settings: bool) -> int:
    """Make a peer folder that begins with a template, for `goop2 init --from`; nothing is made before it is agreed to.

    Return the exit code.
    """
    from goop2.folder.creation import check_free, create_bare, discard_bare

    check_free(folder)
    request: dict[str, object] = {"template": _absolute(name), "switches": not keep_settings}
    plan = _plan_of_new(request, not keep_settings)
    if not agreed(plan, yes=yes, dry_run=dry_run, as_json=False):
        if dry_run:
            output.note("nothing was made: --dry-run only shows")
        return EXIT_OK if dry_run else EXIT_FAILED
    create_bare(folder, label)

    async def work(do: Work) -> Answer:
        return await do("template-apply", {**request, "digest": plan["digest"]})

    try:
        done = session.run(_in_peer(folder, work))
    except BaseException:
        discard_bare(folder)  # so that the command can be given again
        raise
    print(f"made  {output.one_line(str(folder))}")
    start = f"goop2 peer {shlex.quote(str(folder))} --live"
    return _ended(done, "applied", False, False, f'next: "{start}", and open the site it names')


def _plan_of_new(request: Mapping[str, object], switches: bool) -> Answer:
    """Return what the template would do to a new peer folder, worked out in one that nobody keeps."""
    import tempfile

    from goop2.folder.creation import create_bare
    from goop2.services.templates.change import plan_apply
    from goop2.services.templates.ground import TemplateGround
    from goop2.services.templates.sources import open_source
    from goop2.storage.migrations import open_folder

    source = open_source(str(request["template"]))
    with tempfile.TemporaryDirectory(prefix="goop2-init-") as place:
        empty = Path(place) / "peer"
        create_bare(empty, "new")
        settings = session.settings_of(empty)
        open_folder(empty, settings.script_dir(empty))[0].close_last()
        return plan_apply(TemplateGround(empty, settings, {}), source, switches=switches).plan.shown()
