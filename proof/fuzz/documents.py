"""Targets: files and texts of a folder, or taken from somebody else: templates, settings, schemas, imports, scripts."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import io
import json
import tarfile
import zoneinfo
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

from tests.storage.worlds import in_memory

from goop2.config.loading import SettingsError, _document, check
from goop2.config.replica_place import PlaceError, parse_place
from goop2.folder.bundles import BundleError, read_archive
from goop2.protocols import untrusted_json
from goop2.sandbox.transforms import applied, transformation
from goop2.scripting.annotations import parse
from goop2.scripting.command_text import command_of
from goop2.scripting.printable import printable
from goop2.scripting.schedule_times import ScheduleError, parse_cron, parse_every, times_passed
from goop2.services.rest_api import json_positions
from goop2.services.rest_api.resources import ApiFileError
from goop2.services.rest_api.resources import parse as parse_api
from goop2.services.templates.errors import TemplateError
from goop2.services.templates.manifest import read as read_manifest
from goop2.storage.datetimes import in_sql
from goop2.storage.errors import SchemaFileError, StorageError
from goop2.storage.import_source import ImportSource
from goop2.storage.registry_schema import create_schema
from goop2.storage.schema_declarations import declared_in, parse_document
from goop2.storage.table_import import ImportPlan, TableImport
from goop2.storage.typed_tables import Owner, TypedTables
from goop2.storage.values import TYPES, instant, stored, whole_number
from goop2.storage.values import check as check_value
from proof.fuzz.target import Choices, target

FOLDER: Final = Path("/nowhere")


def _tar(*files: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()[:1536]


@target(
    BundleError,
    seeds=(_tar(("t/index.html", b"<h1>hi</h1>")), _tar(("../x", b"x")), _tar(("a", b"1"), ("A", b"2")), b"", _tar(("t/\xff", b""))),
)
def bundle(data: bytes) -> None:
    """Templates as .tar.gz from somebody else: every file stays inside, is named once, and is within the limits"""
    found = read_archive(io.BytesIO(gzip.compress(data, 0)), "it")
    for path in found.files:
        parts = PurePosixPath(path).parts
        assert not PurePosixPath(path).is_absolute()
        assert ".." not in parts
        assert not any(part.startswith(".") for part in parts)
        assert path.isprintable()
    assert len({path.casefold() for path in found.files}) == len(found.files)


@target(
    BundleError,
    seeds=(
        gzip.compress(_tar(("t/index.html", b"x")), 9, mtime=0),
        b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
        gzip.compress(b"\0" * 9999, 9, mtime=0),
    ),
)
def compressed_bundle(data: bytes) -> None:
    """The compression around templates"""
    read_archive(io.BytesIO(data), "it")


@target(
    TemplateError,
    seeds=(b'{"name":"x","tables":{"t":{"insert_policy":"owner"}},"default_role":"editor"}', b'{"name":1,"require_email":true}', b"[]"),
)
def manifest(data: bytes) -> None:
    """Manifests of templates"""
    found = read_manifest(data, "it")
    assert found.name == printable(found.name, 1000)
    json.loads(found.text)
    assert read_manifest(found.text.encode("utf-8", "surrogatepass"), "it").name == found.name


_SETTINGS: Final = (
    b'{"viewer":{"port":"127.0.0.1:8780"},"lua":{"rate_limit":60,"http_enabled":true},"p2p":{"listen_port":0},"backup":{"to":"s3://a/b"}}'
)


@target(
    SettingsError, seeds=(_SETTINGS, b'{"paths":{"site_root":"../x"}}', b'{"a":1,"a":2}', b'{"lua":null,"http":{"allow":["10.0.0.0/8"]}}')
)
def settings(data: bytes) -> None:
    """goop.json, and changes to it from the console"""
    with contextlib.suppress(PlaceError):
        parse_place(data.decode("utf-8", "replace"))
    document = _document(FOLDER / "goop.json", data)
    check(FOLDER, document, {"GOOP2_LUA_RATE_LIMIT": data[:20].decode("latin-1")})


_ZONES: Final = tuple(zoneinfo.ZoneInfo(name) for name in ("UTC", "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe"))


@target(ScheduleError, seeds=(b"0 8 * * *", b"15m", b"*/5 0-23/2 1,15 jan-dec mon", b"0 0 29 2 *", b"0 0 31 2 *", b"\xff 99d"))
def schedules(data: bytes) -> None:
    """@every and @cron: the next time lies ahead, and is one that the expression names"""
    choices = Choices(data[::-1])
    zone, start = choices.pick(_ZONES), 1_700_000_000 + choices.number(255) * 86400 * 7
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(ScheduleError):
        every = parse_every(text)
        assert every.after(start) > start  # type: ignore[operator]
        assert times_passed(every, start, start + 10) >= 1
    cron = parse_cron(text)
    following = cron.after(start, zone)
    if following is not None:
        assert following > start
        shown = datetime.datetime.fromtimestamp(following, zone)
        fixed = not (cron.minute.begins_with_star or cron.hour.begins_with_star)
        assert cron.names(shown.date()) or fixed
        assert fixed or (shown.minute in cron.minute.values and shown.hour in cron.hour.values)


@target(
    seeds=(
        b"--- A score\n--- @rate_limit 5\n--- @every 15m\nreturn 1",
        b"\xef\xbb\xbf---@cron 0 8 * * *\r\n--- @param x\r---@nosuch",
        b"!score 5",
    )
)
def script_heads(data: bytes) -> None:
    """The leading block of a script, and commands in chat"""
    text = data.decode("utf-8", "replace")
    found = parse(text, "a.lua", lambda: "")
    assert found.rate_limit is None or 0 <= found.rate_limit < 10**9
    assert all(warning.isprintable() for warning in found.warnings)
    assert found.description == "" or found.description.isprintable()
    command_of(text)


_TIMES: Final = (
    b"2026-01-31T23:59:59Z",
    b"2026-02-29 1:2",
    b"0001-01-01T00:00:00+14:00",
    b"2026-W05-7",
    b"20260131T235959.123456789",
    b"1e5",
    b"2026-01-31 24:00",
)


@cache
def _clock() -> Any:
    return in_memory()


@target(ValueError, seeds=_TIMES)
def datetimes(data: bytes) -> None:
    """Values of columns, times above all: what is accepted is kept in one form, which SQLite takes for the same instant"""
    text = data.decode("utf-8", "replace")
    whole_number(text)
    for kind in TYPES:
        if not check_value(kind, (), text):
            kept = stored(kind, text)
            assert not check_value(kind, (), kept), f"{kind}: what is kept is not accepted again"
            assert stored(kind, kept) == kept
    if not check_value("datetime", (), text):
        kept = stored("datetime", text)
        sql = in_sql("?1")
        (row,) = _clock().rows(f"SELECT {sql}, julianday(?1) IS NULL", (kept,))
        assert row == (kept, 0), f"SQLite reads {kept!r} as {row}"
    instant(text)


@target(
    SchemaFileError,
    StorageError,
    seeds=(
        b'{"name":"t","columns":[{"name":"a","type":"text","required":true}],"access":{"read":"open"}}',
        b'{"name":"t","columns":[{"name":"a","type":"enum","values":["x"]}],"roles":{"e":{"read":true}}}',
    ),
)
def schema_file(data: bytes) -> None:
    """schemas/*.json: a table that is accepted can be made"""
    declared = declared_in(parse_document(data))
    assert declared.table.name
    assert all(column.type in TYPES for column in declared.table.columns)


_CSV: Final = b'name,likes,at\nA,1,2026-01-01\n"B ""b""",2,\n\'=x,3,2026-01-02 03:04:05\n'
_JSON: Final = b'[{"name":"A","likes":1},{"name":"B","likes":2.5,"at":null}]'
_HEADS: Final = {"csv": b"name,likes,at\n", "json": b""}


@cache
def _importing() -> TableImport:
    database = in_memory()
    create_schema(database)
    columns = [{"name": "name", "type": "text"}, {"name": "likes", "type": "integer"}, {"name": "at", "type": "datetime"}]
    TypedTables(database).create("posts", columns)
    return TableImport(database, FOLDER, Owner("me"))


@target(
    StorageError, seeds=(b"\0" + _CSV, b"\1" + _JSON, b"\1" + b'{"a":1}\n{"a":2}\n', b"\0a;b\n1;2\n", b"\0\xff\xfea", b"\1[" + b"[" * 200)
)
def table_import(data: bytes) -> None:
    """CSV and JSON to import: into a new table, and into one that is there; the same rows whether read in pieces or not"""
    choices = Choices(data)
    form: Any = choices.pick(("csv", "json"))
    content = choices.rest()
    for plan in (ImportPlan(table="made", create=True), ImportPlan(table="posts")):
        for partial in (False, True):
            with contextlib.suppress(StorageError):
                _importing().preview(io.BytesIO(_HEADS[form] * (not plan.create) + content), form, plan, partial=partial)
    source = ImportSource(io.BytesIO(content), form)
    for row in source.rows():
        assert row.fault or len(row.values) <= len(source.names)


_TRANSFORM: Final = (
    b'{"name":"t","fields":[{"target":"a","sources":["x","y"],"transform":"concat","args":["-"]},{"target":"b","constant":1}]}'
)
_TRANSFORMS: Final = (
    "uppercase",
    "to_int",
    "to_float",
    "date",
    "time",
    "substring",
    "replace",
    "format_number",
    "split",
    "round",
    "default",
    "lookup",
)


@target(
    StorageError,
    seeds=(
        _TRANSFORM,
        *(json.dumps({"fields": [{"target": "a", "sources": ["n"], "transform": each, "args": [1, 2]}]}).encode() for each in _TRANSFORMS),
    ),
)
def transforms(data: bytes) -> None:
    """Transformations of rows: a row that cannot be transformed is named, and nothing else is raised"""
    defined = transformation(data)
    rows = [
        {"x": "a", "y": "b", "n": 5, "f": -0.5, "t": "2026-01-01T00:00:00Z", "l": [1], "d": {"a": 1}, "z": None, "i": 2**62, "e": "1e999"}
    ]
    applied(defined, rows)


@target(ApiFileError, seeds=(b'{"posts":{"table":"posts","read":true}}', b'{\n"a": {"table": 1},\n"a": {}}', b'[1, {"a": ["\\u00e4"]}]'))
def rest_api(data: bytes) -> None:
    """api.json of a site, and where in it a mistake stands"""
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(ValueError, RecursionError, json_positions.DuplicateKeyError):
        json.loads(text)
        if not json_positions.too_deep(text, 50):
            assert all(line >= 1 and 1 <= column <= len(text) + 1 for line, column in json_positions.places(text).values())
    parse_api(text)


@target(
    untrusted_json.InvalidJsonError, seeds=(b'{"a":[1,2.5,"x\\u00e4\\ud83d\\ude00",null,true,{}]}', b"[]", b'"\\ud800"', b"-0", b"1e400")
)
def script_arguments(data: bytes) -> None:
    """Arguments of calls as they reach scripts: what the peer lets through is JSON of bounded depth"""
    untrusted_json.decode(data)
    assert isinstance(json.loads(data.removeprefix(b"\xef\xbb\xbf")), (dict, list, str, int, float, bool, type(None)))
