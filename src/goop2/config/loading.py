"""Turn a peer folder's goop.json and the environment into `Settings`, or into one sentence that says what is wrong.

It only reads; what Goop2 keeps in goop.json and we do not use stays as it is. It must not know what a setting means, except that scripts
are inside the peer folder.
"""

from __future__ import annotations

import difflib
import json
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, cast

from goop2.config.settings import LINKS_OUT, SITE, Setting, Settings, declared, sections
from goop2.config.types import NotAllowedError
from goop2.folder import SETTINGS_FILE
from goop2.folder.regular_files import FileRefusedError, NotRegularError, read_regular, shown
from goop2.protocols.untrusted_json import doubled_key, with_doubled_keys

FILE = SETTINGS_FILE
FILE_MAX_BYTES = 1024 * 1024
"""A hundred times what all settings and the keys of other programs take."""
PRIVATE_FOLDER = "data"
"""Holds the key, tokens and the socket of the running peer: it is written too, so no link of it may lead out, whatever the owner says."""
SHOWN_VALUE_CHARACTERS = 80
_OF_KEYS = frozenset({("p2p", "nacl_public_key"), ("p2p", "nacl_private_key")})
"""Read by payload_keys.py."""
OWN_SECTIONS = frozenset({"lua", "listen", "storage"})
"""Sections all of whose keys are known here: any other key is a mistake. In the rest Goop2 has keys of its own."""
_WHAT = {"data.db": "file"}
LIKENESS = 0.6
"""From which difflib calls two names alike: good enough to ask "did you mean"."""
SLIP_OF_THE_PEN = 0.88
"""Likeness from which a key in a shared section is a misspelling; Goop2's `rendezvous_only` is 0.83 like `rendezvous_wan`."""


