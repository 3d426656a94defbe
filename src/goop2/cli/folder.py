"""`goop2 init`, `goop2 id` and `goop2 keys`: make a peer folder, print its peer's id, and make its keys for payload encryption."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from goop2.cli import output, session
from goop2.cli.errors import CommandError
from goop2.cli.options import FOLDER, folder_argument, json_option
from goop2.cli.template import dry_run_option, switches_option, yes_option
from goop2.folder.templates import DEFAULT, TEMPLATES

INIT_HELP = "\n".join(
    (
        "Make a peer folder to start from.\n",
        "Settings, a front page, a README that says what to change. Nothing that is there already is touched. The templates:\n",
        "\b",  # click leaves these lines as they are
        *(f"{name:<10} {shows}" for name, shows in TEMPLATES.items()),
    )
)


@click.command("init", help=INIT_HELP)
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--label", metavar="NAME", help="The name others see; without it, the folder's.")
@click.option("--template", type=click.Choice(tuple(TEMPLATES)), help=f"What to start from; without it, {DEFAULT}.")
@click.option("--from", "source", metavar="FOLDER|FILE", help="Start from a template of your own: a folder, or a .tar.gz file.")
@yes_option
@dry_run_option
@switches_option
def init(
    folder: Path, label: str | None, template: str | None, source: str | None, yes: bool, dry_run: bool, keep_settings: bool
) -> int | None:
    if source is not None:
        from goop2.cli.template import start_from

        if template is not None:
            raise CommandError("--from and --template both say what to start from: give one of them")
        return start_from(folder, label, source, yes=yes, dry_run=dry_run, keep_settings=keep_settings)
    if yes or dry_run or keep_settings:
        raise CommandError("--yes, --dry-run and --keep-settings are for --from")
    _init(folder, label, template or DEFAULT)
    return None


def _init(folder: Path, label: str | None, template: str) -> None:
    from goop2.cli.lua_types import files_for_editors
    from goop2.folder.creation import create

    created = create(folder, label, template, files_for_editors())
    for path in created.written:
        print(f"made  {output.one_line(str(folder / path))}")
    for path in created.kept:
        print(f"kept  {output.one_line(str(folder / path))}")
    output.note(
        f'next: "goop2 peer {shlex.quote(str(folder))} --live", open the site it names, and read {shlex.quote(str(folder / "README.md"))}'
    )


@click.command("id")
@folder_argument
@json_option
def identity(folder: Path, as_json: bool) -> None:
    """Print the id of the peer in DIR.

    Other peers know it by that. Its key is made when there is none yet.
    """
    from goop2.folder.identity import load_or_create

    settings = session.settings_of(folder)
    peer_id = load_or_create(folder, settings.identity.key_file).peer_id
    if as_json:
        output.answer_json({"id": peer_id, "label": settings.profile.label or peer_id})
    else:
        output.answer(peer_id)


@click.command("keys")
@folder_argument
@json_option
def keys(folder: Path, as_json: bool) -> None:
    """Print the key of the peer in DIR for payload encryption.

    A pair is made when there is none yet, written into goop.json ("p2p.nacl_public_key", "p2p.nacl_private_key"), and that file is
    then for your eyes alone; what else is in it stays. From the next start on, what you and peers with such keys send each other is
    encrypted once more inside libp2p's own encryption. Keys that are there are never replaced.
    """
    from goop2.config import payload_keys
    from goop2.config.editing import SettingsConflictError

    session.settings_of(folder)
    try:
        pair, made = payload_keys.make(folder)
    except SettingsConflictError:
        raise CommandError(f"{folder / 'goop.json'} was saved by somebody at the same moment: try again") from None
    if as_json:
        output.answer_json({"public_key": pair.public_text, "made": made})
        return
    output.answer(pair.public_text)
    if made:
        output.note(f"the pair is new and stands in {folder / 'goop.json'}: copies of that file are copies of your private key")
    elif odd := payload_keys.others_may_read(folder):
        output.warn(odd)
