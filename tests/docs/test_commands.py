"""Every command that the documentation names is one, and what it is shown to print is what it prints."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from tests.docs.commands import PROMPT, commands, done, understood
from tests.docs.examples import DOCS, Block, all_blocks

SHELL = all_blocks("sh") + all_blocks("console")
TUTORIAL = DOCS / "tutorial.md"
"""tests/docs/test_tutorial.py runs it as a whole."""
RUN = [block for block in SHELL if (block.language == "console" and block.page != TUTORIAL) or "run" in block.marks]
MYSITE = {
    "goop.json": '{"lua": {"enabled": true, "kv_enabled": true}}',
    "schemas/posts.json": '{"name": "posts", "columns": [{"name": "title", "type": "text"}, {"name": "state", "type": "text"}]}',
    "site/index.html": "<!doctype html><title>Front</title>",
    "site/lua/hello.lua": '--- Says hello\nfunction handle(args) return "Hello, " .. args .. "!" end',
}


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.place)
def test_a_block_names_commands_options_and_arguments_there_are(block: Block) -> None:
    for arguments in commands(block.text):
        try:
            understood(arguments)
        except click.UsageError as error:
            pytest.fail(f"goop2 {' '.join(arguments)}: {error.format_message()}")


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.place)
def test_a_block_that_is_run_prints_what_it_shows(block: Block, tmp_path: Path) -> None:
    for path, content in MYSITE.items():
        (tmp_path / "mysite" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mysite" / path).write_text(content)
    (tmp_path / "people.csv").write_text("name,age\nAnn,30\n")
    assert done("goop2 lua list mysite", tmp_path)[0] == 0  # the first start makes the tables
    for line, shown in steps(block):
        code, printed = done(line, tmp_path)
        assert code == 0 or "…fails" in shown, (line, printed)
        if shown:
            assert re.fullmatch(pattern(shown), printed.strip()), (line, printed)


def steps(block: Block) -> list[tuple[str, str]]:
    """Return each command of a block with the output shown below it; "" where none is shown."""
    if block.language == "sh":
        return [(line.partition("  #")[0].strip(), "") for line in block.text.replace("\\\n", " ").splitlines() if line.strip()]
    parts = [part.partition("\n") for part in re.split(rf"^{re.escape(PROMPT)}", block.text, flags=re.MULTILINE)[1:]]
    return [(command.strip(), shown.strip()) for command, _, shown in parts]


def pattern(shown: str) -> str:
    """Return the regular expression of an output in which `…` stands for anything."""
    return ".*".join(re.escape(part) for part in re.split("…", shown)).replace("\\\n", "\\s*\n").replace("\\ ", " ")


def test_the_patterns_of_outputs_allow_only_what_they_leave_out() -> None:
    assert re.fullmatch(pattern("id 12D3…\nready"), "id 12D3Koo\nready")
    assert not re.fullmatch(pattern("id 12D3…"), "other 12D3Koo")
