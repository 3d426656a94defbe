"""What a script says about itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.scripting.annotations import EDITOR_ANNOTATIONS, Annotations, parse
from goop2.scripting.limits import DESCRIPTION_MAX_CHARS, WARNINGS_MAX

FILE = "lua/hello.lua"
NO_NUMBER = "wants a whole number of calls a minute (0 for no limit), not"


@pytest.mark.parametrize(
    ("source", "description", "rate_limit"),
    [
        ("--- A weather lookup command\n--- @rate_limit 10\nfunction handle(args)\n", "A weather lookup command", 10),
        ("--- @rate_limit 10\n--- Says hello\n", "Says hello", 10),
        ("---Says hello\n---@rate_limit 0\n", "Says hello", 0),
        ("--- Says hello\n\n  \n--- @rate_limit 5", "Says hello", 5),
        ("  --- Says hello", "Says hello", None),
        ("---\n---   \n--- Says hello", "Says hello", None),
        ("----------\n--- Says hello\n----------", "Says hello", None),
        ("--- First\n--- Second", "First", None),
        ("-- plain\n--- Says hello", "", None),
        ("local x = 1\n--- Says hello", "", None),
        ("--- Says hello\n-- plain\n--- @rate_limit 5", "Says hello", None),
        ("--- Says hello\nlocal x = 1\n--- @rate_limit 5", "Says hello", None),
        ("--- Says hello\r\n\r\n--- @rate_limit 5\r\n", "Says hello", 5),
        ("--- Says hello\r--- @rate_limit 5", "Says hello", 5),
        ("\ufeff--- Says hello", "Says hello", None),
        ("--- Grüße 日本", "Grüße 日本", None),
        ("--- mail me @ home", "mail me @ home", None),
        ("", "", None),
    ],
)
def test_the_leading_block_gives_description_and_rate_limit(source: str, description: str, rate_limit: int | None) -> None:
    assert parse(source, FILE) == Annotations(description, rate_limit)


@pytest.mark.parametrize(
    ("source", "warning"),
    [
        ("--- Hello\n--- @rate_limit ten", f'{FILE}:2: @rate_limit {NO_NUMBER} "ten"; it has no effect'),
        ("--- @rate_limit", f"{FILE}:1: @rate_limit {NO_NUMBER} nothing; it has no effect"),
        ("--- @rate_limit -1", f'{FILE}:1: @rate_limit {NO_NUMBER} "-1"; it has no effect'),
        ("--- @rate_limit 1.5", f'{FILE}:1: @rate_limit {NO_NUMBER} "1.5"; it has no effect'),
        ("--- @rate_limit 1_0", f'{FILE}:1: @rate_limit {NO_NUMBER} "1_0"; it has no effect'),
        ("--- @rate_limit ٣", f'{FILE}:1: @rate_limit {NO_NUMBER} "٣"; it has no effect'),
        ("--- @rate_limit 10 a minute", f'{FILE}:1: @rate_limit {NO_NUMBER} "10 a minute"; it has no effect'),
        (
            "\n\n--- @colour red",
            f"{FILE}:3: @colour is not an annotation goop2 knows, so it has no effect; known: @rate_limit, @every, @cron",
        ),
        ("--- @", f"{FILE}:1: @ is not an annotation goop2 knows, so it has no effect; known: @rate_limit, @every, @cron"),
        ("--- @\x1b[2J", f"{FILE}:1: @�[2J is not an annotation goop2 knows, so it has no effect; known: @rate_limit, @every, @cron"),
    ],
)
def test_a_mistake_is_a_warning_with_file_and_line_and_changes_nothing(source: str, warning: str) -> None:
    found = parse(source, FILE)
    assert found.warnings == (warning,)
    assert found.rate_limit is None


def test_a_number_with_ten_thousand_digits_is_a_short_warning() -> None:
    (warning,) = parse(f"--- @rate_limit {'9' * 10_000}", FILE).warnings
    assert len(warning) < 200


def test_of_two_rate_limits_the_first_stands_and_the_second_is_a_warning() -> None:
    found = parse("--- @rate_limit 3\n--- @rate_limit 4", FILE)
    assert found.rate_limit == 3
    assert found.warnings == (f"{FILE}:2: @rate_limit is given a second time; the first, 3, stands",)


@pytest.mark.parametrize("name", sorted(EDITOR_ANNOTATIONS))
def test_what_the_lua_language_server_reads_is_no_mistake(name: str) -> None:
    assert parse(f"---@{name} args string", FILE) == Annotations()


def test_a_description_cannot_fill_a_list_nor_command_a_terminal() -> None:
    found = parse("--- \x1b[31m" + "x" * 1_000_000, FILE)
    assert found.description.startswith("�[31mxxx")
    assert len(found.description) == DESCRIPTION_MAX_CHARS


def test_a_file_full_of_mistakes_gives_a_bounded_list_of_warnings() -> None:
    assert len(parse("--- @x\n" * 10_000, FILE).warnings) == WARNINGS_MAX


@given(st.text(alphabet="-@ \r\n\tabrate_limit019é\x00\u2028") | st.text())
def test_no_text_makes_it_fail(source: str) -> None:
    found = parse(source, FILE)
    assert found.rate_limit is None or found.rate_limit >= 0
    assert found.description.isprintable()
    assert all(warning.isprintable() for warning in found.warnings)


def test_a_schedule_is_read() -> None:
    found = parse("--- Tidies up.\n--- @every 15m\nfunction run() end", FILE)
    assert found.schedule is not None
    assert (found.description, found.schedule.text, found.warnings) == ("Tidies up.", "every 15m", ())
    found = parse("--- @cron  0   8 * * *", FILE)
    assert found.schedule is not None
    assert found.schedule.text == "cron 0 8 * * *"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "--- @every 15 minutes",
            '@every wants a whole number and s, m, h or d, at least 1s and at most 366d, such as 15m, not "15 minutes"',
        ),
        ("--- @every", "not nothing; it has no effect"),
        ("--- @cron 61 * * * *", '@cron: the minute has "61"; allowed is 0 to 59'),
        ("--- @cron 0 8 * *", "@cron wants five fields"),
    ],
)
def test_a_wrong_schedule_is_one_sentence_with_file_and_line(line: str, said: str) -> None:
    found = parse(f"--- What it does.\n{line}\nfunction run() end", FILE)
    (warning,) = found.warnings
    assert warning.startswith(f"{FILE}:2: ")
    assert said in warning
    assert found.schedule is None
    assert found.description == "What it does."


def test_a_second_schedule_and_one_for_another_kind_of_file_have_no_effect() -> None:
    found = parse("--- @every 1m\n--- @cron 0 8 * * *", FILE)
    assert found.schedule is not None
    assert found.schedule.text == "every 1m"
    assert found.warnings == (f"{FILE}:2: @cron is a second schedule; the first, @every 1m, stands",)
    found = parse("--- @every 1m", FILE, lambda: "this file defines no function run(event)")
    assert found.schedule is None
    assert found.warnings == (f"{FILE}:1: @every has no effect: this file defines no function run(event)",)
