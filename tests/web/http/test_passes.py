"""One-time codes and passes, apart from HTTP. What they open: test_admission.py."""

from __future__ import annotations

from pathlib import Path

from goop2.web.http.passes import KEY_FILE, OWN, Passes, visit_of
from goop2.web.limits import CODE_SECONDS, CODES_MAX

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
