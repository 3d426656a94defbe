"""`goop2 doctor`: what it finds here, and what it says where something is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import pytest
from tests.cli.command import goop2

from goop2.cli import doctor
from goop2.cli.doctor import GAPS, LAYERS, Finding, _layer
from goop2.sandbox import confinement
from goop2.scripting.pool import PoolError


def test_it_looks_at_python_lua_a_script_and_every_layer_of_the_wall() -> None:
    done = goop2("doctor", "--json")
    checks = {check["what"]: check for check in json.loads(done.stdout)["checks"]}
    assert list(checks) == ["Python", "lupa.luajit21", "lupa.lua51", "scripts", *confinement.LAYERS, *confinement.GAPS]
    assert checks["scripts"] == {"what": "scripts", "ok": True, "says": "!hello Alice answers Hello, Alice!"}
    assert done.returncode == 0


def test_it_says_the_same_in_lines() -> None:
    done = goop2("doctor")
    assert len(done.stdout.splitlines()) == 4 + len(confinement.LAYERS) + len(confinement.GAPS)
    assert "ok scripts             !hello Alice answers Hello, Alice!\n" in done.stdout
    assert done.returncode == 0


def test_every_layer_has_its_words() -> None:
    assert list(LAYERS) == list(confinement.LAYERS)
    assert list(GAPS) == list(confinement.GAPS)


def test_a_layer_that_is_missing_is_said_with_its_reason_and_remedy() -> None:
    finding = _layer("seccomp", "RuntimeError: Unable to find libseccomp")
    assert finding == Finding("seccomp", False, "RuntimeError: Unable to find libseccomp", LAYERS["seccomp"][1])
    assert "libseccomp2" in finding.remedy


def with_gaps(monkeypatch: pytest.MonkeyPatch, gaps: dict[str, str]) -> dict[str, dict[str, object]]:
    """What it finds where a worker stands behind the whole wall and reports these gaps."""

    async def called(_folder: Path) -> tuple[dict[str, str], dict[str, str], str]:
        return dict.fromkeys(confinement.LAYERS, ""), gaps, doctor.EXPECTED

    monkeypatch.setattr(doctor, "_call", called)
    return {finding.what: vars(finding) for finding in doctor._findings()}


def test_a_kernel_without_landlocks_signal_scope_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("py_landlock.get_abi_version", lambda: 5)
    checks = with_gaps(monkeypatch, dict(confinement.prepare().gaps))
    assert (checks["signal-scope"]["ok"], checks["stat-calls"]["ok"], checks["landlock"]["ok"]) == (False, True, True)
    assert "Linux 6.12" in str(checks["signal-scope"]["remedy"])


def test_a_sqlite_that_needs_other_calls_is_allowed_them_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "needed_stat_calls", lambda: ("newfstatat",))
    checks = with_gaps(monkeypatch, dict(confinement.prepare().gaps))
    assert checks["stat-calls"]["ok"] is False
    assert "SQLite needs newfstatat here" in str(checks["stat-calls"]["says"])


def test_a_machine_on_which_no_script_runs_is_told_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def no_worker_comes_up(_folder: Path) -> NoReturn:
        raise PoolError("no worker process was ready within 10 s")

    monkeypatch.setattr(doctor, "_call", no_worker_comes_up)
    assert doctor.doctor.main(["--json"], standalone_mode=False) == 2
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert checks[-1]["what"] == "scripts"
    assert checks[-1]["says"] == "no worker process was ready within 10 s"
