"""`python -m proof.fuzz [MINUTES] [TARGET …]` (`make fuzz MINUTES=10`): fuzz each target, and print what was run and found.

The minutes are for all targets together; each gets an equal part. atheris runs where it is installed (`make fuzz` installs it beside the
project's environment, from tools/fuzz); elsewhere hypothesis makes the input, without coverage. Input that reaches new code is kept in
corpora/, and so is the shortest input of each fault, which makes `make test` fail until the fault is mended. Ends with 1 when there is one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from proof.fuzz import corpus
from proof.fuzz.target import ROOT, Finding, Target, finding_of, minimized
from proof.fuzz.targets import TARGETS

ATHERIS: Final = os.environ.get("GOOP2_ATHERIS", "")
"""The folder atheris is installed in; "" without."""
INPUT_MAX_BYTES: Final = 4096
MEMORY_MAX_MB: Final = 1024
HANG_SECONDS: Final = 30
START_SECONDS: Final = 300
"""To import and instrument everything, on a busy machine."""
NICE: Final = 5
_DONE: Final = re.compile(rb"stat::number_of_executed_units:\s*([0-9]+)|Done ([0-9]+) runs")


def main(minutes: float, wanted: list[str]) -> int:
    """Fuzz the targets whose names hold one of `wanted`, all when there is none; return how many faults were found."""
    chosen = [one for one in TARGETS.values() if not wanted or any(word in one.name for word in wanted)]
    seconds = max(1.0, minutes * 60 / len(chosen))
    print(f"{len(chosen)} targets, {seconds:.0f} s each, {'atheris' if ATHERIS else 'hypothesis alone: atheris is not installed'}")
    print("| target | what it reads | executions | a second | faults |\n| --- | --- | --- | --- | --- |")
    faults = 0
    for one in chosen:
        begun = time.monotonic()
        runs, inputs, found = (_guided if ATHERIS else _random)(one, seconds)
        found = [minimized(one, each) for each in found]
        _keep(one, inputs, found)
        faults += len(found)
        rate = runs / max(1.0, time.monotonic() - begun)
        print(f"| {one.name} | {' '.join(one.about.split())} | {runs:,} | {rate:,.0f} | {len(found) or ''} |", flush=True)
        for each in found:
            print(f"  {each.kind}: {each.content!r}", flush=True)
    print(f"{faults} faults")
    return 1 if faults else 0


def _guided(one: Target, seconds: float) -> tuple[int, list[bytes], list[Finding]]:
    """Fuzz a target with atheris; return the executions, the inputs that reached something new, and the faults."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs, findings = folder / "inputs", folder / "findings"
        inputs.mkdir()
        for number, content in enumerate(_begin_with(one)):
            (inputs / f"seed{number}").write_bytes(content)
        options = [
            f"-max_total_time={seconds:.0f}",
            f"-max_len={INPUT_MAX_BYTES}",
            f"-rss_limit_mb={MEMORY_MAX_MB}",
            f"-timeout={HANG_SECONDS}",
            f"-artifact_prefix={folder}/ended-",
            "-print_final_stats=1",
            str(inputs),
        ]
        command = [sys.executable, "-m", "proof.fuzz.guided", one.run.__module__, one.name, str(findings), *options]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), ATHERIS))}
        ended = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=seconds + HANG_SECONDS + START_SECONDS,
            preexec_fn=lambda: os.nice(NICE),
            check=False,
        )
        match = list(_DONE.finditer(ended.stderr))
        if not match and not list(folder.glob("ended-*")):
            raise RuntimeError(ended.stderr.decode(errors="replace")[-2000:])
        runs = int(next(filter(None, match[-1].groups()))) if match else 0
        found: dict[str, Finding] = {}
        for line in findings.read_text().splitlines() if findings.exists() else ():
            kind, content = json.loads(line)
            found[kind] = Finding(kind, bytes.fromhex(content))
        for file in folder.glob("ended-*"):
            found[file.name] = Finding(f"the process ended or hung: {file.name.split('-')[1]}", file.read_bytes())
        return runs, [file.read_bytes() for file in inputs.iterdir()], list(found.values())


def _random(one: Target, seconds: float) -> tuple[int, list[bytes], list[Finding]]:
    """Fuzz a target with hypothesis; see `_guided`."""
    ends = time.monotonic() + seconds
    found: dict[str, Finding] = {}
    runs = 0
    inputs = _begin_with(one)

    @settings(max_examples=1000, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(nearly(inputs))
    def give(content: bytes) -> None:
        nonlocal runs
        runs += 1
        seen = finding_of(one, content) if time.monotonic() < ends else None
        if seen is not None and (seen.kind not in found or len(content) < len(found[seen.kind].content)):
            found[seen.kind] = seen

    while time.monotonic() < ends:
        give()
    return runs, inputs, list(found.values())


def nearly(inputs: list[bytes]) -> st.SearchStrategy[bytes]:
    """Return any bytes, and inputs with a few bytes changed, left out or put in."""
    edits = st.lists(st.tuples(st.integers(0, INPUT_MAX_BYTES), st.integers(0, 8), st.binary(max_size=8)), min_size=1, max_size=4)

    def changed(content: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
        for place, out, put in changes:
            at = place % (len(content) + 1)
            content = content[:at] + put + content[at + out :]
        return content

    return st.one_of(st.binary(max_size=64), st.builds(changed, st.sampled_from(inputs or [b""]), edits))


def _begin_with(one: Target) -> list[bytes]:
    inputs, faults = corpus.kept(one.name)
    return [*one.seeds, *inputs, *(content for _, content in faults)]


def _keep(one: Target, inputs: list[bytes], found: list[Finding]) -> None:
    _, faults = corpus.kept(one.name)
    known = {content for _, content in faults}
    faults += [(each.kind, each.content) for each in found if each.content not in known]
    corpus.keep(one.name, corpus.chosen(one, inputs), faults)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    given_minutes = float(arguments.pop(0)) if arguments and arguments[0].replace(".", "", 1).isdigit() else 10.0
    sys.exit(main(given_minutes, arguments))
