"""What came of the tests: values, and the same as JSON and as JUnit's XML. It must not know how a test runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import escape, quoteattr

import msgspec

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class RunNote(msgspec.Struct, frozen=True, kw_only=True):
    """A script that ran for a test."""

    script: str
    caller: str
    status: str
    message: str
    milliseconds: float
    argument: str
    answer: str
    calls: list[str]
    """Host calls with what matters of them."""
    log: list[str]


class Difference(msgspec.Struct, frozen=True):
    """What a test expected, and what it got; each as text, JSON in several lines."""

    wanted: str
    got: str


class TestResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one test; `line` and `difference` (expected, found) where it failed at an assertion."""

    __test__ = False

    file: str
    """Path inside the folder."""
    name: str
    """"" for a file whose tests could not be named."""
    ok: bool
    milliseconds: float
    message: str = ""
    line: int | None = None
    difference: Difference | None = None
    traceback: str = ""
    runs: list[RunNote] = []
    log: list[str] = []


class TestReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of all tests that were run, in their order, and how many seconds it took."""

    __test__ = False

    results: list[TestResult]
    seconds: float
    notes: list[str] = []
    """What is odd about the run as a whole."""

    @property
    def failed(self) -> int:
        """Return how many tests failed."""
        return sum(not result.ok for result in self.results)


def as_junit(report: TestReport) -> str:
    """Return the report as the XML that build servers read."""
    files: dict[str, list[TestResult]] = {}
    for result in report.results:
        files.setdefault(result.file, []).append(result)
    suites = "".join(_suite(file, results) for file, results in files.items())
    head = f'tests="{len(report.results)}" failures="{report.failed}" time="{report.seconds:.3f}"'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites {head}>\n{suites}</testsuites>\n'


def _suite(file: str, results: list[TestResult]) -> str:
    failed = sum(not result.ok for result in results)
    seconds = sum(result.milliseconds for result in results) / 1000
    cases = "".join(map(_case, results))
    return f'  <testsuite name={_quoted(file)} tests="{len(results)}" failures="{failed}" time="{seconds:.3f}">\n{cases}  </testsuite>\n'


def _case(result: TestResult) -> str:
    name, seconds = _quoted(result.name or "(the file)"), result.milliseconds / 1000
    begin = f'    <testcase classname={_quoted(result.file)} name={name} time="{seconds:.3f}"'
    if result.ok:
        return f"{begin}/>\n"
    runs = [line for run in result.runs for line in run_lines(run)]
    lines = [located(result), *difference_lines(result.difference), result.traceback, *runs]
    text = "\n".join(filter(None, lines))
    return f"{begin}>\n      <failure message={_quoted(result.message)}>{escape(_clean(text))}</failure>\n    </testcase>\n"


def located(result: TestResult) -> str:
    """Return the message with file and line in front."""
    return f"{result.file}{f':{result.line}' if result.line else ''}: {result.message}"


def difference_lines(difference: Difference | None) -> Iterable[str]:
    """Return what was expected (-) and what came (+), line by line; lines of both have neither sign."""
    if difference is None:
        return ()
    import difflib  # only for a test that fails

    wanted, got = difference.wanted.splitlines(), difference.got.splitlines()
    return [line for line in difflib.ndiff(wanted, got) if not line.startswith("?")]


def run_lines(run: RunNote) -> list[str]:
    """Return what a script did for the test: how it was called, how it ended, what it asked for and what it logged."""
    ended = run.answer if run.status == "ok" else f"{run.status}: {run.message}"
    head = f"{run.script} {run.argument} as {run.caller}, {run.milliseconds:.0f} ms -> {ended}"
    return [head, *(f"  goop.{call}" for call in run.calls), *(f"  {line}" for line in run.log)]


def _quoted(text: str) -> str:
    return quoteattr(_clean(text))


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
