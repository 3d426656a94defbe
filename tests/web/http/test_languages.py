"""The languages of the console and the SDK: every text is in every file, none is bare, and a browser gets its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tools.languages import files
from tools.languages.texts import texts_of

from goop2.storage.policy_sentences import POLICY_SENTENCES
from goop2.storage.table_browser import FILTERS
from goop2.web.http import languages
from goop2.web.http.assets import Assets

CODES = tuple(languages.languages())
OTHERS = tuple(code for code in CODES if code != languages.ENGLISH)
CATEGORIES = {"de": {"one", "other"}, "es": {"one", "other"}}
"""Language → its plurals; Spanish has "many" for millions, which is as `other` here."""
INDEX = (files.PARTS["console"] / "index.html").read_text()


def slots(text: str) -> list[str]:
    return sorted(set(re.findall(r"\{\d\}", text)))


def test_the_languages_are_english_and_two_more() -> None:
    assert {"en", "de", "es"} <= set(CODES)
    assert all(one.language for one in languages.languages().values())


def test_no_text_is_bare_missing_or_left_over() -> None:
    assert sorted(files.faults()) == [], "run .venv/bin/python -m tools.languages, and translate what it prints"


def test_the_file_of_english_is_what_the_scripts_say() -> None:
    for part in files.PARTS:
        assert files.written("en")[part] == files.said(part)


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_keeps_the_places_of_values(code: str) -> None:
    for part in files.PARTS:
        file = files.written(code)[part]
        wrong = {key: text for key, text in file["plain"].items() if slots(key) != slots(text)}
        assert not wrong
        for key, forms in file["plurals"].items():
            assert CATEGORIES.get(code, {"other"}) <= set(forms), key
            assert slots(key) == slots(forms["other"]), key


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_is_no_copy(code: str) -> None:
    plain = files.written(code)["console"]["plain"]
    assert sum(key == text for key, text in plain.items()) < len(plain) / 20


def test_a_text_of_the_sdk_breaks_no_markup() -> None:
    for code in CODES:
        assert not [text for text in files.written(code)["sdk"]["plain"].values() if set(text) & set('<>"&')]


@pytest.mark.parametrize(
    "script",
    [
        'el("p", {}, "Saved");',
        'el("p", {}, isOn ? "on" : t("off"));',
        'el("button", { "aria-label": "Close" });',
        'el("input", { placeholder: `Name of ${what}` });',
        'state.textContent = "done";',
        'state.textContent = t`${many(1, "{0} row", "{0} rows")} ${isOne ? "waits" : "wait"}`;',
        'button.setAttribute("aria-label", "Close");',
        'toast("Saved.");',
        'const NAMES = { on: "Switched on" };',
        'const MARKUP = `<button aria-label="Close">×</button>`;',
        "const MARKUP = `<p>Nothing here</p>`;",
    ],
)
def test_a_bare_text_is_found(script: str) -> None:
    assert texts_of(script).bare


@pytest.mark.parametrize(
    "script",
    [
        'el("p", { class: "small soft" }, t("Saved"), " · ", name);',
        'if (["Enter", "Escape"].includes(event.key)) go("runs", { kind: "command" });',
        'button.setAttribute("aria-busy", "true");',
        'state.className = `small ${bad ? "level-error" : "soft"}`;',
        'toast(t`Rename ${name}`, "bad");',
        'document.querySelector("a[href], button");',
        'const known = { "is empty": 1 }[op] === "is empty";',
    ],
)
def test_what_nobody_reads_is_no_text(script: str) -> None:
    assert not texts_of(script).bare


def test_the_keys_of_a_script_are_found() -> None:
    script = 't("Save"); t`Rename ${name}`; mix("To {0}", link); many(2, "{0} row", "{0} rows");'
    assert texts_of(script).keys == {"Save": None, "Rename {0}": None, "To {0}": None, "{0} rows": ("{0} row", "{0} rows")}


def test_the_first_page_has_no_text_of_its_own_and_names_the_languages() -> None:
    body = INDEX.partition("<body>")[2]
    assert re.findall(r">\s*([^<>\s][^<>]*)<", body) == ["?"]
    assert not re.findall(r"(?:aria-label|title|alt|placeholder)=", body)
    served = languages.console_files(INDEX.encode())
    assert f'data-languages="{" ".join(CODES)}"'.encode() in served["index.html"]
    assert sorted(name for name in served if name.endswith(".json")) == [f"languages/{code}.json" for code in OTHERS]
    assert json.loads(served["languages/de.json"])["plain"]["Settings"] == "Einstellungen"


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,en;q=0.5", "de"),
        ("en;q=0.4, ES;q=0.9", "es"),
        ("fr, es;q=0.2", "es"),
        ("fr-FR", "en"),
        ("de;q=0, es;q=0.1", "es"),
        ("de;q=x, ;;;, *", "en"),
        ("de" * 5000, "en"),
    ],
)
def test_a_browser_gets_the_language_it_wants_most(accepted: str, code: str) -> None:
    assert languages.asked(accepted) == code


def test_a_script_of_the_sdk_gets_only_the_texts_it_says() -> None:
    script = b't("Cancel"); t("Nobody translated this"); split("Delete");'
    given = languages.texts_for(script, "de").decode()
    assert '{"Cancel": "Abbrechen"}' in given
    assert "...globalThis.Goop.texts" in given, "a page's own texts win"
    assert languages.texts_for(script, "en") == languages.texts_for(b"split('Delete')", "de") == languages.texts_for(script, "fr") == b""


def test_what_is_said_when_served_is_what_the_files_have() -> None:
    for path, texts in files.scripts("sdk"):
        source = path.read_bytes()
        given = languages.texts_for(source, "de")
        assert given.count(b'": "') == len(texts.keys), path.name


def test_the_scripts_of_the_console_are_the_same_in_every_language() -> None:
    console = Assets("console/static")
    assert all(console.sizes(code) == console.sizes() for code in CODES)


def test_the_texts_of_the_sdk_are_small() -> None:
    assets = Assets("sdk")
    english = assets.sizes()
    for code in OTHERS:
        assert max(size - english[path] for path, size in assets.sizes(code).items()) < 1024


def test_policies_and_filters_are_said_in_every_language() -> None:
    words = {*POLICY_SENTENCES, *FILTERS, *(sentence for policies in POLICY_SENTENCES.values() for sentence in policies.values())}
    assert words <= files.said("console")["plain"].keys()


def test_a_language_is_read_from_its_file_alone() -> None:
    assert {path.stem for path in Path(files.FOLDER).glob("*.json")} == set(CODES)
