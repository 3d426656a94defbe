"""Where files of a template go: pages to the site, scripts to the folder of scripts wherever that is, and never one for the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from goop2.folder.bundles import Bundle, BundleError
from goop2.folder.template_layout import SitePlaces, check_real, lay_out

USUAL = SitePlaces("site", "site/lua")


def laid_out(*paths: str, places: SitePlaces = USUAL) -> tuple[list[str], list[str], list[str]]:
    layout = lay_out(Bundle("club", {path: path.encode() for path in sorted(paths)}), places)
    return sorted(layout.site), sorted(layout.scripts), sorted(layout.schemas)


def test_a_template_of_goop2_goes_to_its_places() -> None:
    site, scripts, schemas = laid_out(
        "manifest.json",
        "schema.sql",
        "index.html",
        "partials/a.html",
        "api.json",
        "lua/functions/x.lua",
        "schemas/a.json",
        "schemas/x/b.json",
    )
    assert (site, scripts, schemas) == (
        ["api.json", "index.html", "partials/a.html", "schemas/x/b.json"],
        ["functions/x.lua"],
        ["a.json"],
    )


def test_a_template_of_ours_is_laid_out_as_a_peer_folder() -> None:
    assert laid_out("README.md", "goop.json", "schemas/a.json", "site/index.html", "site/lua/hello.lua") == (
        ["index.html"],
        ["hello.lua"],
        ["a.json"],
    )


def test_a_peer_folder_with_a_manifest_is_one_all_the_same() -> None:
    laid = lay_out(
        Bundle("todo", {"manifest.json": b"{}", "README.md": b"", "site/index.html": b"", "site/lua/functions/todo.lua": b""}), USUAL
    )
    assert (sorted(laid.site), sorted(laid.scripts), laid.manifest) == (["index.html"], ["functions/todo.lua"], b"{}")
    assert laid_out("manifest.json", "index.html", "site/index.html")[0] == ["index.html", "site/index.html"]


@pytest.mark.parametrize("path", ["code/rules.lua", "Code/rules.lua", "lua/rules.lua", "LUA/rules.lua"])
def test_a_script_is_never_put_where_visitors_read_it(path: str) -> None:
    """Nor is a page put among the scripts without being called one: the folder of scripts may be any of the site."""
    assert laid_out("manifest.json", path, places=SitePlaces("site", "site/code")) == ([], ["rules.lua"], [])
    assert laid_out("manifest.json", "lua/rules.lua", places=SitePlaces("site", "scripts")) == ([], ["rules.lua"], [])


def test_two_files_for_one_script_are_refused() -> None:
    with pytest.raises(BundleError, match="two scripts"):
        laid_out("manifest.json", "lua/a.lua", "code/a.lua", places=SitePlaces("site", "site/code"))
    with pytest.raises(BundleError, match="where this peer has its folder of scripts"):
        laid_out("manifest.json", "code", places=SitePlaces("site", "site/code"))


def test_what_is_no_template_is_said() -> None:
    with pytest.raises(BundleError, match=r"neither a manifest\.json"):
        laid_out("index.html")


def test_a_place_behind_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "peer").mkdir()
    (tmp_path / "peer/schemas").symlink_to(tmp_path)
    with pytest.raises(BundleError, match="outside of the peer folder"):
        check_real(tmp_path / "peer", "schemas/a.json", lambda _: ())
    check_real(tmp_path / "peer", "schemas/a.json", lambda _: (tmp_path,))
    check_real(tmp_path / "peer", "site/new/a", lambda _: ())
