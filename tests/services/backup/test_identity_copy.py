"""Copies of a peer's key: private, encrypted when asked, and refused when they are none."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from nacl.pwhash import argon2id

from goop2.folder import identity
from goop2.services.backup import identity_copy
from goop2.services.backup.program import BackupError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a key."""
    identity.load_or_create(tmp_path / "peer")
    return tmp_path / "peer"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make keys of passphrases at the least cost, since the usual one is meant to take a second."""
    monkeypatch.setattr(identity_copy, "OPERATIONS", argon2id.OPSLIMIT_MIN)
    monkeypatch.setattr(identity_copy, "MEMORY_BYTES", argon2id.MEMLIMIT_MIN)


def test_a_plain_copy_is_the_key_for_the_owners_eyes(folder: Path, tmp_path: Path) -> None:
    identity_copy.write_copy(folder, identity.FILE, tmp_path / "copy", None)
    assert identity_copy.read_copy(tmp_path / "copy", None) == (folder / identity.FILE).read_bytes()
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    assert not identity_copy.is_sealed(tmp_path / "copy")


def test_an_encrypted_copy_needs_its_passphrase(folder: Path, tmp_path: Path) -> None:
    identity_copy.write_copy(folder, identity.FILE, tmp_path / "copy", "a long passphrase")
    content = (folder / identity.FILE).read_bytes()
    assert identity_copy.is_sealed(tmp_path / "copy")
    assert content[4:36] not in (tmp_path / "copy").read_bytes()
    assert identity_copy.read_copy(tmp_path / "copy", "a long passphrase") == content
    with pytest.raises(BackupError, match="the passphrase is wrong"):
        identity_copy.read_copy(tmp_path / "copy", "another passphrase")


@pytest.mark.parametrize(("name", "value"), [("memory", 1 << 40), ("operations", 1 << 30), ("format", "goop2 identity, encrypted, 9")])
def test_a_cost_beyond_the_usual_is_not_paid(folder: Path, tmp_path: Path, name: str, value: object) -> None:
    identity_copy.write_copy(folder, identity.FILE, tmp_path / "copy", "a long passphrase")
    changed = {**json.loads((tmp_path / "copy").read_text()), name: value}
    (tmp_path / "copy").write_text(json.dumps(changed))
    with pytest.raises(BackupError, match="does not know"):
        identity_copy.read_copy(tmp_path / "copy", "a long passphrase")


def test_a_changed_copy_is_refused(folder: Path, tmp_path: Path) -> None:
    identity_copy.write_copy(folder, identity.FILE, tmp_path / "copy", "a long passphrase")
    changed = {**json.loads((tmp_path / "copy").read_text()), "salt": "AAAA"}
    (tmp_path / "copy").write_text(json.dumps(changed))
    with pytest.raises(BackupError, match="the passphrase is wrong, or the file was changed"):
        identity_copy.read_copy(tmp_path / "copy", "a long passphrase")


def test_nothing_is_written_over_another_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(BackupError, match="there already"):
        identity_copy.write_copy(folder, identity.FILE, tmp_path / "copy", None)
    assert (tmp_path / "copy").read_text() == "mine"


def test_a_folder_without_a_key_gets_none_by_copying_it(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no identity to copy"):
        identity_copy.write_copy(tmp_path, identity.FILE, tmp_path / "copy", None)
    assert list(tmp_path.iterdir()) == []


def test_a_key_comes_back_to_its_place(folder: Path, tmp_path: Path) -> None:
    peer = identity_copy.write_copy(folder, identity.FILE, tmp_path / "copy", None)
    restored = identity_copy.put_in_place(tmp_path / "new", identity.FILE, identity_copy.read_copy(tmp_path / "copy", None))
    assert restored.peer_id == peer