class SettingsError(Exception):
    """The settings are wrong; the message says where, what stands there and what is allowed, in one sentence."""

    owner_code: ClassVar = "settings"
    code: ClassVar = "bad_request"

    def __init__(self, message: str) -> None:
        super().__init__(shown(message))  # pages show it too, and the folder's name need not be UTF-8


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings a peer starts with, and the warnings about them."""

    settings: Settings
    warnings: tuple[str, ...]
    """One sentence each, for keys and variables that do nothing."""
    notice: str = ""
    """A sentence for the owner of a folder made by Goop2 about what is off here; "" for none."""


def load(folder: Path, environment: Mapping[str, str]) -> Loaded:
    """Load the settings of the peer in `folder`; `GOOP2_<SECTION>_<KEY>` in `environment` replaces a value. Raises `SettingsError`."""
    return check(folder, read_document(folder)[1], environment)


def read_document(folder: Path) -> tuple[bytes, dict[str, object]]:
    """Return the bytes of goop.json in `folder`, and the object they are. Raises `SettingsError`."""
    file = folder / FILE
    content = _read(folder, file)
    return content, _document(file, content)


def check(folder: Path, document: dict[str, object], environment: Mapping[str, str]) -> Loaded:
    """Return what `load` would if goop.json contained `document`."""
    file = folder / FILE
    values: dict[str, dict[str, object]] = {name: {} for name in sections()}
    names: dict[str, str] = {}
    for setting in declared():
        for name, value in _values(setting, file, document, environment):
            values[setting.section][setting.key] = value
            names[setting.path] = name
    # Each value has just been parsed by the kind declared on its field.
    settings = Settings(**{name: section_class(**values[name]) for name, section_class in sections().items()})
    _check_places(file, settings)
    _check_links(folder, settings)
    _check_script_dir(folder, names.get("lua.script_dir", f"{file}: lua.script_dir"), settings)
    return Loaded(settings, (*_unknown_keys(file, document), *_unknown_variables(environment)), of_goop2(document))


def _document(file: Path, content: bytes) -> dict[str, object]:
    try:
        document: object = json.loads(content.decode("utf-8-sig"), object_pairs_hook=with_doubled_keys)
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is not UTF-8 text (byte {error.start}): save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise SettingsError(f"{file} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError):
        raise SettingsError(f"{file} is not JSON that can be read here: a number is too long or the nesting too deep") from None
    if doubled := doubled_key(document):
        raise SettingsError(f"{file}: {_printable(doubled)} is there twice, and only one of the two would count: make one of them")
    return _object(file, "", document)


def _read(folder: Path, file: Path) -> bytes:
    remedy = f'"goop2 init {shlex.quote(str(folder))}" makes one'
    try:
        if not folder.exists():
            raise SettingsError(f"{folder} does not exist: it should be a peer folder; {remedy}")
        if not folder.is_dir():
            raise SettingsError(f"{folder} is not a folder: a peer is a folder with a {FILE} in it")
        return read_regular(file, None, FILE_MAX_BYTES)  # a link of the owner's may lead anywhere
    except NotRegularError:
        raise SettingsError(f"{file} is not a regular file: a peer's settings are a JSON file") from None
    except FileRefusedError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}; a peer's settings are a JSON file") from None
    except FileNotFoundError:
        raise SettingsError(f"{file} is missing: {folder} is not a peer folder; {remedy}") from None
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror}): the user who starts the peer must be able to") from None


def _object(file: Path, path: str, value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value)
    raise SettingsError(f"{file}: {path or 'the whole file'} is {_shown(value)}; allowed is an object, {{…}}")


def _values(setting: Setting, file: Path, document: dict[str, object], environment: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    """Return who sets a setting and to what: the file, then the environment. The file is checked even if the environment overrides it."""
    section = document.get(setting.section)
    in_file = None if section is None else _object(file, setting.section, section).get(setting.key)
    if _is_set(setting, in_file):
        yield _parsed(setting, f"{file}: {setting.path}", in_file)
    in_environment = environment.get(setting.variable, "")
    if in_environment:
        yield _parsed(setting, setting.variable, setting.kind.from_text(in_environment))


def _is_set(setting: Setting, value: object) -> bool:
    # Goop2 writes null for an empty list and "" for a text nobody filled in.
    return value is not None and not (value == "" and setting.kind.empty_is_unset)


def _parsed(setting: Setting, name: str, value: object) -> tuple[str, object]:
    try:
        return name, setting.kind.parse(value)
    except NotAllowedError:
        raise SettingsError(f"{name} is {_shown(value)}; allowed is {setting.kind.allowed}") from None


def _shown(value: object) -> str:
    # Escaped, so that a control character in a value cannot play tricks on a terminal.
    text = json.dumps(value)
    return text if len(text) <= SHOWN_VALUE_CHARACTERS else text[:SHOWN_VALUE_CHARACTERS] + "…"


def _check_script_dir(folder: Path, name: str, settings: Settings) -> None:
    homes = settings.homes(folder)
    root, real = homes[0], settings.script_dir(folder)
    if not any(home in real.parents for home in homes):
        value = _shown(settings.lua.script_dir)
        raise SettingsError(f"{name} is {value}, which is really {real}; allowed is a folder inside the peer folder {root}")


def _check_places(file: Path, settings: Settings) -> None:
    """Refuse a site or a key where either would give away the peer's private files, and a folder that is no peer's."""
    site, key = settings.paths.site_root, settings.identity.key_file
    if not _is_inside(site) or PurePosixPath(site).parts[0] == PRIVATE_FOLDER:
        allowed = f"a folder inside the peer folder, other than {PRIVATE_FOLDER}/"
        raise SettingsError(f"{file}: paths.site_root is {_shown(site)}; allowed is {allowed}")
    if not _is_inside(key) or PurePosixPath(key).is_relative_to(PurePosixPath(site)):
        raise SettingsError(
            f"{file}: identity.key_file is {_shown(key)}; allowed is a file inside the peer folder and outside of its site: move it there"
        )
    if settings.presence.rendezvous_only:
        raise SettingsError(
            f"{file}: presence.rendezvous_only is true, so this folder is a rendezvous server of Goop2 and no peer: "
            'start "goop2 rendezvous", or set it to false'
        )


def _is_inside(path: str) -> bool:
    """Return whether a relative path names something below the folder it begins in."""
    place = PurePosixPath(path)
    return bool(place.parts) and not place.is_absolute() and ".." not in place.parts


def of_goop2(document: Mapping[str, object]) -> str:
    """Return what a folder made by Goop2 has on there and off here, since its goop.json does not say; "" when there is nothing.

    Goop2 switches `goop.http` and `goop.kv` on where their keys are missing.
    """
    lua = document.get("lua")
    if not isinstance(lua, dict) or not lua.get("enabled") or not document.keys() & {"identity", "paths"}:
        return ""
    missing = [key for key in ("http_enabled", "kv_enabled") if key not in lua]
    if not missing:
        return ""
    names = " and ".join(f"goop.{key.partition('_')[0]}" for key in missing)
    keys = " and ".join(f"lua.{key}" for key in missing)
    return (
        f"{names}, on in Goop2 where goop.json does not say, {'is' if len(missing) == 1 else 'are'} off here: set {keys} to true to use it"
    )


def unused_keys(document: Mapping[str, object]) -> list[str]:
    """Return the keys of goop.json that mean something to Goop2 and nothing here, as `section.key`, sorted."""
    known = {(setting.section, setting.key) for setting in declared()} | _OF_KEYS
    return sorted(
        f"{section}.{key}"
        for section, keys in document.items()
        if isinstance(keys, dict)
        for key, value in keys.items()
        if (section, key) not in known and value not in (None, "", False, [], 0)
    )


def _check_links(folder: Path, settings: Settings) -> None:
    """Refuse a link that leads out of the peer folder: in a stranger's archive it could reveal, or change, files outside the peer."""
    root = Path(os.path.realpath(folder))
    for name in (PRIVATE_FOLDER, *LINKS_OUT):
        place = folder / (settings.paths.site_root if name == SITE else name)
        real = Path(os.path.realpath(place))
        if name in (FILE, *settings.storage.links_out) or root in real.parents:
            continue
        remedy = "" if name == PRIVATE_FOLDER else f', or allow it in {FILE}, "storage": {{"links_out": ["{name}"]}}'
        raise SettingsError(
            f"{shown(place)} is a link to {shown(real)}, outside the peer folder: put the {_WHAT.get(name, 'folder')} itself there{remedy}"
        )


