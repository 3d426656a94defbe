"""What the console's first page says of what needs the owner, where strangers have written parts of it."""

from __future__ import annotations

import time
from typing import cast

import msgspec

from goop2.services.backup.service import BackupStatus
from goop2.services.backup.state import CheckResult
from goop2.web.console.controls import home
from goop2.web.console.controls.home import ATTENTION_MAX, Attention


def test_the_name_of_an_invitation_turns_nothing_behind_it() -> None:
    said = home._of_invites([("\u202eevil\u2069\n" + "W" * 500, "12D3KooWHost")]).text
    assert said == "“\N{REPLACEMENT CHARACTER}evil\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}" + "W" * 52 + "…”, from 12D3KooWHost"


def test_ten_thousand_things_have_an_end_and_what_is_broken_goes_first() -> None:
    found = home._first(Attention(level="bad" if number % 100 == 99 else "warn", title=str(number), text="text") for number in range(4_000))
    assert [each.title for each in found[:2]] == ["99", "199"]
    assert ({each.level for each in found[:40]}, found[40].title) == ({"bad"}, "0")
    assert (len(found), found[-1].title) == (ATTENTION_MAX + 1, f"{4_000 - ATTENTION_MAX} more")
    assert [each.title for each in home._first(iter(found[:3]))] == ["99", "199", "299"], "nothing is more"


def _status(problem: str = "", check: CheckResult | None = None, copied_at: float | None = None) -> BackupStatus:
    return BackupStatus(
        place="file:///backup", problem=problem, copied_at=copied_at, restarts=0, left_out=["site/link (a link)"], check=check, pid=None
    )


def test_a_backup_that_does_not_work_or_cannot_be_restored_needs_attention() -> None:
    check = CheckResult(at=1.0, problem="it is damaged")
    items = [(each.level, each.title, each.text) for each in home._of_backup(_status("the disk is full", check))]
    assert items == [
        ("bad", "The backup does not work", "the disk is full."),
        ("bad", "The backup cannot be restored", "it is damaged."),
        ("warn", "The backup is not complete", "Left out: site/link (a link)."),
    ]


def test_the_ages_of_copy_and_test_are_shown_and_nothing_without_a_backup() -> None:
    assert home._backup(msgspec.structs.replace(_status(), place="")) is None
    shown = home._backup(_status(copied_at=time.time() - 5, check=CheckResult(at=time.time() - 60)))
    assert shown is not None
    assert (shown["place"], round(cast("float", shown["age"])), round(cast("float", shown["check_age"]))) == ("file:///backup", 5, 60)
    assert home._backup(_status()) == {"place": "file:///backup", "age": None, "check_age": None}


def test_who_called_is_named_and_told_what_to_do_instead() -> None:
    missed = [(f"Caller {number}\u202e", 0.0) for number in range(5)]
    one, many = home._of_calls(missed[:1]), home._of_calls(missed)
    assert (one.title, many.title, many.page) == ("A call was hung up", "5 calls were hung up", "chat")
    assert many.text.startswith("Caller 4\N{REPLACEMENT CHARACTER} at ")
    assert "; and 2 more. Calls with sound and picture are not supported yet." in many.text
    assert "\u202e" not in one.text + many.text
