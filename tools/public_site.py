"""Makes the public site of the documentation in build/public/site, from the pages that the console shows: `python tools/public_site.py`.

docs/index.md says which pages there are, and in which order. The generator (zensical) gets them without comments for tests, and without
links to files that are no pages. A reader's browser fetches nothing from elsewhere: no font, no script, no diagram.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from goop2.web.console.documents import sections

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "build/public"
SITE = SOURCE / "site"
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?!https?:|#)((?:\.\./)+[^)#]*)(#[^)]*)?\)")
PARTS = re.compile(r"^(```.*?^```$)|^<!--.*?-->\n|^\[!\[.*\n", re.MULTILINE | re.DOTALL)
FETCHED = re.compile(r"<(?:script|img|source|iframe|link)\b[^>]*?\b(?:src|href)=\"?(https?:[^\">\s]+)")
"""What a browser loads by itself."""


def main() -> None:
    """Make the site; exit with what is wrong with it."""
    prepare()
    zensical = Path(sys.executable).with_name("zensical")
    done = subprocess.run([zensical, "build", "--clean", "--strict", "-f", SOURCE / "zensical.toml"], cwd=SOURCE, check=False)
    if done.returncode:
        sys.exit("the site was not made: zensical says why above")
    if elsewhere := fetched_from_elsewhere():
        sys.exit(f"these pages fetch something from elsewhere: {', '.join(elsewhere)}")
    print(f"made  {SITE.relative_to(ROOT)}, open {SITE.relative_to(ROOT)}/index.html")


def prepare() -> None:
    """Write the pages and the settings that the generator takes."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", SOURCE / "docs")
    for page in (SOURCE / "docs").rglob("*.md"):
        page.write_text(public(page.read_text("utf-8"), page.parent), "utf-8")
    (SOURCE / "zensical.toml").write_text(settings(), "utf-8")


def public(text: str, folder: Path) -> str:
    """Return a page of `folder` without comments, and with links only to what the site has."""

    def kept(link: re.Match[str]) -> str:
        there = (folder / link[2]).resolve()
        return link[0] if there.exists() and (SOURCE / "docs") in there.parents else link[1]

    return OUTSIDE.sub(kept, PARTS.sub(lambda part: part[1] or "", text))


def settings() -> str:
    """Return the settings of the generator."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = [f'{{ "{title}" = [{", ".join(f"{chr(34)}{each.name}.md{chr(34)}" for each in pages)}] }}' for title, pages in sections()]
    navigation = ",\n  ".join(['"index.md"', *groups])
    return f"""[project]
site_name = "goop2"
site_description = "{project["description"]}"
docs_dir = "docs"
site_dir = "site"
# A folder of files that opens from a disk as well.
use_directory_urls = false
nav = [
  {navigation},
]

[project.theme]
variant = "classic"
language = "en"
# The system's own fonts.
font = false
features = ["navigation.sections", "navigation.top", "search.highlight", "content.code.copy"]

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"

[project.markdown_extensions]
toc.permalink = true
tables = {{}}
pymdownx.highlight = {{}}
pymdownx.superfences = {{}}
"""


def fetched_from_elsewhere() -> list[str]:
    """Return each page that makes a browser fetch something from another host, and from where."""
    found = []
    for page in sorted(SITE.rglob("*.html")):
        addresses = {address for address in FETCHED.findall(page.read_text("utf-8")) if 'rel="canonical"' not in address}
        found += [f"{page.relative_to(SITE)} ({address})" for address in sorted(addresses)]
    return found


if __name__ == "__main__":
    main()
