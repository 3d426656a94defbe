"""What goop.transform makes of a row: `FUNCTIONS` has each transform by its name, `Transformation` a definition as its file has it.

    {"name", "description", "fields": [{"target", "sources": [column…], "transform", "constant", "args": […]}]}

A field of the result is the constant, else the value of its first source, or what its transform makes of them. Everything is bounded here,
since a definition comes with a folder and the rows come from callers.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from goop2.storage import clock
from goop2.storage.errors import StorageError
from goop2.storage.values import instant

FIELDS_MAX: Final = 100
ROWS_MAX: Final = 1000
TEXT_MAX_CHARS: Final = 64 * 1024
"""Of one value that is read or made: a transform may double it, as `replace` does, and many may follow one another."""
RESULT_MAX_CHARS: Final = 1024 * 1024
"""Of all texts made by one call, which go back as JSON of at most a megabyte."""
_PLACES_MAX: Final = 15
_NUMBER: Final = (int, float)

Values = Sequence[Any]


class Field(msgspec.Struct, frozen=True):
    """How one column of the result is made."""

    target: str
    sources: list[str] = []
    transform: str = ""
    constant: Any = None
    args: list[Any] = []


class Transformation(msgspec.Struct, frozen=True):
    """A definition. `source` and `target` say for people where rows come from and go to; nothing here follows them."""

    name: str = ""
    description: str = ""
    source: dict[str, Any] = {}
    target: dict[str, Any] = {}
    fields: list[Field] = []


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if len(text) > TEXT_MAX_CHARS:
        raise ValueError(f"a value of {len(text)} characters is too long: the most is {TEXT_MAX_CHARS}")
    return text


def _first(values: Values) -> Any:
    return values[0] if values else None


def _argument(args: Values, place: int, default: Any) -> Any:
    return args[place] if len(args) > place and args[place] is not None else default


def _whole(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, _NUMBER) or value != int(value):
        raise ValueError(f"{what} is {_text(value)!r}, and should be a whole number")
    return int(value)


def _number(value: object) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, _NUMBER) and not isinstance(value, bool):
        return value
    try:
        number = float(_text(value))
    except ValueError:
        raise ValueError(f"{_text(value)[:40]!r} is no number") from None
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError(f"{_text(value)[:40]!r} is no finite number")
    return number


def _to_int(values: Values, _args: Values) -> Any:
    number = _number(_first(values))
    return None if number is None else int(number)


def _round(values: Values, args: Values) -> Any:
    number = _number(_first(values))
    places = min(max(_whole(_argument(args, 0, 0), "the number of places"), 0), _PLACES_MAX)
    return None if number is None else round(number, places) if places else round(number)


def _split(values: Values, args: Values) -> Any:
    separator = _text(_argument(args, 0, ","))
    parts = _text(_first(values)).split(separator) if separator else list(_text(_first(values)))
    if _argument(args, 1, None) is None:
        return parts
    index = _whole(args[1], "the index")
    return parts[index] if 0 <= index < len(parts) else None


def _substring(values: Values, args: Values) -> str:
    start = max(_whole(_argument(args, 0, 0), "the start"), 0)
    length = _argument(args, 1, None)
    text = _text(_first(values))[start:]
    return text if length is None else text[: max(_whole(length, "the length"), 0)]


def _replace(values: Values, args: Values) -> str:
    text, old, new = _text(_first(values)), _text(_argument(args, 0, "")), _text(_argument(args, 1, ""))
    if not old:
        return text
    if len(text) + text.count(old) * (len(new) - len(old)) > TEXT_MAX_CHARS:
        raise ValueError(f"the replaced text is longer than {TEXT_MAX_CHARS} characters")
    return text.replace(old, new)


def _moment(values: Values) -> str:
    """Return the first value as a moment; the present one where there is no value."""
    text = _text(_first(values))
    try:
        return instant(text) if text else clock.now().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no date or time in ISO form") from None


def _filled(value: object) -> bool:
    return value is not None and value != ""


FUNCTIONS: Final[Mapping[str, Callable[[Values, Values], Any]]] = {
    "coalesce": lambda values, args: next((value for value in (*values, *args) if _filled(value)), None),
    "concat": lambda values, args: _text(_argument(args, 0, "")).join(map(_text, values)),
    "date": lambda values, args: _moment(values)[:10],
    "datetime": lambda values, args: _moment(values),
    "default": lambda values, args: _first(values) if _filled(_first(values)) else _argument(args, 0, None),
    "guid": lambda values, args: str(uuid.uuid4()),
    "join": lambda values, args: _text(_argument(args, 0, ",")).join(
        map(_text, _first(values) if isinstance(_first(values), list) else values)
    ),
    "length": lambda values, args: len(_first(values)) if isinstance(_first(values), list) else len(_text(_first(values))),
    "lowercase": lambda values, args: _text(_first(values)).lower(),
    "now": lambda values, args: _moment(()),
    "prefix": lambda values, args: _text(_argument(args, 0, "")) + _text(_first(values)),
    "replace": _replace,
    "round": _round,
    "split": _split,
    "substring": _substring,
    "suffix": lambda values, args: _text(_first(values)) + _text(_argument(args, 0, "")),
    "time": lambda values, args: _moment(values)[11:],
    "to_float": lambda values, args: _number(_first(values)),
    "to_int": _to_int,
    "to_text": lambda values, args: _text(_first(values)),
    "trim": lambda values, args: _text(_first(values)).strip(),
    "uppercase": lambda values, args: _text(_first(values)).upper(),
}
"""Name → sources' values and arguments → the value."""


def transformation(definition: bytes) -> Transformation:
    """Return the transformation that JSON text defines. Raises `StorageError` with what is wrong with it."""
    try:
        defined = msgspec.json.decode(definition, type=Transformation)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise StorageError(f"the transformation is not one: {why}") from None
    except RecursionError:
        raise StorageError("the transformation is not one: it is nested too deeply") from None
    if len(defined.fields) > FIELDS_MAX:
        raise StorageError(f"the transformation {defined.name!r} has {len(defined.fields)} fields; the most is {FIELDS_MAX}")
    for field in defined.fields:
        if field.transform and field.transform not in FUNCTIONS:
            raise StorageError(
                f"the field {field.target!r} has the transform {field.transform[:40]!r}, which is none: {', '.join(FUNCTIONS)}"
            )
    return defined


def applied(defined: Transformation, rows: object) -> list[dict[str, Any]]:
    """Return what the transformation makes of each row. Raises `StorageError` with the row, the field and what is wrong."""
    if not isinstance(rows, list) or len(rows) > ROWS_MAX:
        raise StorageError(f"rows should be a list of at most {ROWS_MAX}")
    made: list[dict[str, Any]] = []
    room = RESULT_MAX_CHARS
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise StorageError(f"row {number} is no table of columns and values")
        result = {}
        for field in defined.fields:
            try:
                result[field.target] = value = _value(field, row)
            except ValueError as error:
                raise StorageError(f"row {number}, field {field.target!r}: {error}") from None
            room -= len(value) if isinstance(value, str) else len(msgspec.json.encode(value)) if isinstance(value, list | dict) else 0
            if room < 0:
                raise StorageError(f"the result is larger than {RESULT_MAX_CHARS} characters: transform fewer rows at a time")
        made.append(result)
    return made


def _value(field: Field, row: Mapping[str, Any]) -> Any:
    values = [row.get(source) for source in field.sources]
    if field.constant is not None and not field.sources:
        values = [field.constant]
    if field.transform:
        return FUNCTIONS[field.transform](values, field.args)
    value = _first(values)
    return field.constant if value is None else value
