"""The pair for payload encryption in goop.json: read, made once, never replaced, never shown."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest
from nacl.public import PrivateKey

from goop2.config import SettingsError, payload_keys
from goop2.config.editing import BACKUP, show
from goop2.config.settings import declared

PRIVATE = PrivateKey(bytes(range(32)))
PUBLIC_TEXT = base64.b64encode(bytes(PRIVATE.public_key)).decode()
PRIVATE_TEXT = base64.b64encode(bytes(PRIVATE)).decode()
OTHER_TEXT = base64.b64encode(bytes(PrivateKey(bytes(32)).public_key)).decode()


def written(folder: Path, **section: object) -> Path:
    (folder / "goop.json").write_text(json.dumps({"zebra": [1], "p2p": {"listen_port": 4001, "theirs": "ü", **section}}))
    return folder


def test_a_pair_another_implementation_wrote_is_read(tmp_path: Path) -> None:
    keys = payload_keys.load(written(tmp_path, nacl_public_key=PUBLIC_TEXT, nacl_private_key=PRIVATE_TEXT))
    assert keys is not None
    assert (keys.public_text, keys.private) == (PUBLIC_TEXT, bytes(PRIVATE))


@pytest.mark.parametrize("absent", [{}, {"nacl_public_key": "", "nacl_private_key": ""}, {"nacl_public_key": None}])
def test_without_a_pair_there_is_none(tmp_path: Path, absent: dict[str, object]) -> None:
    assert payload_keys.load(written(tmp_path, **absent)) is None


def test_a_pair_is_made_once_beside_what_is_there_for_its_owner_alone(tmp_path: Path) -> None:
    file = written(tmp_path) / "goop.json"
    file.chmod(0o644)
    keys, made = payload_keys.make(tmp_path)
    assert made
    document = json.loads(file.read_text())
    assert document.pop("p2p") == {
        "listen_port": 4001,
        "theirs": "ü",
        "nacl_public_key": keys.public_text,
        "nacl_private_key": base64.b64encode(keys.private).decode(),
    }
    assert document == {"zebra": [1]}
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("goop.json", BACKUP)} == {0o600}
    before = file.read_bytes()
    assert payload_keys.make(tmp_path) == (keys, False)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ({"nacl_public_key": PUBLIC_TEXT}, "stands there without p2p.nacl_private_key"),
        ({"nacl_public_key": OTHER_TEXT, "nacl_private_key": PRIVATE_TEXT}, "does not belong to p2p.nacl_private_key"),
        ({"nacl_private_key": PRIVATE_TEXT[:-4]}, "p2p.nacl_private_key is not a key; allowed is base64 of 32 bytes"),
        ({"nacl_private_key": 7}, "p2p.nacl_private_key is not a key"),
        ({"nacl_public_key": "ü" * 44, "nacl_private_key": PRIVATE_TEXT}, "p2p.nacl_public_key is not a key"),
    ],
)
def test_what_is_no_pair_is_a_sentence_and_stays_as_it_is(tmp_path: Path, section: dict[str, object], why: str) -> None:
    file = written(tmp_path, **section) / "goop.json"
    before = file.read_bytes()
    for attempt in (payload_keys.load, payload_keys.make):
        with pytest.raises(SettingsError, match=why) as error:
            attempt(tmp_path)
        assert PRIVATE_TEXT[:12] not in str(error.value)
    assert file.read_bytes() == before


def test_an_owner_is_told_when_others_of_the_machine_may_read_the_key(tmp_path: Path) -> None:
    file = written(tmp_path, nacl_private_key=PRIVATE_TEXT) / "goop.json"
    file.chmod(0o640)
    assert payload_keys.others_may_read(tmp_path) == (
        f"{file} holds a private key (p2p.nacl_private_key) and others of this machine may read it: chmod 600 {file}"
    )
    file.chmod(0o600)
    assert payload_keys.others_may_read(tmp_path) == ""


def test_the_private_key_is_in_no_repr_and_on_no_page_of_settings(tmp_path: Path) -> None:
    keys = payload_keys.load(written(tmp_path, nacl_private_key=PRIVATE_TEXT))
    assert keys is not None
    assert "private" not in repr(keys)
    assert [setting.path for setting in declared() if "nacl" in setting.key] == []
    assert PRIVATE_TEXT not in repr(show(tmp_path))
