"""Where a template comes from: one of ours by its name, a folder, or a .tar.gz file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from goop2.folder import templates
from goop2.folder.bundles import Bundle, read_bundle
from goop2.folder.regular_files import shown
from goop2.folder.template_layout import OF_PEER_FOLDER
from goop2.services.templates.errors import TemplateError
from goop2.storage.database import FILE as DATABASE


@dataclass(frozen=True, slots=True)
class Source:
    """A template, read and checked."""

    bundle: Bundle
    ours: bool
    """Whether it came with this program."""
    description: str = ""
    odd: tuple[str, ...] = ()


def builtin() -> dict[str, str]:
    """Return the templates that came with this program: name → what it shows."""
    return dict(templates.TEMPLATES)


def open_source(name: str) -> Source:
    """Return the template that a word of the owner names. Raises `BundleError`, `TemplateError`."""
    if name in templates.TEMPLATES:
        files = {path: text.encode() for path, text in sorted(templates.files_of(name).items())}
        return Source(Bundle(name, files), True, templates.TEMPLATES[name])
    path = Path(name).expanduser()
    if "/" not in name and not path.exists():
        raise TemplateError(f"there is no template {name!r}, and no folder or file of that name; ours are {', '.join(templates.TEMPLATES)}")
    odd = (f"{shown(path)} is a whole peer: its key, messages and rows are not taken over",) if (path / DATABASE).exists() else ()
    return Source(read_bundle(path, OF_PEER_FOLDER), False, odd=odd)
