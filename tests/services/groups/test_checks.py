"""What an owner may say of a group: each refusal names the thing, the value and what is allowed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goop2.services.groups import checks
from goop2.services.groups.errors import InvalidGroupError
from goop2.services.groups.limits import ROLE_NAMES_MAX
from goop2.services.groups.records import GroupInfo

GROUP = GroupInfo(id="g", host="me", name="Board")


def test_words_are_kept_with_single_blanks() -> None:
    assert (checks.name("  Chess \n club "), checks.kind("chess"), checks.context(" "), checks.context("blog")) == (
        "Chess club",
        "chess",
        "",
        "blog",
    )
    assert checks.role_names(["viewer", "author", "viewer"]) == ("viewer", "author")


def test_any_role_is_taken_where_the_group_names_none_and_only_those_where_it_does() -> None:
    assert checks.role("coauthor", GROUP) == "coauthor"
    named = replace(GROUP, role_names=("author",), default_role="viewer")
    assert [checks.role(role, named) for role in ("author", "viewer", "owner")] == ["author", "viewer", "owner"]
    with pytest.raises(InvalidGroupError, match=r"the group 'Board' has the roles author, viewer, owner; 'coauthor' is none of them"):
        checks.role("coauthor", named)


@pytest.mark.parametrize(
    ("role", "why"),
    [
        ("", "a role is empty; it has 1 to 64 characters"),
        ("r" * 65, r"a role has 65 characters, 'r+'…; the most is 64"),
        ("a\u202eb", "which cannot be shown"),
    ],
)
def test_what_is_no_role_is_refused_in_a_sentence(role: str, why: str) -> None:
    with pytest.raises(InvalidGroupError, match=why):
        checks.role(role, GROUP)


def test_numbers_and_lists_are_bounded() -> None:
    with pytest.raises(InvalidGroupError, match="max_members is -1; allowed is 0, for as many as there may be, to 1024"):
        checks.max_members(-1)
    with pytest.raises(InvalidGroupError, match=f"a group has at most {ROLE_NAMES_MAX} roles; these are {ROLE_NAMES_MAX + 1}"):
        checks.role_names(f"r{number}" for number in range(ROLE_NAMES_MAX + 1))
    with pytest.raises(InvalidGroupError, match="a group's context has 201 characters"):
        checks.context("x" * 201)