def _unknown_keys(file: Path, document: dict[str, object]) -> Iterator[str]:
    for name in sorted(document.keys() - sections().keys()):
        yield _unknown(f"{file}: {_printable(name)}", _like(name, sections(), LIKENESS))
    for section in sections():
        keys = document.get(section)
        for key in keys if isinstance(keys, dict) else ():
            yield from _unknown_key(file, section, key)


def _unknown_key(file: Path, section: str, key: str) -> Iterator[str]:
    known = [setting.key for setting in declared() if setting.section == section]
    if key in known:
        return
    own = section in OWN_SECTIONS
    like = _like(key, known, LIKENESS if own else SLIP_OF_THE_PEN)
    if own or like:
        yield _unknown(f"{file}: {section}.{_printable(key)}", like and f"{section}.{like}")


def _unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    known = [setting.variable for setting in declared()]
    prefixes = tuple(f"GOOP2_{section}_".upper() for section in sections())
    for name in sorted(environment.keys() - set(known)):
        if name.startswith(prefixes):
            yield _unknown(f"environment variable {_printable(name)}", _like(name, known, LIKENESS))


def _like(name: str, known: Iterable[str], likeness: float) -> str:
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=likeness)), "")


def _unknown(name: str, like: str) -> str:
    return f"{name} is not a setting and is ignored" + (f"; did you mean {like}?" if like else "")


def _printable(name: str) -> str:
    return name if name.isprintable() else json.dumps(name)
