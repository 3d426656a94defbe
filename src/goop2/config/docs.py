"""Print docs/settings.md from the declarations: `python -m goop2.config.docs > docs/settings.md`.

A test keeps the file equal to the output. It must not know a setting by name.
"""

from __future__ import annotations

import sys

from goop2.config.settings import Setting, declared, sections

HEAD = """\
# Settings

A peer's settings are the file `goop.json` in its folder. Every key is optional; `null`, and an empty text, mean the default.
A bad value stops the start with one sentence that says what is allowed; an unknown key is a warning.

A change that is saved in the console takes effect at once where the last column says *at once*; the others wait for the next start.

For one start, an environment variable replaces a value: `GOOP2_<SECTION>_<KEY>`, such as `GOOP2_LUA_TIMEOUT_SECONDS=10`. A list
is JSON, or its parts between commas.

Keys of a Goop2 peer that are not listed here are left as they are; `goop2 doctor DIR` names them.
"""


def render() -> str:
    """Return the whole text of docs/settings.md."""
    return "\n".join([HEAD, *(_section(name, str(kept.__doc__)) for name, kept in sections().items())])


def _section(name: str, doc: str) -> str:
    rows = [_row(setting) for setting in declared() if setting.section == name]
    return "\n".join(
        [f"## {name}", "", doc, "", "| key | default | allowed | | takes effect |", "| --- | --- | --- | --- | --- |", *rows, ""]
    )


def _row(setting: Setting) -> str:
    begins = "at once" if setting.live else "at the next start"
    return f"| `{setting.key}` | {_code(setting.shown_default)} | {setting.kind.allowed} | {setting.doc} | {begins} |"


def _code(default: str) -> str:
    return default if "×" in default else f"`{default}`"


if __name__ == "__main__":
    sys.stdout.write(render())
