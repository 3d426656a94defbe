"""The types of settings: how a value is read from JSON or an environment variable, and how it is described.

It must not know which settings exist. A kind's `parse` raises `NotAllowedError`; loading.py writes the sentence around it.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from goop2.config.replica_place import PlaceError, parse_place
from goop2.protocols.line import is_one_line

T = TypeVar("T")

HIGHEST_PORT = 65535
WORDS_FOR_BOOLEAN = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]*):(?P<port>[0-9]{1,5})")


class NotAllowedError(ValueError):
    """The value is not allowed for its type."""


@dataclass(frozen=True, slots=True)
class SettingType(Generic[T]):
    """The type of a setting: what is allowed, and how it is parsed."""

    allowed: str
    """In words, to stand after "allowed is"."""
    parse: Callable[[object], T]
    """From what JSON gave; raises `NotAllowedError`."""
    from_text: Callable[[str], object]
    """From an environment variable to what JSON would have given."""
    empty_is_unset: bool = False
    """An empty string means the default: that is how Goop2 writes a text nobody filled in."""
    control: str = ""
    """What the console shows for it, where that cannot be told from the value in force."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host, in lower case and without brackets, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def boolean() -> SettingType[bool]:
    """Return the type of true or false; in the environment 1, 0, yes, no, on and off are allowed as well."""

    def parse(value: object) -> bool:
        if isinstance(value, bool):
            return value
        raise NotAllowedError

    return SettingType("true or false", parse, lambda text: WORDS_FOR_BOOLEAN.get(text.strip().lower(), text))


def number(low: float, high: float) -> SettingType[float]:
    """Return the type of a number within bounds, both included."""

    def parse(value: object) -> float:
        # bool is an int to Python, not to whoever wrote goop.json.
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        raise NotAllowedError

    return SettingType(f"a number from {low:g} to {high:g}", parse, _json_or_text)


def whole(low: int, high: int | None = None) -> SettingType[int]:
    """Return the type of a whole number within bounds, both included; without an upper one when `high` is None."""

    def parse(value: object) -> int:
        whole_value = int(value) if isinstance(value, float) and value.is_integer() else value
        if (
            isinstance(whole_value, int)
            and not isinstance(whole_value, bool)
            and low <= whole_value
            and (high is None or whole_value <= high)
        ):
            return whole_value
        raise NotAllowedError

    return SettingType(f"a whole number from {low}" + ("" if high is None else f" to {high}"), parse, _json_or_text)


def line() -> SettingType[str]:
    """Return the type of text on one line; labels and paths travel in protocols that end at a newline, or go to the system."""

    def parse(value: object) -> str:
        if isinstance(value, str) and is_one_line(value):
            return value
        raise NotAllowedError

    return SettingType("text on one line", parse, _as_it_is, empty_is_unset=True)


def ip_address() -> SettingType[str]:
    """Return the type of an IPv4 or IPv6 address, without brackets."""

    def parse(value: object) -> str:
        text = line().parse(value)
        try:
            return str(ipaddress.ip_address(text))
        except ValueError:
            raise NotAllowedError from None

    return SettingType("an IPv4 or IPv6 address", parse, _as_it_is, empty_is_unset=True)


def ip_network() -> SettingType[str]:
    """Return the type of an IPv4 or IPv6 address, or of a network of them with its length, such as 10.0.0.0/8; never of every address."""

    def parse(value: object) -> str:
        text = line().parse(value)
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            raise NotAllowedError from None
        if not network.prefixlen:
            raise NotAllowedError
        return text

    return SettingType("an IPv4 or IPv6 address, or a network such as 10.0.0.0/8", parse, _as_it_is)


def one_of(*values: str) -> SettingType[str]:
    """Return the type of a setting that is one of a few words."""

    def parse(value: object) -> str:
        if isinstance(value, str) and value in values:
            return value
        raise NotAllowedError

    return SettingType(" or ".join(values), parse, _as_it_is)


def web_address() -> SettingType[str]:
    """Return the type of an http:// or https:// URL."""

    def parse(value: object) -> str:
        text = line().parse(value)
        if _is_web_address(text):
            return text
        raise NotAllowedError

    return SettingType("an http:// or https:// URL", parse, _as_it_is, empty_is_unset=True)


def backup_place() -> SettingType[str]:
    """Return the type of a place for backups (replica_place.py)."""

    def parse(value: object) -> str:
        text = line().parse(value)
        try:
            return parse_place(text).text
        except PlaceError:
            raise NotAllowedError from None

    allowed = "file:///folder, s3://bucket/path or sftp://user@host/path, without a password (secrets come from the environment)"
    return SettingType(allowed, parse, _as_it_is, empty_is_unset=True)


def nats_address() -> SettingType[str]:
    """Return the type of a NATS server's URL: encrypted, but on this machine itself."""

    def parse(value: object) -> str:
        text = line().parse(value)
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            raise NotAllowedError from None
        if host and not parts.path and (parts.scheme == "tls" or (parts.scheme == "nats" and _is_loopback(host))):
            return text
        raise NotAllowedError

    return SettingType("tls://host:port, or nats://host:port of this machine itself", parse, _as_it_is, empty_is_unset=True)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address(lowest_port: int, default_host: str | None = None) -> SettingType[Address]:
    """Return the type of `host:port`, an IPv6 host in brackets; `:port` alone where a host is given to stand for it."""

    def parse(value: object) -> Address:
        match = HOST_AND_PORT.fullmatch(value) if isinstance(value, str) else None
        host = match and (match["host"].strip("[]").lower() or default_host)
        if match and host and lowest_port <= int(match["port"]) <= HIGHEST_PORT:
            return Address(host, int(match["port"]))
        raise NotAllowedError

    return SettingType(f"host:port with a port from {lowest_port} to {HIGHEST_PORT}", parse, _as_it_is, empty_is_unset=True)


def list_of(kind: SettingType[T], allowed: str) -> SettingType[tuple[T, ...]]:
    """Return the type of a list of one kind; in the environment JSON, or parts between commas. `allowed` names it in the plural."""

    def parse(value: object) -> tuple[T, ...]:
        if isinstance(value, list):
            return tuple(kind.parse(item) for item in value)
        raise NotAllowedError

    return SettingType(f"a list of {allowed}", parse, _list_from_text)


def boolean_or_list_of(kind: SettingType[T], allowed: str) -> SettingType[bool | tuple[T, ...]]:
    """Return the type of true, false, or a list of those for whom it is true. `allowed` names them in the plural."""
    switch, several = boolean(), list_of(kind, allowed)

    def parse(value: object) -> bool | tuple[T, ...]:
        return switch.parse(value) if isinstance(value, bool) else several.parse(value)

    def from_text(text: str) -> object:
        word = switch.from_text(text)
        return word if isinstance(word, bool) else several.from_text(text)

    return SettingType(f"true, false, or {several.allowed}", parse, from_text, control="switch or list")


def _as_it_is(text: str) -> object:
    return text


def _json_or_text(text: str) -> object:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value


def _list_from_text(text: str) -> object:
    if text.lstrip().startswith("["):
        return _json_or_text(text)
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
