"""What lets a tab of the console in again after a restart, and whom it does not."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from goop2.web.console import tab_codes
from goop2.web.console.tab_codes import FILE, IssuedCode, TabCodes, proof_of
from goop2.web.http.local_users import NOBODY
from goop2.web.limits import TAB_CODE_SECONDS, TAB_CODES_MAX

PEER = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
ME, OTHER = 1000, 1001


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "peer").mkdir()
    return tmp_path / "peer"


def issued(codes: TabCodes, user: int = ME) -> IssuedCode:
    code = codes.issue(user)
    assert code is not None
    return code


def proof(code: IssuedCode, codes: TabCodes) -> str:
    return proof_of(bytes.fromhex(code.key), codes.run)


def test_a_tab_is_let_in_once_after_a_restart(folder: Path) -> None:
    code = issued(TabCodes(folder, PEER))
    again = TabCodes(folder, PEER)
    assert again.redeem(code.id, proof(code, again), ME)
    assert not again.redeem(code.id, proof(code, again), ME)
    third = TabCodes(folder, PEER)
    assert not third.redeem(code.id, proof(code, third), ME), "it is crossed out on the disk"


def test_the_file_is_for_its_owner_alone_and_holds_no_key(folder: Path) -> None:
    code = issued(TabCodes(folder, PEER))
    file = folder / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert code.key not in file.read_text()
    assert json.loads(file.read_text())["codes"][0]["id"] == code.id


def test_a_proof_is_good_for_the_user_of_the_tab_alone(folder: Path) -> None:
    """Another user may listen at the port while the peer is down, and be sent a proof."""
    code = issued(TabCodes(folder, PEER))
    again = TabCodes(folder, PEER)
    for user in (OTHER, 0, NOBODY, None):
        assert not again.redeem(code.id, proof(code, again), user)
    assert again.redeem(code.id, proof(code, again), ME)


def test_a_proof_for_another_start_is_not_good(folder: Path) -> None:
    first = TabCodes(folder, PEER)
    code = issued(first)
    again = TabCodes(folder, PEER)
    assert not again.redeem(code.id, proof(code, first), ME)
    assert not again.redeem(code.id, code.key, ME)
    assert not again.redeem(code.id, "", ME)
    assert not again.redeem(code.id, "Ω", ME)


def test_who_made_the_folder_or_has_a_copy_of_it_makes_no_proof(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = issued(TabCodes(folder, PEER))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state of another user"))
    other = TabCodes(folder, PEER)
    assert not other.redeem(code.id, proof(code, other), ME)


def test_where_nobody_can_tell_who_asks_no_code_is_given(folder: Path) -> None:
    assert TabCodes(folder, PEER).issue(None) is None
    assert TabCodes(folder, PEER).issue(NOBODY) is None
    assert not (folder / FILE).exists()


def test_codes_end_by_time_and_by_number(folder: Path) -> None:
    now = 1000.0
    codes = TabCodes(folder, PEER, lambda: now)
    first, second = issued(codes), issued(codes)
    for _ in range(TAB_CODES_MAX - 1):
        issued(codes)
    assert not codes.redeem(first.id, proof(first, codes), ME)
    now += TAB_CODE_SECONDS + 1
    assert not codes.redeem(second.id, proof(second, codes), ME)
    assert len(json.loads((folder / FILE).read_text())["codes"]) == TAB_CODES_MAX


@pytest.mark.parametrize("content", ["", "{", '{"codes": 7}', "[]", '{"codes": [{}]}'])
def test_a_broken_file_lets_nobody_in_and_is_made_anew(folder: Path, content: str) -> None:
    (folder / "data").mkdir()
    (folder / FILE).write_text(content)
    codes = TabCodes(folder, PEER)
    assert not codes.redeem("x", "y", ME)
    code = issued(codes)
    assert codes.redeem(code.id, proof(code, codes), ME)


def test_a_link_in_the_place_of_the_file_is_not_written_through(folder: Path, tmp_path: Path) -> None:
    (folder / "data").mkdir()
    (tmp_path / "mine").write_text("mine")
    (folder / FILE).symlink_to(tmp_path / "mine")
    issued(TabCodes(folder, PEER))
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (folder / FILE).is_symlink()


def test_a_code_that_cannot_be_crossed_out_is_not_good(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = issued(TabCodes(folder, PEER))
    again = TabCodes(folder, PEER)

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tab_codes, "replace_whole", full)
    assert not again.redeem(code.id, proof(code, again), ME)
