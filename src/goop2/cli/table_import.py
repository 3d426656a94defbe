"""`goop2 data DIR import TABLE FILE`: rows of a CSV or JSON file, all checked before one is added; whether the peer runs or not."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from goop2.cli import output, session
from goop2.cli.errors import CommandError
from goop2.cli.main import EXIT_FAILED, EXIT_OK
from goop2.cli.table_design import open_writing

if TYPE_CHECKING:
    from goop2.storage.import_source import Form
    from goop2.storage.table_import import ImportChecked, ImportPlan, Progress, TableImport

FORMS: Final = ("csv", "json")
PERCENT: Final = 100
LARGE_BYTES: Final = 4 * 1024 * 1024
"""Of a file whose import shows how far it is: a smaller one is done before that can be read."""


@click.command("import")
@click.argument("table", metavar="TABLE")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMS), help="Without it, the file's name tells.")
@click.option(
    "--create", is_flag=True, help="Make TABLE, with types guessed from the first 1000 rows. Others may not see it until you say so."
)
@click.option(
    "--column", "columns", metavar="SOURCE=NAME", multiple=True, help="Put a column of the file into another one; SOURCE= leaves it out."
)
@click.option(
    "--type", "types", metavar="SOURCE=TYPE", multiple=True, help="With --create, the type of a column, instead of the guessed one."
)
@click.option("--skip-wrong", is_flag=True, help="Pass over wrong rows; without it, one wrong row keeps all from being added.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, check every row, and add none.")
@click.pass_obj
def import_rows(
    folder: Path,
    table: str,
    source: Path,
    form: Form | None,
    create: bool,
    columns: Sequence[str],
    types: Sequence[str],
    skip_wrong: bool,
    dry_run: bool,
) -> int:
    """Add the rows of a CSV or JSON file to a table.

    \b
    goop2 data mysite import posts posts.csv --dry-run
    goop2 data mysite import people people.csv --create --column "First name=first_name" --column notes=

    CSV has names in its first line, in UTF-8; JSON is a list of objects, or an object a line. Every row is checked before one is added.
    The peer's own columns (_id, _owner, …) are made anew: the rows are yours.
    """
    from goop2.storage.table_import import ImportPlan

    form = form or _form_of(source)
    plan = ImportPlan(table=table, create=create, names=_pairs(columns, "--column"), types=_pairs(types, "--type"), pass_over=skip_wrong)
    if types and not create:
        raise CommandError("--type is for a table that is made, with --create; a table that is there has its types")
    if not source.is_file():
        raise CommandError(f"{source} is {'not a file' if source.exists() else 'not there'}: name a CSV or JSON file")
    settings = session.settings_of(folder)
    with open_writing(folder) as database:
        from goop2.folder.identity import load_or_create
        from goop2.storage.table_import import TableImport
        from goop2.storage.typed_tables import Owner

        work = TableImport(database, folder, Owner(load_or_create(folder, settings.identity.key_file).peer_id, settings.profile.email))
        return _import(work, source, form, plan, dry_run=dry_run)


def _import(work: TableImport, source: Path, form: Form, plan: ImportPlan, *, dry_run: bool) -> int:
    progress = _progress(source.stat().st_size)
    if dry_run:
        with source.open("rb") as stream:
            preview = work.preview(stream, form, plan, partial=False)
        for column in preview.columns:
            print(
                output.one_line(f"{column.source}  ->  " + (f"{column.name}, {column.type}" if column.name else f"left out: {column.why}"))
            )
    checked = work.check(source, form, plan, progress)
    _tell(checked)
    if dry_run:
        print(f"{_counted(checked.rows)} would be added to {output.one_line(plan.table)}, {checked.wrong} wrong")
        return EXIT_OK if not checked.wrong else EXIT_FAILED
    if checked.wrong and not plan.pass_over:
        raise CommandError(
            f"{checked.wrong} of {_counted(checked.rows + checked.wrong)} are wrong, so none was added: "
            "mend the file, or pass over them with --skip-wrong"
        )
    added = work.add(source, form, plan, progress)
    if added.wrong > checked.wrong:
        _tell(added)
    print(
        f"added  {_counted(added.rows)} to {output.one_line(plan.table)}"
        + (f", {added.wrong} wrong ones passed over" if added.wrong else "")
    )
    if plan.create:
        output.note(f'{plan.table} is for you alone; "goop2 data DIR policy {plan.table} read=open" lets anyone read it')
    return EXIT_OK


def _tell(checked: ImportChecked) -> None:
    for fault in checked.faults:
        output.warn(f"{fault.place}: {fault.message}")
    if checked.wrong > len(checked.faults):
        output.note(f"{checked.wrong - len(checked.faults)} more rows are wrong")


def _counted(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows} rows"


def _form_of(source: Path) -> Form:
    endings: dict[str, Form] = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}
    form = endings.get(source.suffix.lower())
    if form is None:
        raise CommandError(f"{source.name} does not say what it is: add --format csv or --format json")
    return form


def _pairs(words: Sequence[str], option: str) -> dict[str, str]:
    found = {}
    for word in words:
        # The last sign parts the two: a column of a file may have one in its name, ours has none.
        source, sign, name = word.rpartition("=")
        if not sign or not source:
            raise CommandError(f"{option} {output.one_line(word)!r} is not understood; write the file's column, =, and ours")
        found[source] = name
    return found


def _progress(size: int) -> Progress:
    """Print a line that counts up, on a terminal and for a large file."""
    if size < LARGE_BYTES or not output.is_terminal(sys.stderr):
        return lambda _stage, _read, _rows: None

    def told(stage: str, read: int, rows: int) -> None:
        words = "checking" if stage == "check" else "adding"
        print(f"\r{words} {min(PERCENT, read * PERCENT // size):3} %, {rows} rows ", end="", file=sys.stderr, flush=True)

    return told
