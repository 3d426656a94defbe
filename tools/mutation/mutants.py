"""Change guarding code in small ways, one at a time, and see whether a test fails: `make mutate`, with EACH=N mutants of each module,
and ONLY="guard origins" for the modules that have such a word in their path.

A mutant that no test notices is a rule that nobody holds, unless the change changes nothing; such ones stand in equivalent.toml with the
reason. The program ends with 1 when there is another survivor. It works on a copy of the last commit, in an environment of its own, and
runs the tests that belong to the mutated module alone. Which mutants are made depends on SEED and on the source, and on nothing else.
"""

from __future__ import annotations

import ast
import os
import random
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Final

import cosmic_ray.commands
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.testing import run_tests
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome

ROOT: Final = Path(__file__).resolve().parents[2]
EQUIVALENT: Final = Path(__file__).with_name("equivalent.toml")
SEED: Final = 20261130
TIMEOUT_FACTOR, TIMEOUT_LEAST_SECONDS = 6, 30
"""How much longer than without a mutant the tests may take: one that loops is noticed by that."""

MODULES: Final[dict[str, tuple[str, ...]]] = {
    "storage/guard.py": ("storage/test_guard.py", "storage/test_bounded_functions.py", "services/test_existing_sites.py"),
    "storage/policies.py": ("storage/test_table_access.py", "storage/test_template_group.py"),
    "storage/table_access.py": (
        "storage/test_table_access.py",
        "storage/test_template_group.py",
        "storage/test_row_visibility.py",
        "storage/test_hidden_rows.py",
    ),
    "storage/row_visibility.py": ("storage/test_row_visibility.py", "storage/test_hidden_rows.py", "storage/test_table_access.py"),
    "web/http/origins.py": ("web/http/test_origins.py", "web/test_app.py"),
    "web/http/admission.py": ("web/http/test_admission.py",),
    "web/http/passes.py": ("web/http/test_passes.py", "web/http/test_admission.py"),
    "web/api/endpoints.py": ("web/api/test_endpoints.py",),
    "sandbox/confinement.py": ("sandbox/test_confinement.py",),
    "sandbox/syscalls.py": ("sandbox/test_syscalls.py", "sandbox/test_confinement.py"),
    "services/http_client/egress_policy.py": (
        "services/http_client/test_egress_policy.py",
        "services/http_client/test_addresses.py",
        "hostile/http/test_addresses.py",
    ),
    "services/http_client/addresses.py": ("services/http_client/test_addresses.py", "services/http_client/test_egress_policy.py"),
    "net/admission.py": ("net/test_admission.py",),
    "scripting/rate_limit.py": ("scripting/test_rate_limit.py",),
    "scripting/fairness.py": ("scripting/test_fairness.py", "scripting/test_pool.py"),
    "folder/regular_files.py": ("folder/test_regular_files.py",),
}
"""Guarding module → the tests that hold it."""


def main(each: int, only: list[str]) -> int:
    """Make `each` mutants of every module, or of those whose path holds one of `only`; return how many survive without a reason."""
    known = tomllib.loads(EQUIVALENT.read_text()) if EQUIVALENT.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        copy = _copy(Path(name))
        os.chdir(copy)
        survivors = 0
        for module, tests in MODULES.items():
            if only and not any(word in module for word in only):
                continue
            survivors += _examine(module, tests, each, known.get(module, {}))
    print(f"{survivors} survived without a reason")
    return 1 if survivors else 0


def _copy(folder: Path) -> Path:
    """Return the last commit, with an environment of its own."""
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["tar", "-x"], cwd=folder, input=archive, check=True)
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder / ".venv")}
    subprocess.run([os.environ.get("UV", "uv"), "sync", "--quiet", "--frozen"], cwd=folder, env=environment, check=True)
    return folder


def _examine(module: str, tests: tuple[str, ...], each: int, known: dict[str, str]) -> int:
    """Print a line about a module, and each survivor; return how many have no reason."""
    path = Path("src/goop2") / module
    files = [str(Path("tests") / test) for test in tests if (Path("tests") / test).exists()]
    command = " ".join([".venv/bin/python -m pytest -x -q -n0 -p no:randomly -p no:cacheprovider", *files])
    begun = time.monotonic()
    outcome, output = run_tests(command, 600)
    if outcome is not TestOutcome.SURVIVED:
        print(f"{module}: its tests fail without a mutant too\n{output}", flush=True)
        return 1
    timeout = max(TIMEOUT_LEAST_SECONDS, TIMEOUT_FACTOR * (time.monotonic() - begun))
    mutations = _mutations(path)
    chosen = random.Random(f"{SEED} {module}").sample(mutations, min(each, len(mutations)))
    survived = [result.diff for one in chosen if (result := mutate_and_test([one], command, timeout)).test_outcome is TestOutcome.SURVIVED]
    new = [diff for diff in survived if _changed(diff) not in known]
    print(
        f"{module}: {len(chosen)} of {len(mutations)} mutants, {len(survived)} survived, {len(survived) - len(new)} change nothing",
        flush=True,
    )
    for diff in new:
        print(diff, flush=True)
    return len(new)


def _mutations(path: Path) -> list[MutationSpec]:
    """Return every mutation of a module but of its annotations, which nobody runs."""
    with use_db("mutants.sqlite", WorkDB.Mode.create) as database:
        cosmic_ray.commands.init([path], database, {})
        found = [mutation for item in database.work_items for mutation in item.mutations]
    annotated = _annotations(ast.parse(path.read_text()))
    found = [one for one in found if not any(first <= one.start_pos < last for first, last in annotated)]
    return sorted(found, key=lambda one: (one.start_pos, one.operator_name, one.occurrence))


def _annotations(tree: ast.AST) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return from where to where annotations reach, as (line, column) pairs."""
    notes = [getattr(node, name, None) for node in ast.walk(tree) for name in ("annotation", "returns")]
    return [((note.lineno, note.col_offset), (note.end_lineno, note.end_col_offset)) for note in notes if note is not None]


def _changed(diff: str) -> str:
    """Return the changed line of a diff, as equivalent.toml has it."""
    return next(line[1:].strip() for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++"))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
