"""One-time codes and passes, apart from HTTP. What they open: test_admission.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

from goop2.web.http.passes import KEY_FILE, OWN, Passes, visit_of
from goop2.web.limits import CODE_SECONDS, CODES_MAX

ANOTHER = "12D3KooWKRyzVWW6ChFjQjK4miCty85Niy48tpPV95XdKu1BcvMA"
OTHER = "12D3KooWRBy97UB99e3J6hiPesre1MZeuNQvfan4gBziswrRJsNK"


def test_passes_are_good_at_their_place_for_their_user_and_after_a_restart(tmp_path: Path) -> None:
    passes = Passes(tmp_path, OTHER)
    cookie = passes.cookie(OWN, 5).partition(b";")[0]
    for again in (passes, Passes(tmp_path, OTHER)):
        assert again.held(b"a=b; " + cookie, OWN, 5)
        assert not again.held(cookie, OWN, 6)
        assert not again.held(cookie, OWN, None)
        assert not again.held(cookie, visit_of(OTHER), 5)
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert not Passes(tmp_path / "elsewhere", OTHER).held(cookie, OWN, 5)


def test_who_made_the_folder_and_knows_its_key_cannot_make_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "peer"
    (folder / "data").mkdir(parents=True)
    (folder / KEY_FILE).write_text("00" * 32)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "author"))
    authors = Passes(folder, OTHER).cookie(OWN, None).partition(b";")[0]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "owner"))
    assert not Passes(folder, OTHER).held(authors, OWN, None)
    owners = Passes(folder, OTHER).cookie(OWN, None).partition(b";")[0]
    assert Passes(folder, OTHER).held(owners, OWN, None)


def test_one_key_in_two_folders_makes_different_passes(tmp_path: Path) -> None:
    value = {peer: Passes(tmp_path, peer).cookie(OWN, 5).partition(b"=")[2] for peer in (OTHER, ANOTHER)}
    assert value[OTHER] != value[ANOTHER]


def test_without_the_key_in_the_folder_no_pass_is_good_any_more(tmp_path: Path) -> None:
    cookie = Passes(tmp_path, OTHER).cookie(OWN, 5).partition(b";")[0]
    (tmp_path / KEY_FILE).unlink()
    assert not Passes(tmp_path, OTHER).held(cookie, OWN, 5)


@pytest.mark.parametrize("lost", ["the user's secret", "the folder's key"])
def test_where_no_key_can_be_kept_a_pass_is_good_for_one_run_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    folder = tmp_path / "peer"
    folder.mkdir()
    if lost == "the user's secret":
        (tmp_path / "file").touch()
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    else:
        (folder / "data").touch()
    passes = Passes(folder, OTHER)
    with structlog.testing.capture_logs() as log:
        cookie = passes.cookie(OWN, 5).partition(b";")[0]
        assert passes.held(cookie, OWN, 5)
    assert [line["event"] for line in log] == ["browsers that were let in will be asked again after the next start"]
    assert not Passes(folder, OTHER).held(cookie, OWN, 5)


def test_codes_end_by_use_by_time_and_by_number(tmp_path: Path) -> None:
    now = [0.0]
    passes = Passes(tmp_path, OTHER, lambda: now[0])
    code = passes.code(OWN)
    assert not passes.redeem(code, visit_of(OTHER))
    code = passes.code(OWN)
    assert passes.redeem(code, OWN)
    assert not passes.redeem(code, OWN)
    code = passes.code(OWN)
    now[0] += CODE_SECONDS + 1
    assert not passes.redeem(code, OWN)
    code = passes.code(OWN)
    for _ in range(10 * CODES_MAX):
        passes.code(visit_of(OTHER))
    assert passes.redeem(code, OWN)
