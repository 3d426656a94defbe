"""What authors read about the goop table is what the declarations say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from goop2.sandbox import vm
from goop2.sandbox.vm import Flavour
from goop2.scripting.api import FUNCTIONS
from goop2.scripting.api.declaration import LETTERS
from goop2.scripting.api.docs import EDITOR_TYPES, LUALS_TYPES, REFERENCE, editor_types, reference

DOCS = Path(__file__).parents[3] / "docs"


def test_the_reference_page_is_the_one_the_declarations_make() -> None:
    assert (DOCS / REFERENCE).read_text("utf-8") == reference()


def test_the_editor_types_are_the_ones_the_declarations_make() -> None:
    assert (DOCS / EDITOR_TYPES).read_text("utf-8") == editor_types()


@pytest.mark.parametrize("name", ["luajit21", "lua51"])
def test_the_editor_types_are_lua(name: str) -> None:
    check = Flavour(name, {}).runtime().eval(b"function(source) return loadstring(source) ~= nil end")
    assert check(editor_types().encode())


def test_every_function_is_declared_once_and_stands_with_its_group() -> None:
    names = [function.name for function in FUNCTIONS]
    groups = [function.group for function in FUNCTIONS]
    assert len(names) == len(set(names))
    assert [group for position, group in enumerate(groups) if group in groups[:position] and groups[position - 1] != group] == []


def test_every_function_of_the_manual_is_declared() -> None:
    manual = """
    http.get http.post json.decode json.encode kv.set kv.get kv.del log.info log.warn log.error db.query db.scalar db.exec
    schema.create schema.insert schema.get schema.list schema.update schema.delete schema.validate schema.describe schema.is_orm
    schema.find schema.find_one site.read listen.create listen.state listen.load listen.play listen.pause listen.seek listen.close commands
    """
    assert set(manual.split()) <= {function.name for function in FUNCTIONS}


def test_every_type_of_a_parameter_is_known_to_editors_and_to_lua() -> None:
    calls = Path(vm.__file__).with_name("calls.lua").read_text("utf-8")
    kinds = "string|number|boolean|table|function|what|anything|a"
    explained = re.findall(rf"\b([a-z]) (?:{kinds})\b", calls.split("\n-- After it")[0])
    assert set(LUALS_TYPES) == set(LETTERS)
    assert {*explained, "r"} == set(LETTERS.values())
    assert len(set(LETTERS.values())) == len(LETTERS)
