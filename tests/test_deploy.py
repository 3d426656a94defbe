"""What is installed beside the program is what the program is: manual pages, completions, units, a dashboard, a container file."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
SHARE = DEPLOY / "data/share"
UNITS = sorted((SHARE / "goop2/systemd").iterdir())
INSTALLED = "/usr/local/bin/goop2"


def manual_pages() -> ModuleType:
    """Return the tool that makes the manual pages."""
    spec = importlib.util.spec_from_file_location("manual_pages", ROOT / "tools/manual_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_manual_pages_and_completions_are_those_of_the_commands() -> None:
    made: dict[str, str] = manual_pages().files()
    kept = {str(file.relative_to(SHARE)): file.read_text() for file in SHARE.rglob("*") if file.is_file() and "goop2/" not in str(file)}
    assert {name for name, content in made.items() if kept.get(name) != content} == set(), "make them anew: make pages"
    assert {name for name in kept if name.startswith("man/") and name not in made} == set(), "pages of commands that are gone"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine")
    # The program and its manual pages are not installed where a test runs.
    text = re.sub(r"^Documentation=.*\n", "", unit.read_text(), flags=re.MULTILINE)
    assert INSTALLED in text
    (tmp_path / unit.name).write_text(text.replace(INSTALLED, sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", tmp_path / unit.name], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_units_name_commands_there_are() -> None:
    words = {words for unit in UNITS for words in re.findall(rf"^ExecStart={INSTALLED} ([a-z]+)", unit.read_text(), re.MULTILINE)}
    assert words == {"peer", "rendezvous"}
    pages = {page for unit in UNITS for page in re.findall(r"man:([\w-]+)\(1\)", unit.read_text())}
    assert all((SHARE / f"man/man1/{page}.1").is_file() for page in pages)


def test_the_dashboard_shows_metrics_there_are() -> None:
    source = (ROOT / "src/goop2/web/console/families.py").read_text()
    families = {name: kind for kind, name in re.findall(r'(Counter|Gauge|Histogram)MetricFamily\(\s*"(goop2_\w+)"', source)}
    endings = {"Counter": ("_total",), "Gauge": ("",), "Histogram": ("_bucket", "_sum", "_count")}
    series = {name + ending for name, kind in families.items() for ending in endings[kind]}
    dashboard = json.loads((SHARE / "goop2/grafana/goop2.json").read_text())
    used = {name for panel in dashboard["panels"] for target in panel["targets"] for name in re.findall(r"goop2_\w+", target["expr"])}
    assert used <= series
    assert {name for name in families if not any(each.startswith(name) for each in used)} == set(), "metrics without a panel"


def test_the_container_file_passes_its_linter() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, DEPLOY / "container/Containerfile"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_container_file_copies_what_is_there_and_runs_without_rights() -> None:
    text = (DEPLOY / "container/Containerfile").read_text()
    sources = [name for line in re.findall(r"^COPY (?!--)(.+)", text, re.MULTILINE) for name in line.split()[:-1]]
    assert all((ROOT / name).exists() for name in sources)
    allowed = (DEPLOY / "container/Containerfile.dockerignore").read_text().split()
    assert {f"!{name.removeprefix('./')}" for name in sources} <= set(allowed)
    assert re.search(r"^USER \d+$", text, re.MULTILINE)
