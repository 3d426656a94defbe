"""`goop2 init` and `goop2 id`: a new peer folder, and who the peer in a folder is."""

from __future__ import annotations

from pathlib import Path

import click

from goop2.cli import output, session
from goop2.cli.options import folder_argument, json_option
from goop2.templates import DEFAULT, TEMPLATES

INIT_HELP = "\n".join(
    (
        "Make a peer folder to start from.\n",
        "Settings, a front page, a README that says what to change. Nothing that is there already is touched. The templates:\n",
        "\b",  # click leaves these lines as they are
        *(f"{name:<10} {shows}" for name, shows in TEMPLATES.items()),
    )
)


@click.command("init", help=INIT_HELP)
@folder_argument
@click.option("--label", metavar="NAME", help="The name others see; without it, the folder's.")
@click.option("--template", type=click.Choice(tuple(TEMPLATES)), default=DEFAULT, help=f"What to start from; without it, {DEFAULT}.")
def init(folder: Path, label: str | None, template: str) -> None:
    from goop2.folder import create

    created = create(folder, label, template)
    for path in created.written:
        print(f"made  {output.one_line(str(folder / path))}")
    for path in created.kept:
        print(f"kept  {output.one_line(str(folder / path))}")
    output.note(f'next: "goop2 peer {folder} --live", open the site it names, and read {folder / "README.md"}')


@click.command("id")
@folder_argument
@json_option
def identity(folder: Path, as_json: bool) -> None:
    """Print the id of the peer in DIR.

    Other peers know it by that. Its key is made when there is none yet.
    """
    from goop2.identity import load_or_create

    settings = session.settings_of(folder)
    peer_id = load_or_create(folder).peer_id
    if as_json:
        output.answer_json({"id": peer_id, "label": settings.profile.label or peer_id})
    else:
        output.answer(peer_id)
