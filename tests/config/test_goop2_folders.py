"""goop.json of a folder made by Goop2: what is honoured, what is refused, and what its owner is told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from goop2.app import open_peer
from goop2.config.loading import SettingsError, load, unused_keys
from goop2.folder.identity import load_or_create
from goop2.folder.site_files import SiteFiles

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GOOP2_")}


def write(folder: Path, document: object) -> Path:
    (folder / "goop.json").write_text(json.dumps(document))
    return folder


async def test_the_site_and_the_key_lie_where_goop_json_says(tmp_path: Path) -> None:
    own = load_or_create(tmp_path, "keys/mine.key").peer_id
    (tmp_path / "public").mkdir()
    (tmp_path / "public/index.html").write_text("front")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").write_text("another")
    write(tmp_path, {"identity": {"key_file": "keys/mine.key"}, "paths": {"site_root": "public"}})
    async with open_peer(tmp_path, ENVIRONMENT) as peer:
        assert peer.identity.peer_id == own
        assert peer.files.read("index.html", 100) == b"front"
    assert not (tmp_path / "data/identity.key").exists()


@pytest.mark.parametrize("site", ["..", "../site", "/etc", ".", "data", "data/x", "a/../.."])
def test_a_site_that_is_no_folder_of_its_own_is_refused(tmp_path: Path, site: str) -> None:
    with pytest.raises(SettingsError, match=r"paths\.site_root is .*; allowed is a folder inside the peer folder, other than data/"):
        load(write(tmp_path, {"paths": {"site_root": site}}), {})


@pytest.mark.parametrize("key", ["../key", "/etc/key", "site/identity.key", "public/../../x"])
def test_a_key_outside_or_in_the_site_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(SettingsError, match=r"identity\.key_file is .*; allowed is a file inside the peer folder and outside of its site"):
        load(write(tmp_path, {"identity": {"key_file": key}}), {})


def test_a_site_that_is_a_link_out_of_the_folder_is_refused_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "peer").mkdir()
    (tmp_path / "peer/public").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="outside the peer folder"):
        load(write(tmp_path / "peer", {"paths": {"site_root": "public"}}), {})


def test_a_folder_that_is_a_rendezvous_alone_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r'presence\.rendezvous_only is true, .*start "goop2 rendezvous", or set it to false'):
        load(write(tmp_path, {"presence": {"rendezvous_only": True}}), {})


@pytest.mark.parametrize(
    ("lua", "told"),
    [
        ({"enabled": True}, "goop.http and goop.kv, on in Goop2 where goop.json does not say, are off here"),
        ({"enabled": True, "http_enabled": False}, "goop.kv, on in Goop2 where goop.json does not say, is off here"),
        ({"enabled": True, "http_enabled": False, "kv_enabled": False}, ""),
        ({"enabled": False}, ""),
    ],
)
def test_the_owner_is_told_what_is_off_here(tmp_path: Path, lua: dict[str, bool], told: str) -> None:
    assert load(write(tmp_path, {"lua": lua, "identity": {}}), {}).notice.partition(":")[0] == told
    assert load(write(tmp_path, {"lua": lua}), {}).notice == "", "a folder of ours"


def test_keys_that_are_not_used_here_are_named() -> None:
    document = {"p2p": {"bridge_mode": True, "listen_port": 7, "nacl_public_key": "x"}, "viewer": {"theme": "dark", "debug": False}}
    assert unused_keys(document) == ["p2p.bridge_mode", "viewer.theme"]


def test_the_site_is_site_where_nothing_is_said(tmp_path: Path) -> None:
    assert SiteFiles(tmp_path, []).root == tmp_path / load(write(tmp_path, {}), {}).settings.paths.site_root
