"""`site/api.json`: which tables are resources, and what callers may do with each. It is read strictly: what it does not allow is refused.

    {"posts": {"table": "posts", "slug": "slug", "filter": "published = 1", "fields": ["title"],
               "get": true, "list": {"order": "_id DESC", "limit": 50}, "insert": true, "map": {"key": "slug", "value": "title"}}}

It must not know who asks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import msgspec

from goop2.services.rest_api.json_positions import DuplicateKeyError, Path, line_and_column, places, too_deep

LIST_LIMIT: Final = 50
"""Items of a page where nothing else is said."""
LIST_LIMIT_MAX: Final = 1000
KEYS: Final = ("table", "slug", "filter", "fields", "get", "list", "insert", "update", "delete", "map")
ORDER: Final = "_id DESC"
DEPTH_MAX: Final = 8
"""What an api.json has is four levels deep; where a reader gives up, the ninth is shown as the fault."""


class ApiFileError(Exception):
    """api.json is wrong; the message says where and what."""


class ResourcePage(msgspec.Struct, frozen=True):
    """The order and size of the pages of a resource."""

    order: str = ORDER
    limit: int = LIST_LIMIT
    """The most a page holds; a caller may ask for less."""


class Pairs(msgspec.Struct, frozen=True):
    """How a resource becomes one object: from two columns."""

    key: str
    value: str


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """A table as the REST API shows it."""

    table: str
    slug: str = ""
    """The column `get` looks in; "" when rows are had by `_id` alone."""
    filter: str = ""
    """SQL that every row must meet, read or written."""
    fields: tuple[str, ...] = ()
    """The columns given; none: all of them."""
    get: bool = False
    list: ResourcePage | None = None
    insert: bool = False
    update: bool = False
    delete: bool = False
    map: Pairs | None = None


def default(table: str) -> Resource:
    """Return the resource for a table without an api.json: everything under the table's policy."""
    return Resource(table=table, get=True, list=ResourcePage(), insert=True, update=True, delete=True)


def parse(text: str) -> dict[str, Resource]:
    """Return name → resource. Raises `ApiFileError` with line and column."""
    try:
        document = json.loads(text)
        found = places(text)
    except json.JSONDecodeError as error:
        raise wrong(error.lineno, error.colno, error.msg) from None
    except DuplicateKeyError as error:
        raise wrong(error.line, error.column, f"{json.dumps(error.name)} is there twice in one object") from None
    except RecursionError:
        raise wrong(*line_and_column(text, too_deep(text, DEPTH_MAX)), "it is nested too deep") from None
    return _Reader(found).resources(document)


def decoded(content: bytes) -> str:
    """Return the text of an api.json, without a byte order mark. Raises `ApiFileError`."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        raise wrong(before.count(b"\n") + 1, error.start - before.rfind(b"\n"), "it is not UTF-8") from None


def wrong(line: int, column: int, message: str) -> ApiFileError:
    """Return the error for a fault at a line and column of the file."""
    return ApiFileError(f"line {line}, column {column}: {message}")


class _Reader:
    """Turns a document into resources."""

    def __init__(self, places: Mapping[Path, tuple[int, int]]) -> None:
        self._places = places

    def fail(self, path: Path, message: str) -> ApiFileError:
        shown = ".".join(map(str, path))
        return wrong(*self._places.get(path, (1, 1)), f"{shown} {message}" if shown else message)

    def resources(self, document: object) -> dict[str, Resource]:
        if not isinstance(document, dict):
            raise self.fail((), 'should be an object of resources, as in {"posts": {"table": "posts", "get": true}}')
        return {name: self.resource(name, value) for name, value in document.items()}

    def resource(self, name: str, value: object) -> Resource:
        declared = self.mapping((name,), value, KEYS)
        if "table" not in declared:
            raise self.fail((name,), "has no table")
        fields = declared.get("fields", [])
        if not isinstance(fields, list) or not all(isinstance(field, str) and field for field in fields):
            raise self.fail((name, "fields"), "should be a list of columns")
        return Resource(
            table=self.text((name, "table"), declared["table"]),
            slug=self.text((name, "slug"), declared["slug"]) if "slug" in declared else "",
            filter=self.text((name, "filter"), declared["filter"]) if "filter" in declared else "",
            fields=tuple(fields),
            list=self.listing((name, "list"), declared["list"]) if "list" in declared else None,
            map=self.pairs((name, "map"), declared["map"]) if "map" in declared else None,
            **{key: self.flag((name, key), declared.get(key, False)) for key in ("get", "insert", "update", "delete")},
        )

    def listing(self, path: Path, value: object) -> ResourcePage | None:
        if isinstance(value, bool):
            return ResourcePage() if value else None
        declared = self.mapping(path, value, ("order", "limit"))
        limit = declared.get("limit", LIST_LIMIT)
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= LIST_LIMIT_MAX:
            raise self.fail((*path, "limit"), f"should be a whole number from 1 to {LIST_LIMIT_MAX}")
        return ResourcePage(self.text((*path, "order"), declared["order"]) if "order" in declared else ORDER, limit)

    def pairs(self, path: Path, value: object) -> Pairs:
        declared = self.mapping(path, value, ("key", "value"))
        for name in ("key", "value"):
            if name not in declared:
                raise self.fail(path, f"has no {name}: it names two columns, key and value")
        return Pairs(self.text((*path, "key"), declared["key"]), self.text((*path, "value"), declared["value"]))

    def mapping(self, path: Path, value: object, keys: tuple[str, ...]) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise self.fail(path, "should be an object")
        for key in value:
            if key not in keys:
                raise self.fail((*path, key), f"is not known; there are {', '.join(keys)}")
        return value

    def text(self, path: Path, value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self.fail(path, "should be a text")
        return value

    def flag(self, path: Path, value: object) -> bool:
        if not isinstance(value, bool):
            raise self.fail(path, "should be true or false")
        return value
